// SPDX-License-Identifier: Apache-2.0
// One episode of a controller on a plant: measures, derives the states that the task wants, limits the actions at the
// last moment, logs as it goes, ends early where a limit is passed or the plant says so, and leaves the safe action.

import MachineLogs

/// What an episode on a plant needs besides controller and plant.
public struct EpisodeRun {
  /// The states the controller wants, and how they are derived from what is measured.
  public var layout: LogLayout
  public var actionLimits: [ClosedRange<Double>]
  /// Largest change of each action a step, or nil; empty for none [A].
  public var largestChange: [Double?] = []
  /// Taken as sent before the first action, and sent last, whatever happens on the plant [A]; where the log cannot be
  /// written, by whoever closes the plant.
  public var safeAction: [Double]
  /// Steps, at most.
  public var steps: Int
  /// States outside these end the episode [S]; nil for none.
  public var stateLimits: [ClosedRange<Double>?]
  /// Written line by line.
  public var log: LogWriter?
  /// Whether a plant that answers no reward fails, where the layout has a reward column: wanted of what is learnt from.
  public var needsReward = false
  /// Waits for the time of every step's action; not before a safe one that follows a passed limit.
  public var pace: () -> Void = {}
  /// Asked before every action and while the plant is silent; false ends the episode (Ctrl-C).
  public var goesOn: () -> Bool = { true }

  public init(
    layout: LogLayout, actionLimits: [ClosedRange<Double>], safeAction: [Double], steps: Int,
    stateLimits: [ClosedRange<Double>?] = []
  ) {
    self.layout = layout
    self.actionLimits = actionLimits
    self.steps = steps
    self.safeAction = safeAction
    self.stateLimits = stateLimits
  }

  /// What a plant did.
  public struct Outcome {
    /// Rows so far; the last one has the safe action.
    public var episode: Episode
    /// Why it ended before its last step, in words.
    public var earlyEnd: String?
    /// Whether `goesOn` ended it.
    public var isInterrupted = false
    /// What failed, after rows that are worth keeping.
    public var failure: (any Error)?
  }

  /// Drives the plant.
  ///
  /// - Parameters:
  ///   - plant: the machine; it is reset first.
  ///   - state: where a simulated plant starts [S]; nil where the plant decides.
  ///   - seed: of the plant's noise.
  ///   - name: of the episode.
  ///   - controller: (step, states [S]) -> action [A].
  /// - Returns: the rows so far and, where the plant failed, why. Throws: `LogError` of the log.
  public func run(
    _ plant: inout any Plant, from state: [Double]? = nil, seed: UInt64, name: String,
    controller: (_ step: Int, _ states: [Double]) throws -> [Double]
  ) throws -> Outcome {
    var rows = EpisodeRows(
      columns: try plant.columns(for: layout), layout: layout, needsReward: needsReward,
      plant: plant.name, log: log,
      episode: Episode(name: name, timeStep: layout.timeStep, states: [], actions: []))
    var outcome = Outcome(episode: rows.episode)
    plant.keepAsking(goesOn)
    guard goesOn() else {
      outcome.isInterrupted = true
      return outcome
    }
    do {
      let first = try plant.reset(to: state, seed: seed)
      try drive(&plant, from: first, &rows, &outcome, controller)
    } catch is PlantInterruption {
      outcome.isInterrupted = true
      plant.close(safeAction: safeAction)
    } catch let error where !(error is LogError) {
      outcome.failure = error
      plant.close(safeAction: safeAction)
    }
    if outcome.isInterrupted {
      let count = rows.episode.count
      outcome.earlyEnd = "interrupted after \(count) row\(count == 1 ? "" : "s")"
    }
    outcome.episode = rows.episode
    return outcome
  }

  /// From the first measurement to the safe action.
  private func drive(
    _ plant: inout any Plant, from first: Measurement, _ rows: inout EpisodeRows,
    _ outcome: inout Outcome, _ controller: (_ step: Int, _ states: [Double]) throws -> [Double]
  ) throws {
    var signals = CausalSignals(layout)
    var measured = first
    var step = 0
    while true {
      guard measured.states.allSatisfy(\.isFinite) else {
        throw PlantFailure(plant: plant.name, "it measured \(measured.states) at step \(step)")
      }
      let states = signals.next(rows.columns.map { measured.states[$0] })
      outcome.earlyEnd = earlyEnd(measured, states, step)
      let isLast = step == steps || outcome.earlyEnd != nil
      if outcome.earlyEnd == nil {
        pace()
        outcome.isInterrupted = !isLast && !goesOn()
      }
      guard !isLast, !outcome.isInterrupted else {
        try rows.keep(step, measured, states, safeAction)
        // A plant that is done may have ended; the next episode starts it again.
        if measured.isDone {
          plant.close(safeAction: safeAction)
        } else {
          _ = try plant.step(safeAction)
        }
        return
      }
      let action = try limited(
        controller(step, states), after: rows.episode.actions.last ?? safeAction)
      // Logged before it acts: whatever happens next, it is known what was sent.
      try rows.keep(step, measured, states, action)
      measured = try plant.step(action)
      step += 1
    }
  }

  private func limited(_ action: [Double], after last: [Double]) throws -> [Double] {
    guard action.allSatisfy(\.isFinite) else {
      throw ControllerFailure(action: action)
    }
    return action.indices.map { j in
      let within = min(max(action[j], actionLimits[j].lowerBound), actionLimits[j].upperBound)
      guard j < largestChange.count, let change = largestChange[j] else { return within }
      return min(max(within, last[j] - change), last[j] + change)
    }
  }

  private func earlyEnd(_ measured: Measurement, _ states: [Double], _ step: Int) -> String? {
    for (i, limit) in stateLimits.enumerated() {
      guard let limit, !limit.contains(states[i]) else { continue }
      return "'\(layout.states[i].name)' left its limits at step \(step): \(states[i])"
    }
    return measured.isDone && step < steps ? "the plant was done at step \(step)" : nil
  }
}

/// A controller that commands what no actuator can do.
public struct ControllerFailure: Error, CustomStringConvertible {
  let action: [Double]
  public var description: String { "the controller's action is \(action)" }
}

extension Plant {
  /// Which of its states are the layout's measured columns: by name, or in order where there are as many.
  ///
  /// Throws: `PlantFailure`.
  public func columns(for layout: LogLayout) throws -> [Int] {
    let wanted = layout.measuredColumns
    let found = wanted.map { name in states.firstIndex { $0.name == name } }
    if found.allSatisfy({ $0 != nil }) { return found.compactMap { $0 } }
    guard wanted.count == states.count else {
      throw PlantFailure(
        plant: name,
        "it measures \(states.map(\.name).joined(separator: ", ")); the task wants "
          + wanted.joined(separator: ", "))
    }
    return Array(states.indices)
  }
}

/// The rows of an episode as they come, in memory and in its log.
private struct EpisodeRows {
  /// Where a measurement's columns stand in what the plant measures.
  let columns: [Int]
  let layout: LogLayout
  let needsReward: Bool
  let plant: String
  let log: LogWriter?
  var episode: Episode

  /// Keeps a row with the action that follows it.
  mutating func keep(
    _ step: Int, _ measured: Measurement, _ states: [Double], _ action: [Double]
  ) throws {
    if let column = layout.rewardColumn {
      // The first measurement follows no action, and may have no reward.
      guard let reward = measured.reward ?? (step > 0 && needsReward ? nil : .nan) else {
        throw PlantFailure(
          plant: plant,
          "it answers no \"reward\", and the task learns its reward from '\(column)'")
      }
      episode.rewards.append(reward)
    }
    episode.states.append(states)
    episode.actions.append(action)
    try log?.append(
      time: Double(step) * layout.timeStep, measured: columns.map { measured.states[$0] },
      action: action, reward: measured.reward)
  }
}
