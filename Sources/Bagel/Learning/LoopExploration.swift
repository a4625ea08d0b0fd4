// SPDX-License-Identifier: Apache-2.0
// A loop's first data (paper, Algorithm 1, lines 1 to 3): exploring episodes on the plant, where the task has no logs.

import Faults
import Foundation
import MachineLogs
import Plants
import Tasks

extension InteractionLoop {
  /// Exploring episodes that the plant did not break off.
  private var explored: [EpisodeRecord] {
    record.episodes.filter { $0.trial == 0 && $0.failure == nil }
  }

  private var exploredRows: Int { explored.reduce(0) { $0 + $1.rows } }

  /// Why exploring episodes that left limits ended.
  private var limitEnds: [String] {
    explored.filter { $0.hasLeftLimits == true }.compactMap(\.earlyEnd)
  }

  var wantsToExplore: Bool {
    // What limits cut short is made up for before the first trial.
    task.logs.isEmpty
      && task.wantsToExplore(
        after: explored.count, rows: exploredRows,
        ends: record.trials.isEmpty ? limitEnds.count : 0)
  }

  /// Throws `LoopError` where limits left too little to learn from.
  func checkExplored() throws {
    guard record.trials.isEmpty, task.logs.isEmpty,
      let obstacle = task.obstacleToLearning(exploredRows: exploredRows, ends: limitEnds)
    else { return }
    throw LoopError("\(task.place) \(obstacle), then start from the beginning", remedy: .afresh)
  }

  /// Further attempts at an exploring episode that was too short.
  private static let attemptsAgain = 3

  /// One exploring episode; with other draws where it ends too early to learn from it.
  mutating func explore() throws {
    let index = record.episodes.count
    let path = files.path("episode", index, ".csv")
    // Those of earlier commands count too: the same draws would end the same way.
    var attempt = 0
    while FileManager.default.fileExists(
      atPath: files.path("episode", index, "-short-\(attempt + 1).csv"))
    {
      attempt += 1
    }
    let commands = try informativeCommands(index)
    let before = try task.layout.episodes(
      from: explored.map { folder + "/" + $0.log }, needsExcitation: false, checksValues: false)
    guard goesOn() else { throw LoopInterruption() }
    for _ in 0...Self.attemptsAgain {
      let log = try LogWriter(path: path, layout: task.layout)
      let outcome = try session.explore(
        index: index, attempt: attempt, earlyEnds: attempt + limitEnds.count, after: before,
        seed: seed, commands: commands, log: log, goesOn: goesOn)
      log.close()
      let mayGoOn = tell(.drove(outcome))
      if outcome.isInterrupted { throw LoopInterruption() }
      if outcome.rows >= fewestRows || outcome.failure != nil {
        let entry = EpisodeRecord(
          trial: 0, log: files.name("episode", index, ".csv"), rows: outcome.rows,
          earlyEnd: outcome.earlyEnd, hasLeftLimits: outcome.hasLeftLimits,
          failure: outcome.failure.map { "\($0)" })
        try keep(entry, outcome)
        return try say(.explored(record, outcome.episode))
      }
      try files.setAside("short", episode: index)
      attempt += 1
      guard mayGoOn else { throw LoopInterruption() }
      try say(.exploringAgain(outcome))
    }
    throw LoopError(
      "exploring ended \(Self.attemptsAgain + 1) times within \(fewestRows - 1) rows, too early to learn from it; "
        + "the machine must start inside the `limits:` of its states",
      remedy: .either([.text("explore again with the same command"), .afresh]))
  }

  /// What tells most, where the task explores so and there is an episode to begin with.
  private func informativeCommands(_ index: Int) throws -> [[Double]]? {
    guard task.exploration.kind == .informative, index > 0, tell(.proposing) else { return nil }
    defer { _ = tell(.proposed) }
    return try task.informativeCommands(
      index: index,
      after: files.episodes(of: record, before: 1, of: task, fewestRows: fewestRows), seed: seed,
      device: device, goesOn: goesOn)
  }
}
