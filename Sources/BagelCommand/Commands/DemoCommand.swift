// SPDX-License-Identifier: Apache-2.0
// bagel demo: the paper's Experiment 1 on the simulated boom, from driving to a report.

import ArgumentParser
import Bagel
import Tasks

struct DemoCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "demo",
    abstract: "Drive a simulated boom, learn it, find a controller, try it: a minute's tour.")

  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    var task = try ControlTask("boom")
    task.search.seed = common.seed
    let folder = try common.folder(for: task)
    console.say("driving the simulated boom by hand for 110 s (2,200 transitions, with noise)")
    let fit = try runFit(task, try task.trainingEpisodes(seed: common.seed))
    fit.describe(console)
    let policy = try runSearch(task, fit.model, checkpoint: nil, device: deviceOptions.device)
    policy.describe(console)
    let evaluation = try task.evaluate(policy.best, seed: common.seed)
    evaluation.describe(task, console)
    let store = VersionStore(folder: folder)
    try console.keepModel(Version(of: fit, task, seed: common.seed), in: store) {
      try fit.model.write(
        to: $0 + "/model.safetensors", provenance: "demo, seed \(common.seed)")
    }
    let description = task.description(of: policy, on: fit.model)
    try console.keepPolicy(
      Version(of: policy, description, seed: common.seed), in: store, task, on: nil
    ) { try policy.best.write(to: $0 + "/policy.safetensors", description: description) }
    try common.report(
      Report(
        task: task, fit: fit, policy: policy, evaluation: evaluation,
        origin: ReportOrigin(
          seed: common.seed, model: fit.model.fingerprint, policy: policy.best.fingerprint,
          description: description, policyFile: folder + "/policy.safetensors")),
      in: folder, console: console)
    try console.finish(resultJSON(fit.json, policy.json, evaluation.json(task)))
    if evaluation.successes == 0 { throw notSolved }
  }
}
