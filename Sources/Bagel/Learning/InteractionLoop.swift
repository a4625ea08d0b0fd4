// SPDX-License-Identifier: Apache-2.0
// The whole of Algorithm 1 (paper, lines 1 to 21): explore, then repeat: fit, search, run on the plant, add the data. A trial that
// succeeds is judged over further episodes (`TrialVerdict`). Every stage leaves a file, and every stage is a function of the
// files before it and the seed: a loop that was killed continues with the same bits. (LoopExploration and LoopTrial have the stages,
// LoopFolder names the files, LoopHistory reads them.)

import Execution
import Foundation
import MachineLogs
import Plants
import Tasks

/// The interaction loop of a task on its plant.
public struct InteractionLoop {
  package let task: ControlTask
  package var folder: String { files.path }
  package let seed: UInt64
  package let device: ExecutionDevice?
  /// Spread of the plant's parameters at trials about those that exploration met.
  package let spread: Double
  package internal(set) var record: LoopRecord
  let files: LoopFolder
  let session: PlantSession
  var goesOn: () -> Bool = { true }
  var tell: (LoopEvent) -> Bool = { _ in true }

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
  package init(
    task: ControlTask, folder: String, seed: UInt64, device: ExecutionDevice? = nil,
    spread: Double = 0, mayDiffer: Bool = false
  ) throws {
    (self.task, self.seed) = (task, seed)
    (self.device, self.spread) = (device, spread)
    // Exploration meets the plant as it is; that it can be varied is said before anything moves.
    if spread > 0 { _ = try task.makePlant(spread: spread, seed: seed) }
    session = try PlantSession(task)
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
  package static func check(_ task: ControlTask, seed: UInt64, spread: Double) throws {
    if spread > 0 { _ = try task.makePlant(spread: spread, seed: seed) }
    if let obstacle = try PlantSession(task).obstacle {
      throw LogError(file: task.place, "has a plant that cannot start: \(obstacle)")
    }
    if !task.logs.isEmpty { _ = try task.layout.episodes(from: task.logs) }
  }

  /// Renames the folder of an earlier loop, if there is one, so that another begins afresh.
  ///
  /// Throws: `LoopError` where another process is in it, `OutputError` where it cannot be renamed.
  package static func moveAway(_ folder: String) throws { try LoopFolder(path: folder).moveAway() }

  /// Runs until success, budget or interruption.
  ///
  /// - Parameters:
  ///   - goesOn: asked at every step on the plant; false ends the episode with the safe action. An episode that is ended
  ///     so is not part of the loop: its log is set aside when the loop goes on.
  ///   - tell: called for every stage; false interrupts.
  /// - Returns: whether it is finished. Throws: what fit, search and plant throw; the record stays.
  package mutating func run(
    goesOn: @escaping () -> Bool = { true }, _ tell: @escaping (LoopEvent) -> Bool
  ) throws -> Bool {
    let lock = try FolderLock(folder)
    defer { withExtendedLifetime(lock) {} }
    (self.goesOn, self.tell) = (goesOn, tell)
    try begin()
    defer { session.close() }
    do {
      // Lines 1 to 3: the first data.
      while wantsToExplore { try explore() }
      try checkExplored()
      while !isFinished {
        if let verdict = openVerdict {
          // A trial that succeeded once: does it again?
          try judge(verdict)
        } else {
          // Lines 4 to 21: learn from all data, search a policy on the model, run it on the plant, add what it did.
          let trial = record.trials.count + 1
          let model = try fit(trial)
          let policy = try search(trial, on: model)
          try drive(policy, trial)
        }
      }
    } catch is LoopInterruption {
      return false
    }
    try writeWatch()
    return true
  }

  /// Takes the folder as its own: nobody has gone on in it meanwhile, its task is this one, and what was interrupted is set aside.
  private func begin() throws {
    guard try (files.record()?.episodes ?? []) == record.episodes else {
      throw LoopError(
        "another bagel process has continued in \(folder) meanwhile; run the same command again, it continues from there"
      )
    }
    // First what was judged by the task before, then that it is this one now; a loop without an episode leaves neither.
    if !record.episodes.isEmpty {
      try files.save(record)
      try files.save(task)
    }
    try files.setAside("interrupted", episode: record.episodes.count)
  }

  package var isFinished: Bool {
    if openVerdict != nil { return false }
    // A trial that the plant broke off does not count against the budget.
    let trials = record.judgedTrials.filter { $0.failure == nil }
    return trials.count >= task.learning.trials
      || task.learning.untilSolved && trials.last?.isSolved == true
  }

  /// The verdict on the last trial, where further episodes are to judge it.
  package var openVerdict: TrialVerdict? {
    record.verdict(over: task.evaluation.episodes).flatMap { $0.isOpen ? $0 : nil }
  }

  /// Tells of a stage. Throws: `LoopInterruption` where the loop is to end.
  func say(_ event: LoopEvent) throws {
    guard tell(event) else { throw LoopInterruption() }
  }

  /// Rows from which something can be learnt.
  var fewestRows: Int { 3 + max(1, task.layout.unknownRows) }

  /// Adds an episode to the record and throws its failure, if it had one. One that failed at once, or whose log failed, is
  /// not kept: its log is set aside when the loop goes on. A trial that ended at once without a failure is judged, and not
  /// learnt from.
  mutating func keep(_ entry: EpisodeRecord, _ outcome: EpisodeRun.Outcome) throws {
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

/// The loop was told to end, or its episode was.
struct LoopInterruption: Error {}
