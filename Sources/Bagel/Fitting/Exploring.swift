// SPDX-License-Identifier: Apache-2.0
// Episodes that explore the task's plant, to learn from if there are no logs.

import Draws
import Execution
import Foundation
import MachineLogs
import Plants
import Tasks

extension ControlTask {
  /// Episodes to learn from: the task's logs, or the exploration of its plant.
  ///
  /// - Parameters:
  ///   - seed: of the exploration and the plant's noise.
  ///   - logFolder: where what the plant did is written, line by line.
  ///   - goesOn: asked at every step on the plant; false ends the episode with the safe action, and begins no other.
  ///   - tell: called for every episode on the plant as it ends.
  /// - Throws: `LogError`, `LogWritingError`, `EpisodeFailure`.
  package func trainingEpisodes(
    seed: UInt64 = 0, logFolder: String? = nil, goesOn: @escaping () -> Bool = { true },
    tell: (EpisodeRun.Outcome) -> Void = { _ in }
  ) throws -> [Episode] {
    if !logs.isEmpty { return try layout.episodes(from: logs) }
    guard plant != nil else {
      throw LogError(file: place, "has no logs and no plant to learn from; add `logs:` or `plant:`")
    }
    let session = try PlantSession(self)
    defer { session.close() }
    var episodes: [Episode] = []
    var ends: [String] = []
    var isInterrupted = false
    var index = 0
    while wantsToExplore(after: index, rows: episodes.rows, ends: ends.count) {
      guard goesOn() else { break }
      defer { index += 1 }
      let log = try logFolder.map {
        session.isMachine
          ? try LogWriter(episode: "exploration-\(index + 1)", in: $0, layout)
          : try LogWriter(simulation: index + 1, in: $0, layout)
      }
      defer { log?.close() }
      let commands = try informativeCommands(
        index: index, after: episodes, seed: seed, goesOn: goesOn)
      guard goesOn() else { break }
      let outcome = try session.explore(
        index: index, earlyEnds: ends.count, after: episodes, seed: seed,
        commands: commands, log: log, goesOn: goesOn)
      tell(outcome)
      isInterrupted = isInterrupted || outcome.isInterrupted
      if outcome.hasLeftLimits, let end = outcome.earlyEnd { ends.append(end) }
      if let failure = outcome.failure { throw failure }
      if let log, session.isMachine, !outcome.isInterrupted {
        // With the holes that its stamps show.
        log.close()
        // Too short to be read: there are others, or the limit is named.
        if outcome.hasLeftLimits, outcome.rows < 3 + layout.unknownRows { continue }
        episodes += try layout.episodes(
          from: [log.path], needsExcitation: false, checksValues: false)
      } else {
        // As it would be read from the log.
        episodes.append(outcome.episode.dropFirst(layout.unknownRows))
      }
    }
    if !isInterrupted, let obstacle = obstacleToLearning(exploredRows: episodes.rows, ends: ends) {
      throw LogError(file: place, obstacle)
    }
    return episodes
  }

  /// Rows from which on exploring that left limits is no failure.
  private static let fewestExplored = 100

  /// Further episodes, at most, where limits ended the task's own.
  private static let explorationsAgain = 5

  private var rowsToExplore: Int {
    exploration.episodes * Int((exploration.seconds / layout.timeStep).rounded())
  }

  /// Whether there is more to explore: the task's episodes, and further ones where limits left too few rows of them.
  ///
  /// - Parameters:
  ///   - done: episodes so far.
  ///   - rows: of them together.
  ///   - ends: how many of them left limits.
  func wantsToExplore(after done: Int, rows: Int, ends: Int) -> Bool {
    if done < exploration.episodes { return true }
    return ends > 0 && rows < min(Self.fewestExplored, rowsToExplore)
      && done < exploration.episodes + Self.explorationsAgain
  }

  /// Why limits left too little of an exploration to learn from, in words; nil where they did not.
  ///
  /// - Parameters:
  ///   - rows: of its episodes together.
  ///   - ends: why those that left limits ended.
  func obstacleToLearning(exploredRows rows: Int, ends: [String]) -> String? {
    guard rows < min(Self.fewestExplored, rowsToExplore), let last = ends.last else { return nil }
    return
      "explored \(rows) of \(rowsToExplore) rows, too few to learn from: in \(counted(ends.count, "episode")) "
      + "\(last). Widen that limit, start further inside it, or lower `explore: {amplitude: "
      + "\(number(exploration.amplitude))}`"
  }

  /// Where exploring a simulated plant begins [S]: where trials do, or nil for where it happens to stand.
  fileprivate func explorationStart(seed: UInt64) -> [Double]? {
    guard hasStart, exploration.kind != .manual else { return nil }
    switch objective.start {
    case .bounds, .logged: return nil
    case .fixed, .uniform, .normal, .rows, .reached, .cells: break
    }
    let key = DrawKey(seed: seed, stream: .explorationStart)
    return objective.start.draw(particle: 0, key: key, for: .initialStates)
  }

  /// The part of the variance that is left after commands that are worth driving.
  private static let worthDriving = 0.95

  /// The commands of an informative episode (`explore: {kind: informative}`): those that tell most, by a model of the episodes so far and
  /// a policy that is found on it.
  ///
  /// - Parameters:
  ///   - index: of the episode; the first is random.
  ///   - episodes: so far.
  ///   - seed: of the search and of what is tried.
  ///   - device: where rollouts run.
  ///   - goesOn: asked while it computes; false ends it.
  /// - Returns: nil for the first episode, other kinds, where nothing tells much, and where `goesOn` ended it.
  /// - Throws: as `fit`, `optimize` and `proposeCommands`.
  package func informativeCommands(
    index: Int, after episodes: [Episode], seed: UInt64, device: ExecutionDevice? = nil,
    goesOn: () -> Bool
  ) throws -> [[Double]]? {
    guard exploration.kind == .informative, index > 0, !episodes.isEmpty else { return nil }
    let model = try fit(episodes).model
    let policy = try optimize(model, device: device) { _ in goesOn() }
    guard policy.isFinished else { return nil }
    let proposal = try proposeCommands(
      for: policy.best, on: model, seconds: exploration.seconds, seed: seed &+ UInt64(index),
      device: device, judges: false
    ) { _ in goesOn() }
    // A model that knows next to nothing leaves little but rest; noise tells more.
    guard let proposal, proposal.remainingVariance < Self.worthDriving else { return nil }
    return proposal.commands
  }
}

extension PlantSession {
  /// One exploring episode on the plant.
  ///
  /// - Parameters:
  ///   - index: of the episode; with the seed and the attempt it determines start, actions and noise.
  ///   - attempt: 0, or how often this episode was too short to learn from.
  ///   - seed: see `index`.
  ///   - earlyEnds: exploring episodes that left limits so far: each leaves less of the actions' range.
  ///   - episodes: that were explored before; they tell how limited quantities follow commands.
  ///   - commands: to play back [T][A]; nil for those of the task's kind of exploration.
  ///   - log: where rows are written as they come.
  ///   - goesOn: asked at every step; false ends the episode with the safe action.
  /// - Throws: `PlantFailure`.
  package func explore(
    index: Int, attempt: Int = 0, earlyEnds: Int = 0,
    after episodes: [Episode] = [], seed: UInt64, commands: [[Double]]? = nil, log: LogWriter?,
    goesOn: @escaping () -> Bool = { true }
  ) throws -> EpisodeRun.Outcome {
    let seed =
      seed &+ 0x5851_F42D_4C95_7F2D &* UInt64(index) &+ 0x2545_F491_4F6C_DD1D &* UInt64(attempt)
    var options = task.exploration
    let part = pow(Self.keptAmplitude, Double(earlyEnds))
    options.amplitude *= part
    var explorer = Explorer(
      options, limits: task.actionLimits, rest: task.safeAction, timeStep: task.layout.timeStep,
      seed: seed)
    var run = task.episodeRun(seconds: options.seconds)
    var explorationGuard = ExplorationGuard(
      run.limits, actions: task.actionLimits, rest: task.safeAction,
      timeStep: task.layout.timeStep,
      part: part)
    for episode in episodes { explorationGuard.learn(from: episode) }
    explorationGuard.begin()
    run.log = log
    run.needsReward = true
    run.goesOn = goesOn
    run.sent = { explorationGuard.sent($0) }
    let (stateCount, rest) = (task.layout.states.count, task.safeAction)
    var outcome = try self.run(
      run, from: isMachine ? nil : task.explorationStart(seed: seed), seed: seed,
      name: "exploration \(index + 1)"
    ) { step, observed in
      let states = Array(observed.prefix(stateCount))
      let wanted =
        commands.map { commands in
          zip(commands[min(step, commands.count - 1)], rest).map { $1 + part * ($0 - $1) }
        } ?? explorer.action(step: step, states: states)
      return explorationGuard.kept(wanted, states: states)
    }
    if explorationGuard.correctedRows > 0 {
      outcome.remarks.append(
        "exploring commands were corrected in \(explorationGuard.correctedRows) of \(counted(outcome.rows, "row")), to stay inside the "
          + "limits of \(explorationGuard.names.map { "'\($0)'" }.joined(separator: ", "))")
    }
    return outcome
  }

  /// What is left of the actions' range after an exploring episode that ended early.
  private static let keptAmplitude = 0.7
}

extension [Episode] {
  /// Together.
  fileprivate var rows: Int { reduce(0) { $0 + $1.count } }
}
