// SPDX-License-Identifier: Apache-2.0
// bagel run: a controller on the task's plant in real time. Ctrl-C leaves the safe action.

import ArgumentParser
import Bagel
import Foundation

struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Drive the plant with a controller in real time, logging as it goes.",
    discussion: """
      Limits are enforced at the last moment; Ctrl-C, a state outside its limits and any failure end with the safe
      action. The log is a CSV file that `bagel fit --log` reads.
      """)

  @OptionGroup var taskArgument: TaskArgument

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(help: "Seconds to drive (default: the task's evaluation).")
  var seconds: Double?

  @Option(
    parsing: .unconditional,
    help: "Where to go, one number a state, for example --goal -0.3,0 (default: the task's).")
  var goal: String?

  @Option(help: "Log to write (default: run-1.csv, run-2.csv, ... in the output folder).")
  var log: String?

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let seconds, !(seconds > 0 && seconds < 1e7) {
      throw ValidationError("--seconds must be positive and at most 10,000,000")
    }
  }

  func run() throws {
    let console = Console(json: common.json)
    let task = try taskArgument.load(seed: common.seed)
    let folder = try common.folder(for: task)
    let (controller, description) = try policyOptions.read(for: task, in: folder)
    let goal = try goal.map { try numbers($0, task, description) }
    let path = log ?? firstFreePath { "\(folder)/run-\($0).csv" }
    guard !FileManager.default.fileExists(atPath: path) else {
      throw OutputError(description: "\(path) is there already and is left as it is")
    }
    if let goal {
      try task.checkGoal(goal, for: description.inputs.goal, within: description.dataBounds)
    }
    let lock = try task.machineLock(folder)
    defer { withExtendedLifetime(lock) {} }
    InterruptSignal.watch(isDriving: true)
    let seconds = seconds ?? task.evaluation.seconds
    console.say("driving '\(task.plant?.name ?? "")' for \(number(seconds)) s -> \(path)")
    let (outcome, deadlines) = try task.runInRealTime(
      controller, goal: goal, within: description.dataBounds, seconds: seconds, seed: common.seed,
      log: path
    ) { !InterruptSignal.wasRaised }
    console.say(
      "\(outcome.episode.count) rows; \(deadlines.late) of \(deadlines.steps) steps late, worst by "
        + "\(number(1e3 * deadlines.worst)) ms")
    if let end = outcome.earlyEnd { console.say("ended early: \(end)") }
    if let failure = outcome.failure { throw failure }
    try console.finish([
      "log": path, "rows": outcome.episode.count, "steps": deadlines.steps,
      "lateSteps": deadlines.late, "worstLatenessSeconds": deadlines.worst,
      "earlyEnd": outcome.earlyEnd ?? NSNull(), "interrupted": InterruptSignal.wasRaised,
    ])
  }

  /// The goal, which must lie where the policy was searched. Throws: `LogError`.
  private func numbers(
    _ text: String, _ task: ControlTask, _ description: PolicyDescription
  ) throws -> [Double] {
    let words = text.split(separator: ",")
    let goal = words.compactMap { Double($0) }
    guard goal.count == words.count, goal.count == task.layout.states.count,
      goal.allSatisfy(\.isFinite)
    else {
      throw ValidationError(
        "--goal \(text): one number a state is wanted, for "
          + task.layout.states.map(\.name).joined(separator: ", "))
    }
    guard description.inputs.goal != .none else {
      throw LogError(
        file: task.name,
        "has a policy that does not see its goal (policy: {goal: error}); --goal has no effect")
    }
    return goal
  }
}
