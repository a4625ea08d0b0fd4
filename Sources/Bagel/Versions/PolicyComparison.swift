// SPDX-License-Identifier: Apache-2.0
// Two policies on one model: the difference of their returns over rollouts from the same starts, to the same goals, with the same draws.
// What both have in common drops out of the difference, so that few rollouts tell much.

import Execution
import GaussianProcesses
import LinearAlgebra
import Policies
import PolicySearch
import Rollouts
import Samplers
import Tasks

/// How a policy does beside another one.
public struct PolicyComparison: Sendable {
  /// Mean returns.
  public let returns: (first: Double, second: Double)
  /// Second less first, its mean and standard error.
  public let difference: Double
  public let standardError: Double
  public let rollouts: Int

  /// The 95 % interval of the mean difference.
  public var interval: ClosedRange<Double> {
    difference - 1.96 * standardError...difference + 1.96 * standardError
  }

  /// Whether the second is worse, beyond chance.
  public var secondIsWorse: Bool { interval.upperBound < 0 }
  public var secondIsBetter: Bool { interval.lowerBound > 0 }
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
  public func compare(
    _ first: PolicyController, _ second: PolicyController, on model: DynamicsModel,
    device: ExecutionDevice? = nil
  ) throws -> PolicyComparison {
    let sampler =
      try functionSampler(of: model)?.sampler ?? makeSampler(model, device: device).sampler
    let returns = try [first, second].map {
      try self.returns(of: $0, on: model, sampler, device)
    }
    let differences = zip(returns[1], returns[0]).map { $0 - $1 }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }
    return PolicyComparison(
      returns: (mean(returns[0]), mean(returns[1])), difference: mean(differences),
      standardError: standardError(differences), rollouts: differences.count)
  }

  /// Returns of the rollouts of a policy [B], the same starts, goals and draws for any.
  private func returns(
    of controller: PolicyController, on model: DynamicsModel, _ sampler: any PosteriorSampler,
    _ device: ExecutionDevice?
  ) throws -> [Double] {
    let own = controller.restandardised(as: standardisers(of: controller.policy, on: model))
    let rollout = try makeRollout(
      model, sampler, policy: own.policy, dropout: 0, reward: makeReward(model))
    var options = search
    (options.particles, options.starts) = (Self.comparedRollouts, 1)
    let executor = try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: options.particles,
      horizon: options.horizon)
    let optimizer = PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
      initialStates: start.resolved(by: model), goals: try goals(for: model), options: options,
      initialParameters: own.policy.initialParameters)
    return try executor.returns(optimizer.batch(parameters: own.parameters, iteration: .max))
      .returns
  }
}
