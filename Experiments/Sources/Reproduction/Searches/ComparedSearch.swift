// SPDX-License-Identifier: Apache-2.0
// The searches that are compared, one step at a time, so that anyone can stop the clock between two.

import Bagel
import Draws
import EvolutionStrategies
import Execution
import LinearAlgebra
import MomentMatching
import PolicySearch
import Tasks

/// A search for a policy.
protocol ComparedSearch: AnyObject {
  /// The policy so far [P].
  var parameters: [Double] { get }
  /// One iteration (or one generation), or as many as a GPU runs without waiting; returns how many.
  func step() throws -> Int
}

/// Automatic differentiation of sampled rollouts (Algorithm 1), by whatever posterior sampler and batch size.
final class SampledGradientSearch: ComparedSearch {
  private let optimizer: PolicyOptimizer

  init(_ optimizer: PolicyOptimizer) { self.optimizer = optimizer }

  var parameters: [Double] { optimizer.state.parameters }

  func step() throws -> Int {
    let before = optimizer.state.iteration
    try optimizer.step()
    return optimizer.state.iteration - before
  }
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
    func standardised(_ distribution: StateDistribution, _ purpose: ReservedStep)
      -> [[Double]]
    {
      distribution.resolved(by: model)
        .draw(task.search.particles, key: DrawKey(seed: seed), for: purpose)
        .map(model.stateStandardiser.standardise)
    }
    start = Gaussian(fitting: standardised(task.objective.start, .initialStates))
    goal = standardised(task.objective.goal, .goals)[0]
    horizon = task.search.horizon
    let parameters = policy.initialParameters(seed)
    ascent = Ascent(
      parameters: parameters, adam: Adam(count: parameters.count), rate: task.search.learningRate,
      gradientNormLimit: task.search.gradientNorm)
  }

  var parameters: [Double] { ascent.parameters }

  func step() throws -> Int {
    let found = try rollout.gradient(ascent.parameters, from: start, to: goal, horizon: horizon)
    guard ascent.follow(found.gradient, meanReturn: found.expectedReturn).hasMoved else {
      throw SearchError("the expected return is \(found.expectedReturn)")
    }
    return 1
  }
}

/// CMA-ES on sampled returns; every candidate meets the same draws within a generation, and candidates are dealt to all
/// cores.
final class EvolutionSearch: ComparedSearch {
  /// One a core, each with an executor of one thread.
  private let judges: [PolicyOptimizer]
  private var evolution: CMAES

  /// - Parameter makeJudge: whose batches candidates are judged by, on one thread.
  init(seed: UInt64, cores: Int, makeJudge: () throws -> PolicyOptimizer) throws {
    judges = try (0..<cores).map { _ in try makeJudge() }
    evolution = CMAES(
      mean: judges[0].state.parameters, stepSize: 0.5,
      key: DrawKey(seed: seed, stream: .evolution))
  }

  var parameters: [Double] { evolution.mean }

  func step() throws -> Int {
    guard !evolution.hasConverged else {
      throw SearchError("candidates do not differ any more")
    }
    let generation = UInt32(truncatingIfNeeded: evolution.generation)
    let candidates = evolution.ask()
    let count = judges.count
    // Each judge is used by one task only.
    nonisolated(unsafe) let judges = judges
    let shares = try inParallel(count) { core in
      try stride(from: core, to: candidates.count, by: count).map {
        -(try judges[core].meanReturn(candidates[$0], iteration: generation))
      }
    }
    evolution.tell(candidates.indices.map { shares[$0 % count][$0 / count] })
    return 1
  }
}
