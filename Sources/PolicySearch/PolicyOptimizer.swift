// SPDX-License-Identifier: Apache-2.0
// PolicySearch: a rollout -> a policy (Algorithm 1, lines 8-19). In: an executor of the rollout, the
// distributions of initial states and goals, options. Out: the best and the last parameters and how the
// return went. All state is a value that can be saved and resumed with the same bits.
//
// With a constant rate the policy drifts once the return is near its maximum. So policies are judged on a fixed
// evaluation batch; when that has not improved for `patience` evaluations the rate is halved and the
// search continues from the best policy; at the `halvings`-th time it has converged. Of several starts the best
// is used. If rollouts have constraints, ConstraintMultipliers.swift has the objective and the order of policies.

import Draws
import Execution
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Programs
import Rollouts

/// Runs Algorithm 1's inner loop.
package final class PolicyOptimizer {
  package let options: SearchOptions
  package internal(set) var state: SearchState
  let executors: Executors
  let rollout: Rollout
  private let widened: RewardWidening?
  private let standardise: @Sendable ([Double]) -> [Double]
  private let standardiseGoal: @Sendable ([Double]) -> [Double]
  /// Seconds of each iteration so far, evaluations left out.
  package private(set) var iterationSeconds: [Double] = []
  private let initialStates: StateDistribution
  private let goals: StateDistribution
  private let initialParameters: @Sendable (UInt64) -> [Double]

  /// What runs a search's rollouts.
  package struct Executors {
    /// Of the iterations.
    package let iterations: any RolloutExecutor
    /// Of evaluations and trajectories; another where iterations see less than the whole policy (`Dropout`).
    package let judge: any RolloutExecutor
    /// Of the count of what leaves constraints; nil for `judge`.
    package let counter: ViolationCounter?

    /// - Parameters:
    ///   - iterations: differentiates and updates.
    ///   - judge: nil for `iterations`.
    ///   - counter: nil for `judge`.
    package init(
      _ iterations: any RolloutExecutor, judge: (any RolloutExecutor)? = nil,
      counter: ViolationCounter? = nil
    ) {
      (self.iterations, self.judge, self.counter) = (iterations, judge ?? iterations, counter)
    }
  }

  /// The evaluation batch has its own draws, the same for every policy.
  static let evaluationIteration = UInt32.max
  /// So have the batches in which violations are counted.
  static let firstCounted = UInt32(1) << 31
  static let firstConfirmed = UInt32(3) << 30
  /// Violations that are expected in a confirmation of a policy at the allowed probability.
  static let confirmedViolations = 20.0
  static let confirmedConfidence = 0.999
  /// Policies are confirmed at one evaluation in so many.
  static let evaluationsBetween = 4

  /// - Parameters:
  ///   - executors: of the rollout.
  ///   - rollout: what it runs.
  ///   - model: whose standardiser states and goals go through.
  ///   - initialStates: physical units.
  ///   - goals: physical units.
  ///   - options: how to search.
  ///   - initialParameters: theta of a start, from its seed.
  ///   - state: of a search to go on with; nil to begin.
  ///   - widened: makes executors of the same rollout with a widened reward, for where the reward is flat; nil for never.
  package init(
    _ executors: Executors, rollout: Rollout, model: DynamicsModel,
    initialStates: StateDistribution, goals: StateDistribution, options: SearchOptions,
    initialParameters: @escaping @Sendable (UInt64) -> [Double], state: SearchState? = nil,
    widened: (() throws -> Executors)? = nil
  ) {
    (self.executors, self.rollout) = (executors, rollout)
    let isOfStates = rollout.goals == nil
    self.widened = widened.map { make in
      RewardWidening(
        isWidened: (0..<goals.length).map { !isOfStates || model.layout.states[$0].turn == nil },
        make)
    }
    self.options = options
    self.initialParameters = initialParameters
    self.state =
      state ?? SearchState(parameters: initialParameters(options.seed), options: options)
    self.initialStates = initialStates
    self.goals = goals
    let standardiser = model.stateStandardiser
    standardise = { standardiser.standardise($0) }
    let ofGoals =
      rollout.goals.map { Standardiser(mean: $0.mean, scale: $0.scale) } ?? standardiser
    standardiseGoal = { ofGoals.standardise($0) }
  }

  /// The batch of an iteration (line 9).
  ///
  /// - Parameters:
  ///   - parameters: theta [P].
  ///   - iteration: whose draws these are.
  ///   - horizon: steps; nil for the longest.
  ///   - particles: B; nil for those of the options.
  ///   - other: whose particles they are; nil for the search's rollout.
  package func batch(
    parameters: [Double], iteration: UInt32, horizon: Int? = nil, particles: Int? = nil,
    of other: Rollout? = nil
  ) -> RolloutBatch {
    let rollout = other ?? rollout
    let key = DrawKey(seed: options.seed, iteration: iteration)
    let particles = particles ?? options.particles
    let starts = initialStates.draw(particles, key: key, for: .initialStates)
    let targets = goals.draw(particles, key: key, for: .goals)
    return RolloutBatch(
      parameters: parameters,
      initialStates: starts.enumerated().flatMap {
        rollout.start(state: standardise($1), particle: $0, key: key)
      },
      goals: targets.flatMap(standardiseGoal), particles: particles,
      horizon: horizon ?? options.horizon, draws: key,
      functionDraws: rollout.functionDraws(particles, key),
      totalWeights: state.multipliers.isEmpty
        ? [] : Rollout.totalWeights(multipliers: state.multipliers))
  }

  /// Some iterations: roll out, differentiate, update, and every so often evaluate. As many as the executor runs
  /// without waiting, up to the next evaluation; one on the host.
  package func step() throws {
    try begin()
    let executor = try present().iterations
    let before = ContinuousClock.now
    let done = state.iteration - state.firstIteration
    let untilEvaluation = options.evaluationInterval - done % options.evaluationInterval
    let count = max(1, min(executor.iterationsInFlight, untilEvaluation, options.iterations - done))
    let batches = (state.iteration..<state.iteration + count).map { iteration in
      batch(
        parameters: state.parameters,
        iteration: options.draws == .fresh ? UInt32(truncatingIfNeeded: iteration) : 0,
        horizon: options.horizons[state.stage])
    }
    try ascend(batches, executor)
    iterationSeconds.append(before.duration(to: .now).seconds / Double(count))
    let iteration = state.iteration - state.firstIteration
    let isLast = iteration >= options.iterations
    if iteration % options.evaluationInterval == 0 || isLast {
      let hasConverged = try evaluate()
      if hasConverged || isLast { try endStage(hasConverged) }
    }
  }

  /// The executors of the reward as it is widened now.
  func present() throws -> Executors {
    guard let widened, state.widening > 1 else { return executors }
    return try widened.executors(state.widening)
  }

  /// Sees that the reward is not flat, and judges the first policy: where a search begins may be better than all that it
  /// finds.
  private func begin() throws {
    guard options.evaluationInterval < .max, !state.bestReturn.isFinite else { return }
    if state.iteration == 0, let widened {
      let starts =
        [state.parameters] + (1..<max(options.starts, 1)).map { initialParameters(seed(of: $0)) }
      state.widening = try widened.wideningWhereFlat { executors in
        try starts.map { try gradientNorm($0, executors ?? self.executors) }.max() ?? 0
      }
      state.firstWidening = state.widening
    }
    try note(state.parameters, evaluationBatch(state.parameters))
  }

  /// Keeps parameters if they are the best so far.
  ///
  /// - Parameters:
  ///   - parameters: theta [P].
  ///   - returns: theirs, of the evaluation batch.
  ///   - confirms: whether a policy that keeps its constraints there may be confirmed now, which takes as long as many iterations; it is
  ///     no best policy before.
  /// - Returns: whether each constraint is left more than is allowed; nil where that is not known.
  @discardableResult func note(
    _ parameters: [Double], _ returns: BatchReturns, confirms: Bool = true
  ) throws -> [Bool?] {
    var judgement = options.judgement(returns)
    func noteFree() {
      guard judgement.value.isFinite, judgement.excess > 0 else { return }
      state.freestReturn = max(state.freestReturn, judgement.value)
    }
    noteFree()
    var left: [Bool?] = options.allowedViolations.indices.map { options.isLeft($0, in: returns) }
    let gain = left.isEmpty ? 0 : options.improvement * abs(state.bestReturn)
    guard judgement.isBetter(than: state.best, gain: gain) else { return left }
    if !left.isEmpty && judgement.excess == 0 {
      // One batch among many may be a lucky one.
      guard confirms else { return left.map { _ in nil } }
      let parts = try violatedParts(parameters)
      left = parts.map(\.isLeft)
      judgement.excess = parts.reduce(0) { $0 + ($1.isLeft ? $1.part : 0) }
      noteFree()
      guard judgement.isBetter(than: state.best) else { return left }
    }
    state.best = judgement
    state.bestParameters = parameters
    state.bestIteration = state.iteration
    return left
  }

  /// How much of new rollouts leaves each constraint, and whether that is more than can be allowed: as many rollouts as it takes to
  /// show the one or the other. A search asks for many policies, so the bound is surer than the one that is told of one.
  private func violatedParts(_ parameters: [Double]) throws -> [(part: Double, isLeft: Bool)] {
    let allowed = options.allowedViolations
    let counter = try counter()
    let rollouts = confirmedRollouts(counter)
    func isLeft(_ count: ViolationCount, _ c: Int, of planned: Int?) -> Bool {
      count.isLeft(
        c, allowed: allowed[c], confidence: Self.confirmedConfidence, of: planned)
    }
    let counted = try count(parameters, counter, rollouts, first: Self.firstConfirmed) { count in
      !allowed.indices.contains { isLeft(count, $0, of: rollouts) }
        && (count.rollouts == 0 || allowed.indices.contains { isLeft(count, $0, of: nil) })
    }
    return allowed.indices.map { c in
      (
        Double(counted.violations[c]) / Double(max(counted.rollouts, 1)),
        isLeft(counted, c, of: rollouts)
      )
    }
  }

  /// Norm of the gradient on the batch of the first iteration.
  private func gradientNorm(_ parameters: [Double], _ executors: Executors) throws -> Double {
    let batch = batch(
      parameters: parameters, iteration: 0, horizon: options.horizons[state.stage])
    let gradient = try executors.iterations.gradient(batch).gradient
    return gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
  }

  private func seed(of start: Int) -> UInt64 {
    options.seed &+ UInt64(start) &* 0x9E37_79B9_7F4A_7C15
  }

  private func ascend(_ batches: [RolloutBatch], _ executor: any RolloutExecutor) throws {
    var ascent = Ascent(
      parameters: state.parameters, adam: state.adam, rate: state.rate,
      gradientNormLimit: options.gradientNorm)
    let records = try executor.ascend(batches, from: &ascent)
    (state.parameters, state.adam) = (ascent.parameters, ascent.adam)
    for record in records {
      guard record.hasMoved else {
        throw SearchError(
          "iteration \(state.iteration): the gradient's norm is \(record.gradientNorm) and the return "
            + "\(record.meanReturn); the reward is undefined there (a root or logarithm of a value that can be negative or "
            + "zero, a division by zero), or the model diverges"
        )
      }
      state.returns.append(record.meanReturn)
      state.gradientNorms.append(record.gradientNorm)
      state.diverged += record.diverged
      state.truncated += record.truncated
      state.iteration += 1
    }
  }

  package var isFinished: Bool { state.startsDone >= options.starts }

  private func endStage(_ hasConverged: Bool) throws {
    guard state.stage == options.horizons.count - 1 else {
      state.lengthen(options: options)
      let judgement = options.judgement(
        try evaluationBatch(state.parameters, horizon: options.horizons[state.stage]))
      if judgement.value.isFinite { state.startBest = judgement }
      return
    }
    if !options.allowedViolations.isEmpty {
      // It may be better than what was confirmed.
      try note(state.startBestParameters, evaluationBatch(state.startBestParameters))
    }
    state.hasConverged = state.hasConverged && hasConverged
    state.startsDone += 1
    if isFinished { return try narrow() }
    state.startAgain(from: initialParameters(seed(of: state.startsDone)), options: options)
  }

  /// Goes on from the best policy with the narrowest reward that is not flat for it, if that is narrower than the present one.
  private func narrow() throws {
    guard let widened, state.widening > 1 else { return }
    let narrowest = try widened.narrowest(below: state.widening) { executors in
      try gradientNorm(state.bestParameters, executors ?? self.executors)
    }
    guard let narrowest else { return }
    state.narrow(to: narrowest, options: options)
  }
}
