// SPDX-License-Identifier: Apache-2.0
// What a policy will do on the plant, predicted before it drives and scored afterwards. In: a policy, and the model that it was found on.
// Out: with 90 % confidence, an upper bound of each tracked error, and an interval of the return.
//
// The policy drives rollouts of two models that have half of the rows each (`DynamicsModel.halves`), with functions of the posterior,
// process noise, other starts and goals, sensors with noise, and a mean and answers to commands that are off by as much as halves are on
// rows that they have not seen (`UnseenErrors`); every rollout is judged as an episode on the plant is. The intervals contain 90 % of them; a
// bound of errors is no smaller than what the plant has shown of the policy before. How much less the policy earns there than on its own model is what the search exploited.

import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import PolicySearch
import Rollouts
import Samplers
import Tasks

/// What is promised of a policy.
package struct Promise: Sendable {
  /// The most that the mean |state - goal| after the settling time will be, in the order of `EvaluationOptions.tracked`; empty where
  /// episodes are judged by something else, or rollouts are too short. (An interval of two sides promises too little noise of sensors as
  /// well: nearly all that fell out of it on the boom was better than its lower end.)
  package var errors: [Double]
  /// Responses on the plant that they allow for beside what the models say.
  package var seenResponses = 0
  /// The interval of the return of one goal; nil where an episode has several, or is shorter than a rollout.
  package var episodeReturn: ClosedRange<Double>?
  /// Mean return on the halves, and on the model that the policy was found on.
  package var meanReturn: Double
  package var searchedReturn: Double
  package var rollouts: Int
  /// What of the halves' rollouts leaves each constraint.
  package var constraints: [ConstraintFigures]

  /// How much of the search's return is not there on models of other rows.
  package var exploited: Double { searchedReturn - meanReturn }
}

extension ControlTask {
  /// Rollouts at one offset of the mean, and offsets on each half.
  private static let promisedRollouts = 25
  private static let promisedOffsets = 20
  /// Of rollouts that an interval leaves out on either side; a bound leaves out both.
  private static let tail = 0.05
  /// Fewer transitions leave halves that tell nothing.
  private static let fewestRows = 60
  /// Rows after the settling time that make a mean error.
  static let settledRows = 10

  /// Why nothing can be promised of policies on a model, in words; nil where it can.
  package func obstacleToPromise(_ model: DynamicsModel) -> String? {
    model.features.rows < Self.fewestRows
      ? "the model was learnt from \(model.features.rows) transitions, too few to promise anything from halves of them"
      : nil
  }

  /// What a policy will do.
  ///
  /// - Parameters:
  ///   - controller: the policy.
  ///   - model: on which it was found.
  ///   - seen: errors of its responses on the plant so far [responses][tracked]: no bound is smaller than the value below which nine in
  ///     ten of as many responses lie (of nine and more a conformal bound), or than the largest of fewer.
  ///   - device: where rollouts run.
  /// - Returns: nil where nothing can be promised. Throws: `FactorizationError`, `UnsuitableSampler`, `ExecutionError`, `LogError`.
  package func promise(
    of controller: PolicyController, on model: DynamicsModel, seen: [[Double]] = [],
    device: ExecutionDevice? = nil
  ) throws -> Promise? {
    guard obstacleToPromise(model) == nil else { return nil }
    let reward = try makeReward(model)
    let key = DrawKey(seed: search.seed, stream: .promisedSensors)
    let none = model.form.outputStates.map { _ in 0.0 }
    let parts = try model.halves()
    let commandErrors = UnseenErrors(parts, of: model).ofCommands
    let halves = try parts.enumerated().map { index, half in
      let offsets = (0..<Self.promisedOffsets).map { k in
        zip(half.offDeviations, key.normals(particle: index, step: k, count: none.count)).map(*)
      }
      return try drive(
        controller, half.model, offsets, commandErrors, reward, device,
        from: Self.firstPromised + UInt32(index * Self.promisedOffsets))
    }
    let own = try drive(
      controller, model, Array(repeating: none, count: Self.promisedOffsets), [], reward, device,
      from: Self.firstPromised)
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    // What is no number foretells nothing.
    let returns = halves.flatMap(\.returns).filter(\.isFinite)
    let errors = halves.flatMap(\.errors).filter { $0.allSatisfy(\.isFinite) }
    guard 2 * returns.count > halves.reduce(0, { $0 + $1.returns.count }) else { return nil }
    let hasOneGoal = evaluation.schedule.isEmpty && evaluation.goalInterval == nil
    let isWhole = evaluation.seconds >= Double(search.horizon) * layout.timeStep - 1e-9
    return Promise(
      errors: evaluation.tracked.indices.compactMap { t in
        errors.isEmpty
          ? nil
          : max(
            Self.quantile(1 - 2 * Self.tail, errors.map { $0[t] }), Self.bound(t, of: seen))
      },
      seenResponses: seen.count,
      episodeReturn: hasOneGoal && isWhole ? Self.interval(returns) : nil,
      meanReturn: mean(returns), searchedReturn: mean(own.returns.filter(\.isFinite)),
      rollouts: returns.count,
      constraints: constraints.indices.map { c in
        ConstraintFigures(
          constraint: constraints[c], violations: halves.reduce(0) { $0 + $1.violations[c] },
          trials: halves.reduce(0) { $0 + $1.returns.count })
      })
  }

  private static func quantile(_ fraction: Double, _ values: [Double]) -> Double {
    values.sorted()[Int(fraction * Double(values.count - 1))]
  }

  /// The conformal bound of the next value of a tracked quantity: of n values that of rank 0.9 (n + 1), rounded up, or the largest.
  private static func bound(_ t: Int, of seen: [[Double]]) -> Double {
    let values = seen.compactMap { $0.indices.contains(t) ? $0[t] : nil }.filter(\.isFinite)
      .sorted()
    let rank = Int(((1 - 2 * tail) * Double(values.count + 1)).rounded(.up))
    return values.isEmpty ? 0 : values[min(rank, values.count) - 1]
  }

  private static func interval(_ values: [Double]) -> ClosedRange<Double> {
    quantile(tail, values)...quantile(1 - tail, values)
  }

  /// Returns [B], mean errors after the settling time [B][tracked], and how many leave each constraint, of rollouts on a model, some at each
  /// offset of its mean [M], whose answers to commands are off by errors [M][A].
  private func drive(
    _ controller: PolicyController, _ model: DynamicsModel, _ offsets: [[Double]],
    _ commandErrors: [[Double]], _ reward: Reward, _ device: ExecutionDevice?,
    from first: UInt32
  ) throws -> (returns: [Double], errors: [[Double]], violations: [Int]) {
    let sampler = try judgingSampler(of: model, device)
    let loop = try PolicyLoop(
      self, controller, on: model, sampler, reward, commandErrors: commandErrors,
      particles: Self.promisedRollouts, device)
    let rewards = EpisodeReturn(
      reward, on: model, goalForm: goalForm, goals: goalStandardiser(model))
    // A promise of errors counts with the most noise that the log allows, or with what the task says.
    let most = model.sensorDeviations(countsAll: true)
    let noise = most.indices.map { i in
      i < states.count && states[i].noise > 0 ? states[i].noise : most[i]
    }
    var (returns, errors) = ([Double](), [[Double]]())
    var violations = constraints.map { _ in 0 }
    for (index, offset) in offsets.enumerated() {
      let (name, values) = StepExpressions.offset(of: model, offBy: offset)
      try loop.executor.rebind(name, values)
      let batch = loop.batch(iteration: first + UInt32(index))
      let trajectories = try loop.executor.trajectories(batch)
      let measured = trajectories.measured(
        model, noise: noise,
        key: DrawKey(seed: search.seed, stream: .promisedSensors),
        from: index * Self.promisedRollouts)
      let goals = goals(of: batch, model)
      // What the noise of the sensors makes of a return, as the plant's is measured with it; of one particle of each batch.
      let noisy = rewards.value(
        measured[0], goal: goals[0], steps: trajectories.horizon, rest: safeAction)
      let shift = noisy - trajectories.returns.returns[0]
      returns += trajectories.returns.returns.map { $0 + shift }
      for c in violations.indices { violations[c] += trajectories.returns.violations(c) }
      errors += errorsAfterSettling(measured, goals)
    }
    return (returns, errors, violations)
  }

  /// Batches that no search draws.
  private static let firstPromised = UInt32(5) << 29

  /// Goals [B][G] of a batch, physical units.
  private func goals(of batch: RolloutBatch, _ model: DynamicsModel) -> [[Double]] {
    let standardiser =
      goalStandardiser(model).map { Standardiser(mean: $0.mean, scale: $0.scale) }
      ?? model.stateStandardiser
    let length = goalForm.length
    return (0..<batch.particles).map { b in
      standardiser.restore(Array(batch.goals[b * length..<(b + 1) * length]))
    }
  }

  /// Of each rollout, of each tracked quantity; empty where rollouts are too short for it, or something else judges.
  private func errorsAfterSettling(_ rollouts: [Episode], _ goals: [[Double]]) -> [[Double]] {
    let settled = Int((evaluation.settle / layout.timeStep).rounded())
    guard objective.hasGoal, evaluation.measures.isEmpty, !evaluation.isPath,
      settled + Self.settledRows < rollouts[0].count
    else { return [] }
    return zip(rollouts, goals).map { episode, goal in
      EpisodeJudge(self).judge(episode, goals: [.init(time: 0, goal: goal)]).steps[0].tracked
        .map(\.steadyStateError)
    }
  }
}
