// SPDX-License-Identifier: Apache-2.0
// The searches that are compared, one step at a time, so that anyone can stop the clock between two.

import Bagel
import MomentMatching

/// A search for a policy.
protocol ComparedSearch: AnyObject {
  /// The policy so far [P].
  var parameters: [Double] { get }
  /// One iteration (or one generation).
  func step() throws
}

/// Automatic differentiation of sampled rollouts (Algorithm 1), by whatever posterior sampler and batch size.
final class SampledGradientSearch: ComparedSearch {
  private let optimizer: PolicyOptimizer

  init(_ optimizer: PolicyOptimizer) { self.optimizer = optimizer }

  var parameters: [Double] { optimizer.state.parameters }
  func step() throws { try optimizer.step() }
}

/// Automatic differentiation through PILCO's moment matching.
final class MomentMatchingSearch: ComparedSearch {
  private let rollout: MomentRollout
  private let start: Gaussian
  private let goal: [Double]
  private let horizon: Int
  private var ascent: Ascent

  /// Throws: `CannotMatchMoments`.
  init(_ experiment: Experiment1, seed: UInt64) throws {
    let (task, model) = (experiment.task, experiment.model)
    let policy = task.makePolicy()
    rollout = try MomentRollout(
      model: model, policy: policy, reward: .saturating(weights: BuiltInTasks.experiment1Weights))
    func standardised(_ distribution: StateDistribution, _ purpose: StateDistribution.Purpose)
      -> [[Double]]
    {
      distribution.resolved(by: model)
        .draw(task.search.particles, key: DrawKey(seed: seed), for: purpose)
        .map(model.stateStandardiser.standardise)
    }
    start = Gaussian(fitting: standardised(task.start, .initialStates))
    goal = standardised(task.goal, .goals)[0]
    horizon = task.search.horizon
    let parameters = policy.initialParameters(seed)
    ascent = Ascent(
      parameters: parameters, adam: Adam(count: parameters.count), rate: task.search.learningRate,
      gradientNormLimit: task.search.gradientNorm)
  }

  var parameters: [Double] { ascent.parameters }

  func step() throws {
    let found = try rollout.gradient(ascent.parameters, from: start, to: goal, horizon: horizon)
    guard ascent.follow(found.gradient, meanReturn: found.expectedReturn).hasMoved else {
      throw SearchError(description: "the expected return is \(found.expectedReturn)")
    }
  }
}

/// Black-DROPS: CMA-ES on sampled returns; every candidate meets the same draws within a generation.
final class EvolutionSearch: ComparedSearch {
  private let optimizer: PolicyOptimizer
  private var evolution: CMAES

  /// - Parameter optimizer: whose batches candidates are judged by.
  init(_ optimizer: PolicyOptimizer, seed: UInt64) {
    self.optimizer = optimizer
    evolution = CMAES(
      mean: optimizer.state.parameters, stepSize: 0.5,
      key: DrawKey(seed: seed, iteration: 0x636d_61))
  }

  var parameters: [Double] { evolution.mean }

  func step() throws {
    let generation = UInt32(truncatingIfNeeded: evolution.generation)
    let costs = try evolution.ask().map { candidate in
      -(try optimizer.meanReturn(candidate, iteration: generation))
    }
    evolution.tell(costs)
  }
}
