// SPDX-License-Identifier: Apache-2.0
// bagel fit: logs -> model.safetensors, with figures on held-out logs.

import ArgumentParser
import Bagel
import Foundation

struct FitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Learn the dynamics from logs and judge them on held-out logs.",
    discussion: """
      A task without logs is explored first: its plant moves, as the task's `explore:` says.
      """)

  @Argument(
    help: "A task file or built-in task; or none, and --log, --states, --actions, --time-step.")
  var task: String?

  @Option(parsing: .upToNextOption, help: "CSV logs to learn from.")
  var log: [String] = []

  @Option(parsing: .upToNextOption, help: "CSV logs to judge the model by.")
  var heldOut: [String] = []

  @Option(help: "State columns, separated by commas.")
  var states: String?

  @Option(help: "Action columns, separated by commas.")
  var actions: String?

  @Option(help: "Seconds between rows; other stamps are resampled.")
  var timeStep: Double?

  @Option(
    help: """
      States whose rate is derived and becomes a state too: names separated by commas, none, or auto \
      (every state, unless one of them is named like a rate).
      """)
  var rates = "auto"

  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var tensorBoard: TensorBoardOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if task == nil {
      if log.isEmpty { throw ValidationError("name a task, or logs with --log") }
      guard states != nil, actions != nil, timeStep != nil else {
        throw ValidationError("--log needs --states, --actions and --time-step too")
      }
      let listed = columnNames(states ?? "") + columnNames(actions ?? "")
      if columnNames(states ?? "").isEmpty || columnNames(actions ?? "").isEmpty {
        throw ValidationError("--states and --actions need at least one name each")
      }
      if Set(listed).count < listed.count {
        throw ValidationError("a name stands twice in --states and --actions")
      }
      guard let timeStep, timeStep > 0, timeStep.isFinite else {
        throw ValidationError("--time-step must be a positive number of seconds")
      }
    } else if !log.isEmpty || states != nil || actions != nil || timeStep != nil || rates != "auto"
    {
      throw ValidationError(
        "give either a task or --log, --states, --actions, --time-step, --rates")
    }
  }

  func run() throws {
    let console = Console(json: common.json)
    try deviceOptions.device.checkAvailable()
    var task: ControlTask
    if let name = self.task {
      task = try ControlTask(name)
      if !heldOut.isEmpty { task.heldOutLogs = heldOut }
    } else {
      task = taskFromOptions(console)
    }
    task.model.fit.device = deviceOptions.device
    let folder = try common.folder(for: task)
    let lock = task.logs.isEmpty ? try task.machineLock(folder) : nil
    defer { withExtendedLifetime(lock) {} }
    InterruptSignal.watch(isDriving: true)
    if task.logs.isEmpty, let plant = task.plant {
      console.say(
        "no logs: exploring '\(plant.name)', \(task.exploration.episodes) x \(number(task.exploration.seconds)) s"
      )
    }
    let words = EpisodeWords(console, task)
    let training = try task.trainingEpisodes(
      seed: common.seed, logFolder: folder, goesOn: { !InterruptSignal.wasRaised },
      tell: words.tell)
    InterruptSignal.unwatch()
    if InterruptSignal.wasRaised {
      throw Interruption(
        description: words.leaving.map { "interrupted while exploring; \($0)" }
          ?? "interrupted before anything was moved")
    }
    words.sayEarlyEnds(of: training.count)
    words.sayTiming()
    let fit = try runFit(task, training)
    fit.describe(console)
    do {
      try tensorBoard.curves()?.add(fit, trial: 0)
    } catch let error as CocoaError {
      throw OutputError(path: "event files in \(tensorBoard.tensorboard ?? "")", error)
    }
    let path = folder + "/model.safetensors"
    try console.replaceModel(path) {
      try fit.model.write(
        to: $0, provenance: (task.logs.isEmpty ? [task.name] : task.logs).joined(separator: ", "))
    }
    console.say("model: \(path)")
    try common.report(
      Report(task: task, fit: fit), in: folder, name: "report-fit.html",
      console: console)
    let exploration: [String: Any] =
      task.logs.isEmpty ? ["timing": words.timing.json, "earlyEnds": words.earlyEnds] : [:]
    try console.finish(merge(fit.json, exploration))
  }

  /// A task for a fit only: no reward, no goal.
  private func taskFromOptions(_ console: Console) -> ControlTask {
    var task = ControlTask()
    task.name = "log"
    task.logs = log
    task.heldOutLogs = heldOut
    let measured = columnNames(states ?? "")
    var channels = measured.map { Channel(name: $0) }
    for name in ratesToDerive(measured, columnNames(rates)) {
      channels.append(Channel(name: name + "_rate", source: .rate(of: name, filterTime: 0)))
      console.say(
        "derived the rate of '\(name)' by backward differences (--rates none leaves it out)")
    }
    task.layout = LogLayout(
      states: channels, actions: columnNames(actions ?? "").map { Channel(name: $0) },
      timeStep: timeStep ?? 0)
    return task
  }

  private func ratesToDerive(_ states: [String], _ wanted: [String]) -> [String] {
    switch rates {
    case "none": return []
    case "auto":
      let words = ["rate", "vel", "speed", "dot", "omega"]
      let hasRate = states.contains { s in words.contains { s.lowercased().contains($0) } }
      return hasRate ? [] : states
    default: return wanted
    }
  }
}
