// SPDX-License-Identifier: Apache-2.0
// bagel fit: logs -> model.safetensors, with figures on held-out logs.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Policies
import SafeText
import Tasks

struct FitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fit",
    abstract: "Learn the dynamics from logs and judge them on held-out logs.",
    discussion: """
      If the task has no logs, its plant is explored first: it moves as the task's `explore:` specifies.
      """)

  @Argument(
    help:
      "A task file or a built-in task. Without one, give --log, --states, --actions and --time-step."
  )
  var task: String?

  @Option(parsing: .upToNextOption, help: "Logs to learn from.")
  var log: [String] = []

  @Option(parsing: .upToNextOption, help: "Logs to judge the model by.")
  var heldOut: [String] = []

  @Option(help: "State columns, separated by commas.")
  var states: String?

  @Option(help: "Action columns, separated by commas.")
  var actions: String?

  @Option(
    help:
      "Columns of disturbances, separated by commas: inputs that are measured but not commanded.")
  var disturbances: String?

  @Option(help: "Seconds between rows; logs with other time stamps are resampled.")
  var timeStep: Double?

  @Option(
    help: """
      States whose rate is derived and becomes a state too: names separated by commas, none, or auto \
      (every state whose rate is not measured and that is not itself a rate).
      """)
  var rates = "auto"

  @Option(
    help:
      "States that are angles and wrap after a full turn, separated by commas: NAME for radians, NAME:deg for degrees."
  )
  var angles: String?

  @Option(
    help: """
      CSV file to write, with the model's predictions of the held-out logs, 1 to 100 steps ahead of every row \
      (file,start,steps,state,mean,q0.025...).
      """)
  var predictions: String?

  @Option(
    help:
      "CSV file to write, with the model's simulation of each whole held-out episode (file,time,state,mean,q0.025,q0.975)."
  )
  var simulation: String?

  @Option(help: "Number of measured rows from which --simulation starts in each episode.")
  var knownRows = 10

  @OptionGroup(title: "How logs are written") var logOptions: LogOptions
  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var tensorBoard: TensorBoardOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (1...1_000_000).contains(knownRows) else {
      throw ValidationError("--known-rows must be from 1 to 1,000,000")
    }
    if let predictions, predictions == simulation {
      throw ValidationError("--predictions and --simulation name the same file; give two files")
    }
    if task == nil {
      if log.isEmpty { throw ValidationError("give a task, or logs with --log") }
      guard states != nil, actions != nil, timeStep != nil else {
        throw ValidationError("--log needs --states, --actions and --time-step too")
      }
      let listed = [states, actions, disturbances].flatMap { columnNames($0 ?? "") }
      if columnNames(states ?? "").isEmpty || columnNames(actions ?? "").isEmpty {
        throw ValidationError("--states and --actions need at least one name each")
      }
      for name in listed {
        if let problem = problem(ofColumn: name) {
          throw ValidationError("the column '\(shortened(name))' \(problem)")
        }
      }
      if Set(listed).count < listed.count {
        throw ValidationError("a name occurs twice in --states, --actions and --disturbances")
      }
      try validateRates()
      if heldOut.isEmpty { try needsHeldOut() }
      guard let timeStep, timeStep > 0, timeStep.isFinite else {
        throw ValidationError("--time-step must be a positive number of seconds")
      }
    } else if !log.isEmpty || states != nil || actions != nil || timeStep != nil
      || rates != "auto" || logOptions.isGiven || angles != nil || disturbances != nil
    {
      throw ValidationError(
        "give either a task (which describes how its logs are written) or --log, --states, --actions, --disturbances, --time-step, --rates, --angles, \(LogOptions.names). Names in a list are separated by commas: --states a,b"
      )
    }
  }

  /// Predictions are of held-out logs.
  private func needsHeldOut() throws {
    if predictions != nil || simulation != nil {
      throw ValidationError(
        "--predictions and --simulation need held-out logs; give them with --held-out")
    }
  }

  /// Rates are those of states, each once, and have names of their own.
  private func validateRates() throws {
    guard rates != "auto", rates != "none" else { return }
    let (names, known) = (columnNames(rates), columnNames(states ?? ""))
    for name in names where !known.contains(name) {
      throw ValidationError(
        "--rates names '\(shortened(name))', which is not among --states (auto, none, or names of states)"
      )
    }
    if Set(names).count < names.count { throw ValidationError("a name occurs twice in --rates") }
    if let name = names.first(where: { known.contains($0 + "_rate") }) {
      throw ValidationError(
        "--rates would derive '\(shortened(name))_rate', which already is a state")
    }
  }

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    var task: ControlTask
    var logged: [Episode]?
    if let name = self.task {
      task = try ControlTask(name)
      if !heldOut.isEmpty { task.heldOutLogs = heldOut.map { LogSource($0) } }
    } else {
      (task, logged) = try taskFromOptions(console)
    }
    task.model.fit.device = deviceOptions.device
    if task.heldOutLogs.isEmpty { try needsHeldOut() }
    let folder = try common.folder(for: task)
    // Reading logs may be ended at once.
    if logged == nil, task.logs.isEmpty { InterruptSignal.watch(isDriving: true) }
    if task.logs.isEmpty, let plant = task.plant {
      console.say(
        "no logs: exploring '\(plant.name)', \(task.exploration.episodes) x \(number(task.exploration.seconds)) s"
      )
    }
    let words = EpisodeWords(console, task)
    let training =
      try logged
      ?? task.trainingEpisodes(
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
    let provenance = (task.logs.isEmpty ? [task.name] : task.logs.map(\.name)).joined(
      separator: ", ")
    let version = try console.keepModel(
      Version(of: fit, task, seed: common.seed), in: VersionStore(folder: folder)
    ) {
      try fit.model.write(
        to: $0 + "/model.safetensors", provenance: provenance, verdict: fit.horizons?.verdict)
      // Without a task there is nothing to run.
      if self.task != nil { try console.writeWatch(fit, task, in: $0) }
    }
    console.say("model: \(path)")
    try writePredictions(fit, task, folder: folder, console)
    let policy = try? PolicyController.read(path: folder + "/policy.safetensors")
    if let words = policy?.description.otherModel(in: folder) { console.say(words) }
    try common.report(
      Report(
        task: task, fit: fit,
        origin: ReportOrigin(seed: common.seed, model: fit.model.fingerprint)),
      in: folder, name: "report-fit.html", console: console)
    let exploration: [String: Any] =
      task.logs.isEmpty ? ["timing": words.timing.json, "earlyEnds": words.earlyEnds] : [:]
    let paths = ["output": folder, "model": path, "report": folder + "/report-fit.html"]
    try console.finish(
      resultJSON(
        fit.json, exploration,
        [
          "version": version, "modelFingerprint": fit.model.fingerprint, "paths": paths,
          "states": fit.model.layout.states.map(\.name),
          "actions": fit.model.layout.actions.map(\.name),
        ]))
  }

  /// What --predictions and --simulation ask for.
  private func writePredictions(
    _ fit: FittedModel, _ task: ControlTask, folder: String, _ console: Console
  ) throws {
    guard predictions != nil || simulation != nil else { return }
    guard let forecasts = fit.forecasts else { return }
    let own = ["model.safetensors", "report-fit.html"].map { folder + "/" + $0 }
    let begun = forecasts.rowsBegunWith(knownRows)
    if simulation != nil, begun > knownRows {
      console.say(
        "the simulation begins after \(begun) rows, not \(knownRows): the model reads that many earlier rows"
      )
    }
    let files = PredictionFiles(forecasts, fit.model.layout, of: fit.heldOutEpisodes)
    for (path, option, text) in [
      (predictions, "--predictions", { files.horizons() }),
      (simulation, "--simulation", { files.simulations(knownRows: knownRows) }),
    ] {
      guard let path else { continue }
      let file = try WrittenFile(path, option: option)
      try file.check(isNoneOf: (task.logs + task.heldOutLogs).map(\.path) + own)
      try OutputFolders.make(for: path, option: option)
      let rows = text()
      try file.write(Data(rows.utf8))
      let isEmpty = !rows.dropLast().contains("\n")
      console.say(
        "\(option.dropFirst(2)): \(path)"
          + (isEmpty
            ? " (no rows: no held-out episode is long enough, or the training logs are too short)"
            : ""))
    }
  }
}
