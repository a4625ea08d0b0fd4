// SPDX-License-Identifier: Apache-2.0
// Reproduction: the paper's experiments again, every method on the same model and judged by the same rollouts. In: a task
// (the simulated boom, or a user's log), budgets. Out: curves, tables, a page with pictures that says what the paper
// reports, what was measured and where they differ.

import Bagel

/// Experiment 1 (paper, section IV-A): one goal, one fixed model, policies compared by return.
struct Experiment1 {
  /// Equation 8 alone as the reward, with the paper's weights; [8, 8]; 300 steps.
  let task: ControlTask
  let model: DynamicsModel
  let fitSeconds: Double
  private let judge: PolicyOptimizer

  /// - Parameters:
  ///   - logs: in place of the simulated boom's 110 s of manual driving; the policy is to come from a tenth of what they
  ///     cover to the middle.
  ///   - seconds: of driving; nil for the task's.
  /// - Throws: what reading, fitting and compiling throw.
  init(logs: OwnLogs? = nil, seconds: Double? = nil) throws {
    var task = try BuiltInTasks.experiment1()
    task.search = .plainAdam
    if let seconds { task.exploration.seconds = seconds }
    if let logs { task = logs.applied(to: task) }
    let fit = try task.fit()
    if logs != nil {
      task.start = .fixed(fit.model.restingState(at: 0.1))
      task.goal = .fixed(fit.model.restingState(at: 0.5))
    }
    (self.task, model, fitSeconds) = (task, fit.model, fit.seconds)
    judge = try task.optimizer(of: fit.model, sampler: .automatic, particles: 100)
  }

  /// Mean return of a policy over the same 100 rollouts for every method, H + 1 rewards of at most 1.
  func meanReturn(_ parameters: [Double]) throws -> Double {
    try judge.evaluationReturn(parameters)
  }

  /// The same rollouts themselves: the first state [B][H + 1], physical units.
  func imagined(_ parameters: [Double]) throws -> [[Double]] {
    let states = model.stateStandardiser
    return try judge.trajectories(parameters)
      .paths(of: 0, mean: states.mean[0], scale: states.scale[0])
  }

  /// An episode of a policy on the task's plant, from where the rollouts start.
  ///
  /// Throws: `LogError`, `PlantFailure`.
  func driven(_ parameters: [Double], seed: UInt64) throws -> Episode {
    let controller = PolicyController(
      policy: task.makePolicy(), parameters: parameters, stateMean: model.stateStandardiser.mean,
      stateScale: model.stateStandardiser.scale)
    var plant = try task.makePlant()
    defer { plant.close(safeAction: task.safeAction) }
    let (outcome, _) = try task.drive(
      &plant, controller, index: 0, seed: seed, bounds: model.stateBounds, name: "plant")
    if let failure = outcome.failure { throw failure }
    return outcome.episode
  }
}

extension SearchOptions {
  /// Algorithm 1's inner loop as it stands in the paper: Adam at 1e-2 to the end, no evaluations, one start.
  static var plainAdam: SearchOptions {
    var options = SearchOptions()
    options.starts = 1
    options.iterations = .max
    options.evaluationInterval = .max
    return options
  }
}

extension ControlTask {
  /// The task's search on a model with another sampler and batch size.
  func optimizer(
    of model: DynamicsModel, sampler: SamplerName, particles: Int,
    device: ExecutionDevice = .host, seed: UInt64 = 0
  ) throws -> PolicyOptimizer {
    var task = self
    task.model.sampler.name = sampler
    task.search.particles = particles
    task.search.seed = seed
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    return PolicyOptimizer(
      executor: try task.makeExecutor(rollout, device: device), rollout: rollout, model: model,
      initialStates: task.start.resolved(by: model), goals: task.goal.resolved(by: model),
      options: task.search, initialParameters: task.makePolicy().initialParameters)
  }
}
