// SPDX-License-Identifier: Apache-2.0
// Algorithm 1 whole (lines 2-21): explore, then again and again fit, optimise, run on the plant, add the data. A trial that
// succeeds is judged over further episodes (`TrialVerdict`). Every stage leaves a file, and every stage is a function of the
// files before it and the seed: a loop that was killed goes on with the same bits. (`LoopFolder` names them.)

import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import PolicySearch
import SafeText
import Tasks
import Watching

/// The interaction loop of a task on its plant.
public struct InteractionLoop {
  public let task: ControlTask
  public let folder: String
  public let seed: UInt64
  public let device: ExecutionDevice?
  /// Spread of the plant's parameters at trials about those that exploration met.
  public let spread: Double
  public private(set) var record: LoopRecord
  private let files: LoopFolder
  private var plant: any Plant
  private var goesOn: () -> Bool = { true }

  /// Opens a loop, or goes on with the one in its folder.
  ///
  /// - Parameters:
  ///   - task: with a plant, and logs or a way to explore.
  ///   - folder: where logs, models, policies and the record are.
  ///   - seed: of exploration, searches and noise.
  ///   - device: where searches run.
  ///   - spread: of the plant's parameters at trials, a fraction of those that exploration met.
  ///   - mayDiffer: go on even if the task has changed since.
  /// - Throws: `LoopError` where the folder's loop had another task or seed; `LogError`, `OutputError`.
  public init(
    task: ControlTask, folder: String, seed: UInt64, device: ExecutionDevice? = nil,
    spread: Double = 0, mayDiffer: Bool = false
  ) throws {
    (self.task, self.folder, self.seed) = (task, folder, seed)
    (self.device, self.spread) = (device, spread)
    // Exploration meets the plant as it is; that it can be varied is said before anything moves.
    if spread > 0 { _ = try task.makePlant(spread: spread, seed: seed) }
    plant = try task.makePlant()
    record = LoopRecord(seed: seed, spread: spread)
    files = LoopFolder(path: folder)
    try files.make()
    guard let saved = try files.record() else { return }
    record = saved
    let isSame = try files.isSame(task, saved, seed: seed, spread: spread, mayDiffer: mayDiffer)
    // Where the task has changed and may, the earlier trials are data only.
    if !isSame { record.episodesBefore = record.episodes.count }
  }

  /// Throws what would make a loop of the task fail before anything is driven: a plant that cannot be made or started, logs
  /// that cannot be read. To be asked before an earlier loop is moved away.
  public static func check(_ task: ControlTask, seed: UInt64, spread: Double) throws {
    if spread > 0 { _ = try task.makePlant(spread: spread, seed: seed) }
    if let plant = try task.makePlant() as? ExternalPlant, let obstacle = plant.obstacle {
      throw LogError(file: task.place, "has a plant that cannot start: \(obstacle)")
    }
    if !task.logs.isEmpty { _ = try task.layout.episodes(from: task.logs) }
  }

  /// Renames the folder of an earlier loop, if there is one, so that another begins afresh.
  ///
  /// Throws: `LoopError` where another process is in it, `OutputError` where it cannot be renamed.
  public static func moveAway(_ folder: String) throws { try LoopFolder(path: folder).moveAway() }

  public var isFinished: Bool {
    // A trial that the plant broke off does not count against the budget.
    let trials = record.judgedTrials.filter { $0.failure == nil }
    if openVerdict != nil { return false }
    return trials.count >= task.learning.trials
      || task.learning.untilSolved && trials.last?.isSolved == true
  }

  /// The verdict on the last trial, where further episodes are to judge it.
  public var openVerdict: TrialVerdict? {
    record.verdict(over: task.evaluation.episodes).flatMap { $0.isOpen ? $0 : nil }
  }

  /// Runs until success, budget or interruption.
  ///
  /// - Parameters:
  ///   - goesOn: asked at every step on the plant; false ends the episode with the safe action. An episode that is ended
  ///     so is not part of the loop: its log is set aside when the loop goes on.
  ///   - tell: hears of every stage; false interrupts.
  /// - Returns: whether it is finished. Throws: what fit, search and plant throw; the record stays.
  public mutating func run(
    goesOn: @escaping () -> Bool = { true }, _ tell: @escaping (LoopEvent) -> Bool
  ) throws -> Bool {
    let lock = try FolderLock(folder)
    defer { withExtendedLifetime(lock) {} }
    guard try (files.record()?.episodes ?? []) == record.episodes else {
      throw LoopError(
        description:
          "another bagel has gone on in \(folder) meanwhile; the same command goes on from there")
    }
    // First what was judged by the task before, then that it is this one now; a loop without an episode leaves neither.
    if !record.episodes.isEmpty {
      try files.save(record)
      try files.save(task)
    }
    try files.setAside("interrupted", episode: record.episodes.count)
    self.goesOn = goesOn
    defer { plant.close(safeAction: task.safeAction) }
    while wantsToExplore { guard try explore(tell) else { return false } }
    try checkExplored()
    while !isFinished {
      guard try openVerdict.map({ try judge($0, tell) }) ?? trial(tell) else { return false }
    }
    try writeWatch()
    return true
  }

  /// What is usual on the machine: on what the last trial's model learnt from, and where its policy drove.
  private func writeWatch() throws {
    let trial = record.trials.count
    let path = files.path("model", trial, ".safetensors")
    guard FileManager.default.fileExists(atPath: path) else { return }
    let model = try DynamicsModel(path: path)
    let own = record.lastTrialEpisodes.filter { $0.failure == nil && $0.rows >= fewestRows }
    let learnt = try episodes(before: trial)
    // A record that was altered may have none.
    if learnt.isEmpty || own.isEmpty { return }
    let driven = try task.layout.episodes(
      from: own.map { folder + "/" + $0.log }, needsExcitation: false, checksValues: false)
    do {
      try WatchCalibration(
        model, episodes: learnt, safeAction: task.safeAction
      ).widened(by: driven, model, safeAction: task.safeAction)
        .write(to: files.path("watch", trial, ".safetensors"))
    } catch is FactorizationError {
      // The loop has its policy; `run` says that there is no watch.
    }
  }

  /// Exploring episodes that the plant did not break off.
  private var explored: [EpisodeRecord] {
    record.episodes.filter { $0.trial == 0 && $0.failure == nil }
  }

  private var exploredRows: Int { explored.reduce(0) { $0 + $1.rows } }

  private var wantsToExplore: Bool {
    // What limits cut short is made up for before the first trial.
    task.logs.isEmpty
      && task.wantsToExplore(
        after: explored.count, rows: exploredRows,
        ends: record.trials.isEmpty ? limitEnds.count : 0)
  }

  /// Explores once; with other draws where the episode ends too early to learn from it.
  private mutating func explore(_ tell: @escaping (LoopEvent) -> Bool) throws -> Bool {
    let index = record.episodes.count
    let path = files.path("episode", index, ".csv")
    // Those of earlier commands count too: the same draws would end the same way.
    var attempt = 0
    while FileManager.default.fileExists(
      atPath: files.path("episode", index, "-short-\(attempt + 1).csv"))
    {
      attempt += 1
    }
    let commands = try informativeCommands(index, tell)
    let before = try task.layout.episodes(
      from: explored.map { folder + "/" + $0.log }, needsExcitation: false, checksValues: false)
    guard goesOn() else { return false }
    for _ in 0...Self.explorationsAgain {
      let log = try LogWriter(path: path, layout: task.layout)
      let outcome = try task.explore(
        &plant, index: index, attempt: attempt, earlyEnds: attempt + limitEnds.count,
        after: before, seed: seed, commands: commands, log: log, goesOn: goesOn)
      log.close()
      let mayGoOn = tell(.drove(outcome))
      if outcome.isInterrupted { return false }
      if outcome.rows >= fewestRows || outcome.failure != nil {
        let entry = EpisodeRecord(
          trial: 0, log: files.name("episode", index, ".csv"), rows: outcome.rows,
          earlyEnd: outcome.earlyEnd, hasLeftLimits: outcome.hasLeftLimits,
          failure: outcome.failure.map { "\($0)" })
        try keep(entry, outcome, tell)
        return tell(.explored(record, outcome.episode))
      }
      try files.setAside("short", episode: index)
      attempt += 1
      guard mayGoOn, tell(.exploringAgain(outcome)) else { return false }
    }
    throw LoopError(
      description:
        "exploring ended \(Self.explorationsAgain + 1) times within \(fewestRows - 1) rows, too early to learn from it: "
        + "does the machine start inside the `limits:` of its states? The same command explores again; --restart begins "
        + "afresh")
  }

  private static let explorationsAgain = 3

  /// Why exploring episodes that left limits ended.
  private var limitEnds: [String] {
    explored.filter { $0.hasLeftLimits == true }.compactMap(\.earlyEnd)
  }

  /// Throws `LoopError` where limits left too little to learn from.
  private func checkExplored() throws {
    guard record.trials.isEmpty, task.logs.isEmpty,
      let obstacle = task.obstacleToLearning(exploredRows: exploredRows, ends: limitEnds)
    else { return }
    throw LoopError(description: "\(task.place) \(obstacle); then begin afresh with --restart")
  }

  /// What tells most, where the task explores so and there is an episode to begin with.
  private func informativeCommands(
    _ index: Int, _ tell: (LoopEvent) -> Bool
  ) throws -> [[Double]]? {
    guard task.exploration.kind == .informative, index > 0 else { return nil }
    guard tell(.proposing) else { return nil }
    defer { _ = tell(.proposed) }
    return try task.informativeCommands(
      index: index, after: episodes(before: 1), seed: seed, device: device, goesOn: goesOn)
  }

  /// All episodes before a trial that are learnt from and long enough, read from their files: what is learnt from is what is on the
  /// disk.
  private func episodes(before trial: Int) throws -> [Episode] {
    let logs = record.episodes
      .filter { $0.rows >= fewestRows && $0.isLearntFrom && $0.trial < trial }
      .map { folder + "/" + $0.log }
    if logs.isEmpty && task.logs.isEmpty { return [] }
    if let missing = logs.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
      throw LoopError(
        description: "\(missing) is gone; put it back, or begin afresh with --restart")
    }
    let brought = try task.layout.episodes(from: task.logs, needsExcitation: false)
    let own = try task.layout.episodes(from: logs, needsExcitation: false, checksValues: false)
    try task.layout.checkExcitation(brought + own, task.logs.map(\.name) + logs)
    return brought + own
  }

  private mutating func trial(_ tell: @escaping (LoopEvent) -> Bool) throws -> Bool {
    let trial = record.trials.count + 1
    var entry = EpisodeRecord(
      trial: trial, log: files.name("episode", record.episodes.count, ".csv"), rows: 0)
    guard tell(.fitting(trial: trial)) else { return false }
    let fit = try task.fit(try episodes(before: trial), from: try earlierModel(trial))
    entry.fitSeconds = fit.seconds
    try fit.model.write(
      to: files.path("model", trial, ".safetensors"), provenance: "\(task.name), trial \(trial)")
    guard tell(.fitted(trial: trial, fit)) else { return false }

    var task = task
    task.rewardScale = try firstScale(fit.model)
    let policy = try task.optimize(
      fit.model, from: try earlierParameters(trial), device: device,
      checkpoint: files.path("search", trial, ".safetensors"), checkpointInterval: 1
    ) { tell(.searching(trial: trial, $0)) }
    guard policy.isFinished else { return false }
    entry.optimizeSeconds = policy.seconds
    entry.predictedReturn = policy.state.bestReturn
    entry.iterations = policy.state.iteration
    try policy.best.write(
      to: files.path("policy", trial, ".safetensors"),
      description: task.description(of: policy, on: fit.model))
    guard tell(.optimized(trial: trial, policy)) else { return false }
    let data = ControlTask.SearchedData(task.policyDescription(on: fit.model))
    try task.checkSchedule(for: policy.best.policy.inputs.goal, within: data)
    return try drive(policy.best, data, entry, tell)
  }

  /// One more episode of the last trial, with its policy as it is on the disk.
  private mutating func judge(
    _ verdict: TrialVerdict, _ tell: @escaping (LoopEvent) -> Bool
  ) throws -> Bool {
    let trial = record.lastTrialEpisodes[0].trial
    let path = files.path("policy", trial, ".safetensors")
    guard FileManager.default.fileExists(atPath: path) else {
      throw LoopError(
        description:
          "\(path) is missing, but its trial is still being judged; put it back, or begin afresh with --restart"
      )
    }
    let (controller, description) = try PolicyController.read(path: path)
    let entry = EpisodeRecord(
      trial: trial, judging: verdict.episodes,
      log: files.name("episode", record.episodes.count, ".csv"), rows: 0)
    return try drive(controller, .init(description), entry, tell)
  }

  /// The deviations by which standardised rewards measure: those of the first trial's data, since each failed trial would narrow
  /// or widen the reward otherwise.
  private func firstScale(_ model: DynamicsModel) throws -> [Double] {
    let path = files.path("model", 1, ".safetensors")
    let first = FileManager.default.fileExists(atPath: path) ? try DynamicsModel(path: path) : model
    let used = first.layout.states == model.layout.states ? first : model
    return task.goalStandardiser(used)?.scale ?? used.stateStandardiser.scale
  }

  /// The last trial's model, if it is one of the task as it is now.
  private func earlierModel(_ trial: Int) throws -> DynamicsModel? {
    let path = files.path("model", trial - 1, ".safetensors")
    guard task.learning.model == .warm, FileManager.default.fileExists(atPath: path) else {
      return nil
    }
    let model = try DynamicsModel(path: path)
    return try task.mismatch(with: model) == nil ? model : nil
  }

  /// The last trial's policy, if it is of the kind that the task wants now.
  private func earlierParameters(_ trial: Int) throws -> [Double]? {
    let path = files.path("policy", trial - 1, ".safetensors")
    guard task.learning.policy != .fresh, FileManager.default.fileExists(atPath: path) else {
      return nil
    }
    let wanted = task.policyDescription
    let (controller, found) = try PolicyController.read(path: path)
    let isAlike =
      found.inputs == wanted.inputs && found.form == wanted.form
    return isAlike ? controller.parameters : nil
  }

  private mutating func drive(
    _ controller: PolicyController, _ data: ControlTask.SearchedData, _ begun: EpisodeRecord,
    _ tell: @escaping (LoopEvent) -> Bool
  ) throws -> Bool {
    var entry = begun
    // No two episodes of a loop have the same start, goal and noise.
    let index = 1 + record.episodes.count { $0.trial > 0 }
    if spread > 0 {
      plant.close(safeAction: task.safeAction)
      plant = try task.makePlant(spread: spread, seed: seed &+ UInt64(index))
    }
    let log = try LogWriter(path: folder + "/" + entry.log, layout: task.layout)
    defer { log.close() }
    let (outcome, goals) = try task.drive(
      &plant, controller, index: index, seed: seed, within: data,
      name: "trial \(entry.trial)" + (entry.judging.map { ", episode \($0 + 1)" } ?? ""), log: log,
      isLearntFrom: true, goesOn: goesOn)
    _ = tell(.drove(outcome))
    if outcome.isInterrupted { return false }
    entry.rows = outcome.rows
    entry.earlyEnd = outcome.earlyEnd
    entry.hasLeftLimits = outcome.hasLeftLimits
    entry.failure = outcome.failure.map { "\($0)" }
    if let failure = outcome.failure {
      try keep(entry, outcome, tell)
      throw failure
    }
    let evaluated = task.judge(outcome, goals: goals)
    entry.isSuccess = evaluated.isSuccess
    entry.steps = evaluated.steps.count
    entry.stepSuccesses = evaluated.steps.count { $0.isSuccess }
    entry.steadyStateErrors = evaluated.steps.map { $0.tracked[0].steadyStateError }
    entry.responseErrors = evaluated.responseErrors
    let reasons = evaluated.reasons(task)
    entry.reason =
      reasons.isEmpty ? nil : shortened(reasons.joined(separator: "; "), to: longestMessage)
    try keep(entry, outcome, tell)
    return tell(entry.judging == nil ? .tried(record, evaluated) : .judged(record, evaluated))
  }

  /// Rows from which something can be learnt.
  private var fewestRows: Int { 3 + max(1, task.layout.unknownRows) }

  /// Adds an episode to the record and throws its failure, if it had one. One that failed at once, or whose log failed, is
  /// not kept: its log is set aside when the loop goes on. A trial that ended at once without a failure is judged, and not
  /// learnt from.
  private mutating func keep(
    _ entry: EpisodeRecord, _ outcome: EpisodeRun.Outcome, _ tell: (LoopEvent) -> Bool
  ) throws {
    if let failure = outcome.failure,
      entry.rows < fewestRows || failure.cause is LogWritingError
    {
      throw failure
    }
    if record.episodes.isEmpty { try files.save(task) }
    record.add(entry, over: task.evaluation.episodes)
    try files.save(record)
    // Until now a trial that broke off could go on with its finished search.
    try? FileManager.default.removeItem(atPath: files.path("search", entry.trial, ".safetensors"))
    if let failure = outcome.failure {
      _ = tell(.failed(record))
      throw failure
    }
  }
}
