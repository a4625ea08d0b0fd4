// SPDX-License-Identifier: Apache-2.0
// How a search judges policies: their return on the fixed evaluation batch, whether a start still makes progress, and how many rollouts
// leave each constraint.

import Execution
import MachineLogs
import Programs
import Rollouts

extension PolicyOptimizer {
  /// Mean return of parameters on the fixed evaluation batch.
  ///
  /// - Parameters:
  ///   - parameters: theta [P].
  ///   - horizon: steps; nil for the longest.
  package func evaluationReturn(_ parameters: [Double], horizon: Int? = nil) throws -> Double {
    try meanReturn(parameters, iteration: Self.evaluationIteration, horizon: horizon)
  }

  /// Totals of parameters on the fixed evaluation batch.
  func evaluationBatch(_ parameters: [Double], horizon: Int? = nil) throws -> BatchReturns {
    try present().judge.returns(
      batch(parameters: parameters, iteration: Self.evaluationIteration, horizon: horizon))
  }

  /// How many of at least `rollouts` rollouts of a policy leave each constraint, with draws that no search has seen; nil where
  /// `goesOn` ended the count.
  ///
  /// - Parameters:
  ///   - parameters: theta [P].
  ///   - rollouts: rounded up to whole batches.
  ///   - goesOn: asked before every batch.
  /// - Throws: `ExecutionError`.
  package func countViolations(
    _ parameters: [Double], rollouts: Int, goesOn: () -> Bool = { true }
  ) throws -> ViolationCount? {
    var isWhole = true
    let counter = try counter()
    // Enough to show what a search has confirmed.
    let rollouts = max(rollouts, confirmedRollouts(counter))
    let counted = try count(parameters, counter, rollouts, first: Self.firstCounted) { _ in
      isWhole = goesOn()
      return isWhole
    }
    return isWhole ? counted : nil
  }

  /// Rollouts that can confirm that all constraints are kept.
  func confirmedRollouts(_ counter: ViolationCounter) -> Int {
    counter.rollouts(
      confirming: options.allowedViolations.min() ?? 1, violations: Self.confirmedViolations,
      confidence: Self.confirmedConfidence)
  }

  func counter() throws -> ViolationCounter {
    try executors.counter
      ?? ViolationCounter(
        rollout, present().judge, functions: .ofParticles, particles: options.particles)
  }

  func count(
    _ parameters: [Double], _ counter: ViolationCounter, _ rollouts: Int, first: UInt32,
    goesOn: (ViolationCount) -> Bool
  ) throws -> ViolationCount {
    try counter.count(
      rollouts, constraints: options.allowedViolations.count, first: first, seed: options.seed,
      batch: {
        batch(parameters: parameters, iteration: $0, particles: $1, of: counter.rollout)
      }, goesOn: goesOn)
  }

  /// Mean return of parameters on the batch of an iteration.
  package func meanReturn(
    _ parameters: [Double], iteration: UInt32, horizon: Int? = nil
  ) throws -> Double {
    try present().judge.returns(
      batch(parameters: parameters, iteration: iteration, horizon: horizon)
    ).mean
  }

  /// Trajectories of parameters on the fixed evaluation batch.
  package func trajectories(_ parameters: [Double]) throws -> BatchTrajectories {
    try present().judge.trajectories(
      batch(parameters: parameters, iteration: Self.evaluationIteration))
  }

  /// Judges the present parameters; true if the present start has converged at its horizon.
  func evaluate() throws -> Bool {
    let whole = try evaluationBatch(state.parameters)
    let horizon = options.horizons[state.stage]
    let judgement = options.judgement(
      horizon == options.horizon
        ? whole : try evaluationBatch(state.parameters, horizon: horizon))
    let needed = options.improvement * max(abs(state.startBestReturn), 1e-9)
    let hasProgressed =
      !state.startBestReturn.isFinite || judgement.isBetter(than: state.startBest, gain: needed)
    if judgement.isBetter(than: state.startBest) {
      state.startBest = judgement
      state.startBestParameters = state.parameters
    }
    let iteration = state.iteration - state.firstIteration
    let isLast = iteration >= options.iterations
    let left = try note(
      state.parameters, whole,
      confirms: isLast || iteration / options.evaluationInterval % Self.evaluationsBetween == 0)
    let evaluated = batch(
      parameters: state.parameters, iteration: Self.evaluationIteration, horizon: horizon)
    state.multipliers = try state.adaptedMultipliers(where: left) { weights in
      var weighted = evaluated
      weighted.totalWeights = weights
      let gradient = try present().iterations.gradient(weighted).gradient
      return gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    }
    if hasProgressed {
      state.evaluationsWithoutProgress = 0
      return false
    }
    state.evaluationsWithoutProgress += 1
    guard state.evaluationsWithoutProgress >= options.patience else { return false }
    state.evaluationsWithoutProgress = 0
    state.halvings += 1
    if state.halvings >= options.halvings { return true }
    state.rate *= 0.5
    state.parameters = state.startBestParameters
    state.adam = Adam(count: state.parameters.count)
    return false
  }
}
