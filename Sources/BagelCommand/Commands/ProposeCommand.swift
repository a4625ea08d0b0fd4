// SPDX-License-Identifier: Apache-2.0
// bagel propose: the next commands to drive, as a CSV file.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import SafeText
import Tasks

struct ProposeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "propose",
    abstract:
      "Propose commands whose log reduces the model's uncertainty most where the policy drives.",
    discussion: """
      Writes a CSV file with a time column and the commands, within the limits of
      the actions. Start where episodes start, drive and log the commands, and
      add the log to the task's `logs:`. Commands whose rollouts on the model leave
      the `limits:` of states and quantities are penalised. With `explore: {kind:
      informative}`, `fit` and `learn` explore in this way.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(help: "Seconds to drive.")
  var seconds = 60.0

  @Option(help: "File to write (default: proposal.csv in the output folder).")
  var file: String?

  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if !(seconds > 0 && seconds <= 3_600) {
      throw ValidationError("--seconds must be above 0 and at most 3600")
    }
  }

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    let task = try taskArgument.load(seed: common.seed)
    try task.checkSearchable()
    guard seconds >= 10 * task.layout.timeStep else {
      throw ValidationError(
        "--seconds \(number(seconds)) is less than ten time steps of \(task.layout.timeStep) s")
    }
    let folder = try common.folder(for: task)
    let (controller, description) = try policyOptions.read(for: task, in: folder, console)
    let model = try readModel(
      policyOptions.folder(of: description, or: folder) + "/model.safetensors", for: task)
    let path = file ?? "\(folder)/proposal.csv"
    try OutputFolders.make(for: path, option: "--file")
    let written = try WrittenFile(path, option: "--file")
    try written.check(isNoneOf: [taskArgument.task] + (task.logs + task.heldOutLogs).map(\.path))
    InterruptSignal.watch()
    let bar = ProgressBar("trying commands")
    let proposal: CommandProposal?
    do {
      defer { bar.finish() }
      proposal = try task.proposeCommands(
        for: controller, on: model, seconds: seconds, seed: common.seed,
        device: deviceOptions.device
      ) { fraction in
        bar.update(fraction, "\(Int(100 * fraction)) %")
        return !InterruptSignal.wasRaised
      }
    }
    guard let proposal else { throw Interruption(description: "interrupted; nothing was written") }
    let kept = try written.write(Data(proposal.csv(task.layout).utf8))
    proposal.describe(task, console)
    console.say("commands: \(path), \(counted(proposal.commands.count, "row"))")
    if let kept { console.say("the former file is kept: \(kept)") }
    try console.finish(proposal.json(task).merging(["path": path]) { $1 })
  }
}

extension CommandProposal {
  /// A header, and a row a time step.
  func csv(_ layout: LogLayout) -> String {
    let header = (["time"] + layout.actions.map(\.column)).map(escapedForCSV)
    let rows = commands.enumerated().map { k, action in
      ([Double(k) * layout.timeStep] + action).map { "\(Float($0))" }.joined(separator: ",")
    }
    return ([header.joined(separator: ",")] + rows).joined(separator: "\n") + "\n"
  }

  /// Says what is expected of it, each line behind a prefix.
  func describe(_ task: ControlTask, _ console: Console, prefix: String = "") {
    console.say(
      "\(prefix)proposed \(number(Double(commands.count) * task.layout.timeStep)) s of commands: \(number(100 * (1 - remainingVariance))) % less of the "
        + "model's variance along the policy's path, if the model is right (\(tried) sequences tried, \(number(seconds)) s)"
    )
    for line in promiseLines(task) { console.say("\(prefix)  \(line)") }
    if leaving > 0 {
      console.say(
        "\(prefix)  \(number(100 * leaving)) % of the rollouts leave their limits with these commands"
      )
    }
  }

  private func promiseLines(_ task: ControlTask) -> [String] {
    guard let promises else { return [] }
    return zip(zip(promises.now.errors, promises.expected.errors), task.evaluation.tracked).map {
      let channel = task.goalChannels[$1.goal]
      let unit = Unit(channel.units)
      return
        "\(channel.name): now promised at most \(unit.shown($0.0)) from its goal, expected with these commands \(unit.shown($0.1))"
    }
  }

  func json(_ task: ControlTask) -> [String: Any] {
    var result: [String: Any] = [
      "rows": commands.count, "remainingVariance": remainingVariance, "leaving": leaving,
      "tried": tried, "seconds": seconds,
    ]
    if let promises {
      result["promise"] = promises.now.json(task, nil)
      result["expectedPromise"] = promises.expected.json(task, nil)
    }
    return result
  }
}
