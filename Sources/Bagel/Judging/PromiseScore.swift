// SPDX-License-Identifier: Apache-2.0
// How a promise was kept: in the episodes of an evaluation, and in a run.

import GaussianProcesses
import MachineLogs
import Rollouts
import Tasks

/// How a promise was kept.
package struct PromiseScore: Hashable, Sendable {
  /// Responses to goals with no larger error, by tracked quantity, of how many.
  package var errorsInside: [Int]
  package var steps: Int
  /// Returns of episodes within theirs, of how many; 0 of 0 where none was promised.
  package var returnsInside: Int
  package var returns: Int
  /// Returns of the episodes that ran to their end, where one was promised.
  package var episodeReturns: [Double] = []
  /// Of each constraint, what the plant's episodes left, and whether the promise allows as many: they are no surprise (5 %) at the
  /// promised bound of the probability.
  package var constraints: [ConstraintScore] = []

  /// How the promise of a constraint was kept.
  package struct ConstraintScore: Hashable, Sendable {
    package var violations: Int
    package var trials: Int
    package var isKept: Bool
  }
}

/// How often rows leave constraints: in stretches as long as a rollout, which is what promises are of.
struct ConstraintTracker {
  private let task: ControlTask
  /// Stretches that left each constraint, of how many.
  private(set) var violations: [Int]
  private(set) var stretches = 0
  /// Whether the present one left each.
  private var left: [Bool]
  private var rows = 0
  /// The one before a row's.
  private var previous: [Double]

  init(_ task: ControlTask) {
    self.task = task
    left = task.constraints.map { _ in false }
    violations = left.map { _ in 0 }
    previous = task.safeAction
  }

  mutating func take(_ row: MeasuredRow) {
    guard let action = row.action else { return }
    defer { (previous, rows) = (action, rows + 1) }
    if rows % max(task.search.horizon, 1) == 0 {
      stretches += 1
      left = left.map { _ in false }
    }
    for (c, constraint) in task.constraints.enumerated() where !left[c] {
      let isKept = constraint.isKept(
        by: task.value(of: constraint, state: row.states, action: action, previous: previous))
      if isKept { continue }
      left[c] = true
      violations[c] += 1
    }
  }
}

extension ControlTask {
  /// How a promise was kept in an evaluation.
  ///
  /// - Parameters:
  ///   - promise: that was made before.
  ///   - evaluation: what the plant did.
  ///   - model: by whose standardisers the reward measures.
  /// - Throws: `LogError`.
  package func score(
    _ promise: Promise, by evaluation: Evaluation, on model: DynamicsModel
  ) throws -> PromiseScore {
    // What ended early has no error after the settling time.
    let whole = evaluation.episodes.filter { $0.earlyEnd == nil }
    let steps = whole.flatMap(\.steps)
    // One that the plant ended with success has neither kept nor broken it.
    let judged = evaluation.episodes.filter { $0.doneAs != .success || $0.earlyEnd == nil }
    var score = PromiseScore(
      errorsInside: promise.errors.indices.map { t in
        steps.count { $0.tracked[t].steadyStateError <= promise.errors[t] }
      },
      steps: promise.errors.isEmpty ? 0 : judged.reduce(0) { $0 + $1.steps.count },
      returnsInside: 0, returns: 0)
    score.constraints = zip(promise.constraints, violations(in: evaluation)).map {
      $0.score(violations: $1.violations, of: $1.trials)
    }
    guard let range = promise.episodeReturn else { return score }
    score.returns = judged.count
    score.episodeReturns = try returns(of: whole, on: model)
    score.returnsInside = score.episodeReturns.count(where: range.contains)
    return score
  }

  /// Returns of episodes by the goal that each begins with.
  private func returns(
    of episodes: [EvaluatedEpisode], on model: DynamicsModel
  ) throws -> [Double] {
    let rewards = EpisodeReturn(
      try makeReward(model), on: model, goalForm: goalForm, goals: goalStandardiser(model))
    return episodes.map { episode in
      rewards.value(
        episode.episode, goal: episode.reference[0].goal, steps: search.horizon, rest: safeAction)
    }
  }

  /// Mean return of the episodes that ran to their end; nil where their goals change, or none did.
  ///
  /// - Parameters:
  ///   - evaluation: what the plant did.
  ///   - model: by whose standardisers the reward measures.
  /// - Throws: `LogError`.
  package func meanReturn(of evaluation: Evaluation, on model: DynamicsModel) throws -> Double? {
    let whole = evaluation.episodes.filter { $0.earlyEnd == nil }
    guard !objective.rewards.isEmpty, !whole.isEmpty,
      evaluation.episodes.allSatisfy({ $0.reference.count == 1 })
    else { return nil }
    return try returns(of: whole, on: model).reduce(0, +) / Double(whole.count)
  }

  /// How a promise was kept in a run: errors of the goals that were held long enough, and constraints in stretches as long as a rollout.
  /// No return: a run is no episode. nil where somebody else drove, of whom nothing was promised.
  package func score(_ promise: Promise, by run: RealTimeRun) -> PromiseScore? {
    guard run.outcome.overridden == 0, run.fallbackStep == nil else { return nil }
    let held = run.goals.filter { goal in
      goal.tracked.allSatisfy { $0.settledRows >= Self.settledRows }
    }
    var score = PromiseScore(
      errorsInside: promise.errors.indices.map { t in
        held.count { $0.tracked[t].settledError ?? .infinity <= promise.errors[t] }
      },
      steps: promise.errors.isEmpty ? 0 : held.count, returnsInside: 0, returns: 0)
    score.constraints = zip(promise.constraints, run.constraintViolations).map {
      $0.score(violations: $1, of: run.stretches)
    }
    return score
  }
}
