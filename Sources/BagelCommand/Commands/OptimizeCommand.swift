// SPDX-License-Identifier: Apache-2.0
// bagel optimize: model.safetensors -> policy.safetensors. Ctrl-C saves the state; the same command continues.

import ArgumentParser
import Bagel
import Foundation
import GaussianProcesses
import Policies
import PolicySearch
import Samplers
import Tasks
import TensorFiles

struct OptimizeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "optimize", abstract: "Find a controller on the learnt dynamics.")

  @OptionGroup var taskArgument: TaskArgument

  @Option(help: "Model file (default: model.safetensors in the output folder).")
  var model: String?

  @Option(help: "Sampler to use instead of the task's.")
  var sampler: Choice<SamplerName>?

  @Option(help: "Maximum iterations per start (overrides the task).")
  var iterations: Int?

  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var tensorBoard: TensorBoardOptions

  @Flag(help: "Start a new search even if an interrupted one could continue.")
  var restart = false

  @Flag(help: "Use the new policy even if the current one would earn more on this model.")
  var replace = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let iterations, iterations < 1 { throw ValidationError("--iterations must be at least 1") }
  }

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    var task = try taskArgument.load(seed: common.seed)
    if let sampler { task.model.sampler.name = sampler.option }
    if let iterations { task.search.iterations = iterations }
    if let words = try task.checkSearch(device: deviceOptions.device) { console.say(words) }
    let folder = try common.folder(for: task)
    let modelPath = model ?? folder + "/model.safetensors"
    if let model, !FileManager.default.fileExists(atPath: model) {
      throw TensorFileError(path: model, "no such file")
    }
    let dynamics = try readModel(modelPath, for: task)
    var warnings: [String] = []
    if let verdict = try DynamicsModel.verdict(path: modelPath), !verdict.hasPrefix("yes") {
      warnings.append("may a controller be searched on this model? \(verdict)")
    }
    for (action, logged) in dynamics.unloggedActions(limits: task.actionLimits) {
      let limits = task.actionLimits[action]
      warnings.append(
        "'\(task.layout.actions[action].name)' may be \(number(limits.lowerBound)) to "
          + "\(number(limits.upperBound)), but the logs contain only \(number(logged.lowerBound)) to "
          + "\(number(logged.upperBound)); the model extrapolates beyond that")
    }
    warnings += task.goalWarnings(dynamics) + task.levelSentences(of: dynamics)
    for warning in warnings { console.say("warning: \(warning)") }
    let checkpoint = folder + "/search-state.safetensors"
    if restart { try? FileManager.default.removeItem(atPath: checkpoint) }
    let policy: OptimizedPolicy
    do {
      policy = try runSearch(
        task, dynamics, checkpoint: checkpoint, policyPath: folder + "/policy.safetensors",
        device: deviceOptions.device, curves: try tensorBoard.curves())
    } catch let error as SearchError {
      throw SearchError("\(words(of: error)) (the model: \(modelPath))")
    }
    policy.describe(console)
    let gains = PIDGains(policy.best, timeStep: task.layout.timeStep)
    for line in gains?.lines(task) ?? [] { console.say("  \(line)") }
    let description = task.description(of: policy, on: dynamics)
    let kept = try console.keepPolicy(
      Version(of: policy, description, seed: common.seed), in: VersionStore(folder: folder), task,
      on: replace ? nil : dynamics
    ) { try policy.best.write(to: $0 + "/policy.safetensors", description: description) }
    try policy.last.write(to: folder + "/policy-last.safetensors", description: description)
    try? FileManager.default.removeItem(atPath: checkpoint)
    console.say(
      "policy: \(folder)/policy.safetensors"
        + (kept.isCurrent ? ", version \(kept.version.number)" : ", as before")
        + " (the last one: policy-last.safetensors)")
    try common.report(
      Report(
        task: task, policy: policy, besideFormer: kept.beside,
        origin: ReportOrigin(
          seed: common.seed, model: description.model, policy: policy.best.fingerprint,
          description: description,
          policyFile: kept.isCurrent
            ? folder + "/policy.safetensors" : VersionStore(folder: folder).path(kept.version))),
      in: folder, name: "report-optimize.html", console: console)
    try console.finish(
      resultJSON(
        policy.json,
        [
          "modelFingerprint": description.model ?? NSNull(), "version": kept.version.number,
          "isCurrent": kept.isCurrent, "gains": gains?.json ?? NSNull(), "warnings": warnings,
          "paths": [
            "output": folder, "model": modelPath, "policy": folder + "/policy.safetensors",
            "report": folder + "/report-optimize.html",
          ],
        ]))
  }
}

/// A model file, checked against the task. Throws: `TensorFileError`.
package func readModel(_ path: String, for task: ControlTask) throws -> DynamicsModel {
  guard FileManager.default.fileExists(atPath: path) else {
    throw TensorFileError(path: path, "no model yet; run `bagel fit` on the task first")
  }
  let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
  let model = try VersionStore(folder: folder).reading(.model, path) {
    (path) throws(TensorFileError) in try DynamicsModel(path: path)
  }
  if let difference = try task.mismatch(with: model) {
    throw TensorFileError(path: path, "\(difference); run `bagel fit` on the task again")
  }
  return model
}
