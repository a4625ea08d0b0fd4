// SPDX-License-Identifier: Apache-2.0
// Two policies on one model: the difference of their returns over rollouts from the same starts, to the same goals, with the same draws.
// What both have in common cancels in the difference, so that few rollouts suffice.

import Execution
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import PolicySearch
import Rollouts
import Samplers
import Tasks

/// How a policy does beside another one.
package struct PolicyComparison: Sendable {
  /// Mean returns.
  package let returns: (first: Double, second: Double)
  /// Second less first, its mean and standard error.
  package let difference: Double
  package let standardError: Double
  /// Pairs of rollouts whose returns are numbers.
  package let rollouts: Int
  /// Whether each keeps all constraints as often as the task wants.
  package let keeps: (first: Bool, second: Bool)
  /// Rollouts that diverged and were frozen.
  package let diverged: (first: Int, second: Int)

  /// The 95 % interval of the mean difference.
  package var interval: ClosedRange<Double> {
    difference - 1.96 * standardError...difference + 1.96 * standardError
  }

  /// Whether the second is worse: it leaves constraints that the first keeps, or, where they are alike in this, earns a
  /// thousandth less, beyond chance.
  package var secondIsWorse: Bool {
    keeps.first == keeps.second ? interval.upperBound < -smallest : keeps.first
  }
  package var secondIsBetter: Bool {
    keeps.first == keeps.second ? interval.lowerBound > smallest : keeps.second
  }

  /// A difference of less than a thousandth of the return matters to nobody.
  private var smallest: Double { 1e-3 * max(abs(returns.first), abs(returns.second)) }
}

extension ControlTask {
  /// Rollouts of a comparison.
  private static let comparedRollouts = 1_000

  /// Compares two policies on a model by this task's reward, starts and goals. Particles draw functions of the posterior where the
  /// model has such a sampler, else what the task's sampler draws.
  ///
  /// - Parameters:
  ///   - first: a policy of this task's machine, on whatever model it was found.
  ///   - second: another one.
  ///   - model: that both are tried on.
  ///   - device: where rollouts run.
  /// - Throws: `UnsuitableSampler`, `ExecutionError`, `LogError`, `FactorizationError`.
  package func compare(
    _ first: PolicyController, _ second: PolicyController, on model: DynamicsModel,
    device: ExecutionDevice? = nil
  ) throws -> PolicyComparison {
    let sampler = try judgingSampler(of: model, device)
    let reward = try makeReward(model)
    let loops = try [first, second].map { controller in
      let loop = try PolicyLoop(
        self, controller, on: model, sampler, reward, particles: Self.comparedRollouts, device)
      return try loop.executor.returns(loop.batch(iteration: .max))
    }
    let pairs = zip(loops[0].returns, loops[1].returns).filter { $0.isFinite && $1.isFinite }
    guard !pairs.isEmpty else {
      throw LogError(
        file: place, "has a reward that is not a number in the rollouts of these policies")
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    let differences = pairs.map { $1 - $0 }
    func keeps(_ returns: BatchReturns) -> Bool {
      constraints.indices.allSatisfy { c in
        Double(returns.violations(c)) <= (1 - constraints[c].probability)
          * Double(Self.comparedRollouts)
      }
    }
    return PolicyComparison(
      returns: (mean(pairs.map(\.0)), mean(pairs.map(\.1))), difference: mean(differences),
      standardError: standardError(differences), rollouts: pairs.count,
      keeps: (keeps(loops[0]), keeps(loops[1])), diverged: (loops[0].diverged, loops[1].diverged))
  }
}
