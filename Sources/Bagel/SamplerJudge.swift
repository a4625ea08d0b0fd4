// SPDX-License-Identifier: Apache-2.0
// Whether a sampler may stand for the exact posterior in a task's searches: a short search through it, then the trajectories of the
// policy that it found through both, from the same starts with the same draws.

import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import ModelChoice
import PolicySearch
import Rollouts
import Samplers
import Tasks

extension ControlTask {
  /// The task's sampler of a model, measured: the named one, or the cheapest whose moments are within the tolerance or whose
  /// outcome is that of the exact posterior. Where neither is, the one with the smallest errors.
  ///
  /// Throws: `UnsuitableSampler`, `GridError`, `FactorizationError`, `ExecutionError`, `LogError`.
  public func makeSampler(_ model: DynamicsModel) throws -> MeasuredSampler {
    let options = self.model.sampler
    guard options.name == nil else { return try model.sampler(options, actionLimits: actionLimits) }
    var candidates = SamplerCandidates(of: model, options, actionLimits: actionLimits)
    var judge: SamplerJudge?
    var isJudgeable = true
    while var candidate = try candidates.next() {
      if candidate.isWithinTolerance { return candidate }
      guard isJudgeable else { continue }
      do {
        let known = try judge ?? SamplerJudge(self, model)
        judge = known
        let outcome = try known.outcome(of: candidate.sampler)
        candidates.note(outcome)
        candidate.certificate.outcome = outcome
        if outcome.isGood { return candidate }
      } catch is UnsuitableSampler {
        // Too many data for the exact posterior: moments decide.
        isJudgeable = false
      }
    }
    return candidates.best
  }

  /// What a policy comes to through a sampler and through the exact posterior.
  ///
  /// Throws: `ExecutionError`, `UnsuitableSampler`, `LogError`.
  func outcome(
    of policy: [Double], through sampler: any PosteriorSampler, _ model: DynamicsModel
  ) throws -> SamplerOutcome {
    try SamplerJudge(self, model).outcome(of: sampler, policy: policy)
  }
}

/// Holds samplers of a model against the exact posterior.
private struct SamplerJudge {
  private let task: ControlTask
  private let model: DynamicsModel
  private let reference: Closed
  private let options: SearchOptions

  /// A rollout with what runs it.
  private struct Closed {
    let executor: any RolloutExecutor
    let optimizer: PolicyOptimizer
  }

  /// Starts, and particles from each: distributions are compared start by start.
  private static let starts = 8
  private static let draws = 12
  /// Iterations of the short search: so many, or as many as take this number of operations, but ten at least.
  private static let iterations = 100
  private static let fewestIterations = 10
  private static let operations = 2e11
  /// Differences below this part of a state's deviation in the logs matter to nobody.
  private static let finest = 1e-3

  /// Throws: `UnsuitableSampler` where there are too many data.
  init(_ task: ControlTask, _ model: DynamicsModel) throws {
    var options = task.search
    options.particles = Self.starts * Self.draws
    options.starts = 1
    options.horizons = [options.horizon]
    options.evaluationInterval = .max
    (self.task, self.model, self.options) = (task, model, options)
    var exact = task.model.sampler
    exact.name = .exact
    let sampler = try model.sampler(exact, actionLimits: task.actionLimits).sampler
    reference = try Self.closed(task, model, sampler, options)
  }

  private static func closed(
    _ task: ControlTask, _ model: DynamicsModel, _ sampler: any PosteriorSampler,
    _ options: SearchOptions
  ) throws -> Closed {
    let rollout = try task.makeRollout(model, sampler)
    let executor = try HostExecutor(
      rollout.program, data: rollout.data, particles: options.particles)
    let work =
      rollout.program.operationsPerStep.gradient * Double(options.particles * options.horizon)
    var options = options
    options.iterations = min(max(Int(operations / work), fewestIterations), iterations)
    return Closed(
      executor: executor,
      optimizer: PolicyOptimizer(
        PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
        initialStates: task.start.resolved(by: model), goals: task.goal.resolved(by: model),
        options: options, initialParameters: task.makePolicy().initialParameters))
  }

  /// - Parameters:
  ///   - sampler: of the model.
  ///   - policy: theta [P]; nil for what a short search finds.
  /// - Throws: `ExecutionError`, `LogError`.
  func outcome(
    of sampler: any PosteriorSampler, policy: [Double]? = nil
  ) throws -> SamplerOutcome {
    let own = try Self.closed(task, model, sampler, options)
    if policy == nil {
      do {
        while !own.optimizer.isFinished { try own.optimizer.step() }
      } catch is SearchError {
        // A reward that is flat or leaves its domain: the policy stays as it is, and its trajectories are compared.
      }
    }
    let parameters = policy ?? own.optimizer.state.parameters
    let (a, b) = (try trajectories(parameters, own), try trajectories(parameters, reference))
    let returns = b.returns.returns
    return SamplerOutcome(
      reference: "the exact posterior", returnThroughSampler: a.returns.mean,
      returnThroughReference: b.returns.mean, standardError: standardError(returns),
      relativeCRPS: relativeCRPS(a, b), secondsPerIteration: median(own.optimizer.iterationSeconds))
  }

  /// Several particles from each of a few starts and goals.
  private func trajectories(_ parameters: [Double], _ closed: Closed) throws -> BatchTrajectories {
    var batch = closed.optimizer.batch(parameters: parameters, iteration: .max)
    func repeated(_ values: [Double]) -> [Double] {
      let length = values.count / batch.particles
      return (0..<batch.particles).flatMap { b in
        let start = (b % Self.starts) * length
        return values[start..<start + length]
      }
    }
    batch.initialStates = repeated(batch.initialStates)
    batch.goals = repeated(batch.goals)
    return try closed.executor.trajectories(batch)
  }

  /// Geometric mean over states and horizons, in standard deviations of the states' logs.
  private func relativeCRPS(_ a: BatchTrajectories, _ b: BatchTrajectories) -> Double {
    let horizons = Horizons.steps.filter { $0 < b.horizon } + [b.horizon]
    var logarithms: [Double] = []
    for steps in horizons {
      for state in model.layout.states.indices {
        var (own, ideal) = (0.0, 0.0)
        for start in 0..<Self.starts {
          func values(_ t: BatchTrajectories) -> [Double] {
            (0..<Self.draws).map { draw in
              let carry = t.carry(step: steps, particle: draw * Self.starts + start)
              return carry[carry.startIndex + state]
            }
          }
          let (x, truth) = (values(a), values(b))
          own += meanDistance(x, truth) - 0.5 * meanDistance(x, x)
          ideal += 0.5 * meanDistance(truth, truth)
        }
        let floor = Self.finest * Double(Self.starts)
        logarithms.append(log(max(own + floor, floor) / (ideal + floor)))
      }
    }
    return exp(logarithms.reduce(0, +) / Double(logarithms.count))
  }

  /// Between draws of different particles: draws of one are the same in both.
  private func meanDistance(_ x: [Double], _ y: [Double]) -> Double {
    var sum = 0.0
    for i in x.indices {
      for j in y.indices where j != i { sum += abs(x[i] - y[j]) }
    }
    return sum / Double(x.count * (x.count - 1))
  }
}
