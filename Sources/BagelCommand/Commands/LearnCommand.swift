// SPDX-License-Identifier: Apache-2.0
// bagel learn: the whole of Algorithm 1 on a plant, once or for several seeds.

import ArgumentParser
import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Plants
import Policies
import PolicySearch
import Watching

struct LearnCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "learn",
    abstract: "Learn on a plant: explore once; then fit, optimise and drive in every trial.",
    discussion: """
      Every episode is a CSV file in the output folder, written line by line. After an interruption, the same command
      continues from the last finished episode, with the same numbers. A trial that succeeds is judged over as many
      episodes as the task's `evaluate:` gives, with other starts, goals and noise. It is solved if nine in ten succeed.
      Exit code 2 if the last trial is not solved (with --runs: if no seed is solved).
      """)

  @OptionGroup var taskArgument: TaskArgument

  @Option(help: "Maximum number of trials after exploring (overrides the task).")
  var trials: Int?

  @Option(
    help:
      "Run the whole loop for this many consecutive seeds, from --seed on, and report how many are solved."
  )
  var runs: Int?

  @Option(
    help:
      "In trials, vary the plant's parameters by up to this fraction of their values while exploring."
  )
  var vary = 0.0

  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var tensorBoard: TensorBoardOptions

  @Flag(help: "Start from the beginning; the earlier loop of the folder is moved away.")
  var restart = false

  @Flag(help: "Continue with the earlier episodes although the task has changed.")
  var force = false

  @Flag(
    help: "Use the last policy even if it is not solved and the current one would earn more.")
  var replace = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let trials, trials < 1 { throw ValidationError("--trials must be at least 1") }
    if let runs, !(1...10_000).contains(runs) {
      throw ValidationError("--runs must be from 1 to 10000")
    }
    guard (0..<1).contains(vary) else {
      throw ValidationError("--vary must be a fraction from 0 to below 1")
    }
  }

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    InterruptSignal.watch(isDriving: true)
    guard let runs else {
      let outcome = try learn(seed: common.seed, folder: nil, console)
      try console.finish(resultJSON(outcome.json))
      if !outcome.record.isSolved { throw notSolved }
      return
    }
    var outcomes: [LoopOutcome] = []
    var failures: [String] = []
    for index in 0..<runs {
      let seed = common.seed &+ UInt64(index)
      console.say("seed \(seed)")
      do {
        outcomes.append(try learn(seed: seed, folder: "seed-\(seed)", console))
      } catch let error as SearchError {
        // The others go on; this seed is none that was solved.
        console.say("seed \(seed) failed: \(words(of: error))")
        failures.append("\(seed): \(words(of: error))")
      }
    }
    let solved = outcomes.filter(\.record.isSolved).count
    let steps = outcomes.reduce(0) { $0 + $1.steps }
    let successes = outcomes.reduce(0) { $0 + $1.stepSuccesses }
    let unsolved = outcomes.filter { !$0.record.isSolved }.map { "\($0.record.seed)" }
    console.say(
      "\(solved) of \(runs) seeds solved at the last trial"
        + (unsolved.isEmpty ? "" : "; not: \(unsolved.joined(separator: ", "))"))
    try console.finish(
      resultJSON([
        "successes": solved, "episodes": runs, "solved": outcomes.map(\.record.isSolved),
        "steps": steps, "stepSuccesses": successes,
        "judgedEpisodes": outcomes.reduce(0) { $0 + $1.episodes.count },
        "judgedSuccesses": outcomes.reduce(0) { $0 + $1.successes },
        "steadyStateError": median(outcomes.flatMap(\.steadyStateErrors)),
        "computeSeconds": outcomes.map(\.computeSeconds), "runs": outcomes.map(\.json),
        "failures": failures,
      ]))
    if solved == 0 { throw notSolved }
  }

  /// One loop in its folder.
  private func learn(seed: UInt64, folder name: String?, _ console: Console) throws -> LoopOutcome {
    var task = try taskArgument.load(seed: seed)
    guard task.isJudged else {
      throw LogError(
        file: task.place,
        "does not define success; add `evaluate:` with a tolerance, track or success, or `done: success`"
      )
    }
    if let words = try task.checkSearch(device: deviceOptions.device) { console.say(words) }
    if let trials { task.learning.trials = trials }
    let folder = try common.folder(for: task)
    let root = folder + "/learn" + (name.map { "/" + $0 } ?? "")
    if restart {
      // First whatever can fail: the earlier loop is not moved away for nothing.
      try InteractionLoop.check(task, seed: seed, spread: vary)
      try InteractionLoop.moveAway(root)
    }
    OutputFolders.note(root)
    var loop = try InteractionLoop(
      task: task, folder: root, seed: seed, device: deviceOptions.device, spread: vary,
      mayDiffer: force)
    let done = loop.record.trials.count
    let figures = LoopFigures(
      console: console, task: task, folder: root,
      store: name == nil ? VersionStore(folder: folder) : nil)
    if let verdict = loop.openVerdict {
      console.say(
        "continuing to judge trial \(done) over \(verdict.wanted) episodes in \(root): \(verdict.words) so far"
      )
      figures.beginJudging(verdict)
    } else if done > 0 {
      console.say("continuing after trial \(done) in \(root)")
    }
    let curves = try tensorBoard.curves(
      name, iterations: loop.record.trials.reduce(0) { $0 + $1.iterations })
    var writingError: (any Error)?
    let isFinished = try loop.run(goesOn: { !InterruptSignal.wasRaised }) { event in
      do {
        try curves?.add(event)
        try figures.tell(event)
      } catch {
        writingError = error
      }
      return !InterruptSignal.wasRaised && writingError == nil
    }
    figures.finish()
    if let writingError {
      throw writingError is CocoaError
        ? OutputError(path: "event files of \(root)", writingError) : writingError
    }
    guard isFinished else {
      throw Interruption(
        description:
          "interrupted after \(counted(loop.record.trials.count, "trial")); the same command continues "
          + "(the log of an unfinished episode stays in \(root)); "
          + (figures.episodes.safety ?? "nothing was moved"))
    }
    figures.episodes.sayTiming()
    try conclude(
      loop.record, loop.record.verdict(over: task.evaluation.episodes), root,
      name == nil ? folder : nil, console)
    try figures.reportVersions()
    return LoopOutcome(
      record: loop.record, isStepResponse: task.evaluation.measures.isEmpty,
      timing: figures.episodes.timing)
  }

  /// Says how it went, and puts the last model and policy where the other commands look for them.
  private func conclude(
    _ record: LoopRecord, _ verdict: TrialVerdict?, _ folder: String, _ outputs: String?,
    _ console: Console
  ) throws {
    let count = record.trials.count
    let judged = verdict.flatMap { $0.episodes > 1 ? ": \($0.words)" : nil } ?? ""
    console.say(
      (record.isSolved ? "solved at trial \(count)" : "not solved at trial \(count), the last")
        + judged)
    guard let outputs else { return }
    try keep(record, folder, VersionStore(folder: outputs), console)
    let report = folder + "/report.html"
    guard FileManager.default.fileExists(atPath: outputs + "/policy.safetensors") else {
      return console.say("no policy: \(folder) contains no policy of trial \(count)")
    }
    console.say(
      "policy: \(outputs)/policy.safetensors"
        + (FileManager.default.fileExists(atPath: report) ? "; report: \(report)" : ""))
  }

  /// The last trial's model, watch and policy as versions. A policy that was not solved does not replace one that would earn more.
  private func keep(
    _ record: LoopRecord, _ folder: String, _ store: VersionStore, _ console: Console
  ) throws {
    let trial = record.trials.count
    func source(_ what: String) -> String? {
      let path = folder + "/" + what + String(format: "-%03d.safetensors", trial)
      return FileManager.default.fileExists(atPath: path) ? path : nil
    }
    func copy(_ path: String?, _ target: String) throws {
      guard let path else { return }
      do {
        try FileManager.default.copyItem(atPath: path, toPath: target)
      } catch {
        throw OutputError(path: target, error)
      }
    }
    let task = try taskArgument.load(seed: record.seed)
    let words = "trial \(trial) of `learn`" + (record.isSolved ? ", solved" : "")
    guard let path = source("model") else { return }
    var model = Version(kind: .model, seed: record.seed, task: task.name, words: words)
    model.model = try DynamicsModel.fingerprint(path: path)
    try console.keepModel(model, in: store) { place in
      try copy(path, place + "/model.safetensors")
      try copy(source("watch"), "\(place)/\(WatchCalibration.fileName)")
    }
    guard let path = source("policy") else { return }
    let (controller, description) = try PolicyController.read(path: path)
    var policy = Version(kind: .policy, seed: record.seed, task: task.name, words: words)
    (policy.model, policy.policy) = (description.model, controller.fingerprint)
    (policy.predictedReturn, policy.isSolved) = (description.predictedReturn, record.isSolved)
    policy.plantErrors = Version.PlantErrors(record.lastTrialErrors, task, seed: record.seed)
    let mayReplace = replace || record.isSolved
    try console.keepPolicy(
      policy, in: store, task,
      on: mayReplace ? nil : try DynamicsModel(path: store.folder + "/model.safetensors")
    ) { try copy(path, $0 + "/policy.safetensors") }
  }
}

/// What is left of a loop for the table.
struct LoopOutcome {
  let record: LoopRecord
  /// Where measures judge, a tracked state may have no steady state (an angle has many turns).
  let isStepResponse: Bool
  /// Of the episodes that this command drove.
  let timing: StepTiming

  /// The episodes that judge the last trial, its own first.
  var episodes: [EpisodeRecord] { record.lastTrialEpisodes }
  var successes: Int { episodes.count { $0.isSuccess ?? $0.isSolved } }

  /// Of the steps of those.
  var steadyStateErrors: [Double] {
    isStepResponse ? episodes.flatMap(\.steadyStateErrors) : []
  }

  var steps: Int { episodes.reduce(0) { $0 + $1.steps } }
  var stepSuccesses: Int { episodes.reduce(0) { $0 + $1.stepSuccesses } }
  var computeSeconds: Double {
    record.trials.reduce(0) { $0 + $1.fitSeconds + $1.optimizeSeconds }
  }

  var json: [String: Any] {
    [
      "seed": record.seed, "solved": record.isSolved, "trials": record.trials.count,
      "solvedTrials": record.trials.map(\.isSolved), "computeSeconds": computeSeconds,
      "fitSeconds": record.trials.map(\.fitSeconds),
      "optimizeSeconds": record.trials.map(\.optimizeSeconds),
      "returns": record.trials.map { $0.predictedReturn ?? .nan },
      "successes": record.trials.filter(\.isSolved).count, "episodes": record.trials.count,
      "judgedEpisodes": episodes.count, "judgedSuccesses": successes,
      "steps": steps, "stepSuccesses": stepSuccesses,
      "steadyStateError": median(steadyStateErrors), "timing": timing.json,
      "earlyEnds": record.episodes.compactMap(\.earlyEnd),
    ]
  }
}
