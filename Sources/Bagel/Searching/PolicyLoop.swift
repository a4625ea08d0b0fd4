// SPDX-License-Identifier: Apache-2.0
// A policy of any origin in rollouts of a model: what compares policies, and what promises what they will do.

import Execution
import GaussianProcesses
import Policies
import PolicySearch
import Rollouts
import Samplers
import Tasks

extension ControlTask {
  /// What judges policies on a model: particles draw functions of the posterior where its covariance has some to draw, else what the
  /// task's sampler draws.
  ///
  /// - Throws: `UnsuitableSampler`, `GridError`, `FactorizationError`, `ExecutionError`, `LogError`.
  func judgingSampler(
    of model: DynamicsModel, _ device: ExecutionDevice?
  ) throws -> any PosteriorSampler {
    try functionSampler(of: model) ?? makeSampler(model, device: device).sampler
  }
}

/// A closed loop of a model and a policy, with batches of a task's starts and goals.
struct PolicyLoop {
  let executor: any RolloutExecutor
  private let optimizer: PolicyOptimizer
  private let parameters: [Double]

  /// - Parameters:
  ///   - task: with the constraints, starts and goals.
  ///   - controller: the policy, on whatever model it was found; no policy of a user's own architecture.
  ///   - model: that it drives.
  ///   - sampler: of that model.
  ///   - reward: of the task.
  ///   - commandErrors: as of a `Rollout`.
  ///   - particles: of a batch.
  ///   - device: where it runs.
  /// - Throws: `ExecutionError`, `LogError`.
  init(
    _ task: ControlTask, _ controller: PolicyController, on model: DynamicsModel,
    _ sampler: any PosteriorSampler, _ reward: Reward, commandErrors: [[Double]] = [],
    particles: Int, _ device: ExecutionDevice?
  ) throws {
    let own = controller.restandardised(
      as: task.standardisers(of: controller.policy, on: model))
    let rollout = try task.makeRollout(
      model, sampler, policy: own.policy, dropout: 0, reward: reward, commandErrors: commandErrors)
    var options = task.search
    (options.particles, options.starts) = (particles, 1)
    executor = try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: particles,
      horizon: options.horizon)
    optimizer = PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
      initialStates: task.objective.start.resolved(by: model), goals: try task.goals(for: model),
      options: options, initialParameters: own.policy.initialParameters)
    parameters = own.parameters
  }

  /// Starts, goals and draws of an iteration, the same for any policy.
  func batch(iteration: UInt32) -> RolloutBatch {
    optimizer.batch(parameters: parameters, iteration: iteration)
  }
}
