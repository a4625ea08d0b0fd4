// SPDX-License-Identifier: Apache-2.0
// Whether a sampler may replace the model's exact posterior in a task's searches: a short search with it, then the trajectories of the
// policy that it found with both, from the same starts with the same draws.

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
  /// outcome is that of the posterior itself. Where neither is, the one with the smallest errors.
  ///
  /// - Parameters:
  ///   - model: whose posterior is drawn from.
  ///   - device: where rollouts run; nil for where their work asks for.
  /// - Throws: `UnsuitableSampler`, `GridError`, `FactorizationError`, `ExecutionError`, `LogError`.
  package func makeSampler(
    _ model: DynamicsModel, device: ExecutionDevice? = nil
  ) throws -> MeasuredSampler {
    try judgedSampler(model, device).sampler
  }

  /// The sampler, and who judged it if that was needed: it keeps the posterior's own arrays, about as much as the model does.
  func judgedSampler(
    _ model: DynamicsModel, _ device: ExecutionDevice?
  ) throws -> (sampler: MeasuredSampler, judge: SamplerJudge?) {
    let options = self.model.sampler
    guard options.name == nil else {
      return (try model.sampler(options, actionLimits: actionLimits), nil)
    }
    var candidates = SamplerCandidates(of: model, options, actionLimits: actionLimits)
    var judge: SamplerJudge?
    while var candidate = try candidates.next() {
      if let seconds = try judge?.searchSeconds(through: candidate.sampler),
        seconds > SamplerJudge.longestSearch
      {
        candidates.refuse(
          because: "a search would take about \(Int((seconds / 60).rounded())) minutes")
        continue
      }
      if candidate.isWithinTolerance { return (candidate, nil) }
      if let reason = SamplerJudge.obstacle(self, model) {
        candidates.note(reason)
        continue
      }
      var present = try judge ?? SamplerJudge(self, model, device)
      let outcome = try present.outcome(of: candidate.sampler)
      judge = present
      guard let outcome else { continue }
      candidates.note(outcome)
      candidate.certificate.outcome = outcome
      if outcome.isGood { return (candidate, judge) }
    }
    return (candidates.best, judge)
  }
}

/// Holds samplers of a model against its own posterior: the exact one, or, of more than `GaussianProcess.largestExact` data, that
/// through its inducing points.
struct SamplerJudge {
  private let task: ControlTask
  private let model: DynamicsModel
  private let device: ExecutionDevice?
  private let options: SearchOptions
  private let reference: ClosedLoop
  /// Seconds an operation took in the last short search; nil before one.
  private var secondsPerOperation: Double?

  /// A rollout with what runs it.
  private struct ClosedLoop {
    let executor: any RolloutExecutor
    let optimizer: PolicyOptimizer
    /// Operations of an iteration.
    let work: Double
  }

  /// Starts, and particles from each: distributions are compared start by start.
  private static let starts = 8
  private static let draws = 12
  /// Iterations of the short search: so many, or as many as take this number of operations, but ten at least.
  private static let iterations = 100
  private static let fewestIterations = 10
  private static let operations = 2e11
  /// An outcome that takes more operations than this (about 20 s of two cores) is not asked: moments decide.
  private static let mostOperations = 2e12
  /// Nor is a sampler taken whose search would take more seconds than this, where a cheaper one was tried. One
  /// that the task names is taken whatever it takes.
  static let longestSearch = 600.0
  /// Differences below this part of a state's deviation in the logs do not count.
  private static let finest = 1e-3

  /// Why samplers of a model cannot be judged by their outcome, or nil.
  static func obstacle(_ task: ControlTask, _ model: DynamicsModel) -> String? {
    let steps = Double(starts * draws * task.search.horizon)
    let products = model.processes.reduce(0.0) { sum, process in
      let rows = Double(process.lowRank?.rank ?? process.x.rows)
      return sum + 2 * rows * rows
    }
    return steps * products <= mostOperations
      ? nil : "judged only by moments: rollouts with the exact posterior would take too long"
  }

  /// Throws: `UnsuitableSampler`, `ExecutionError`, `LogError`.
  init(_ task: ControlTask, _ model: DynamicsModel, _ device: ExecutionDevice?) throws {
    var options = task.search
    options.particles = Self.starts * Self.draws
    options.starts = 1
    options.horizons = [options.horizon]
    options.evaluationInterval = .max
    (self.task, self.model, self.device, self.options) = (task, model, device, options)
    var exact = task.model.sampler
    exact.name = .exact
    let sampler = try model.sampler(exact, actionLimits: task.actionLimits).sampler
    reference = try Self.closedLoop(task, model, sampler, device, options)
  }

  private static func closedLoop(
    _ task: ControlTask, _ model: DynamicsModel, _ sampler: any PosteriorSampler,
    _ device: ExecutionDevice?, _ options: SearchOptions
  ) throws -> ClosedLoop {
    // The whole policy, as the machine will see it.
    let rollout = try task.makeRollout(
      model, sampler, dropout: 0, reward: task.makeReward(model))
    let executor = try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: options.particles,
      horizon: options.horizon)
    let work =
      rollout.program.operationsPerStep.gradient * Double(options.particles * options.horizon)
    var options = options
    options.iterations = min(max(Int(operations / work), fewestIterations), iterations)
    return try ClosedLoop(
      executor: executor,
      optimizer: PolicyOptimizer(
        PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
        initialStates: task.objective.start.resolved(by: model), goals: task.goals(for: model),
        options: options, initialParameters: task.makePolicy().initialParameters),
      work: work)
  }

  /// - Parameters:
  ///   - sampler: of the model.
  ///   - policy: theta [P]; nil for what a short search finds.
  /// - Returns: nil where even a short search would take too long.
  /// - Throws: `ExecutionError`, `LogError`.
  mutating func outcome(
    of sampler: any PosteriorSampler, policy: [Double]? = nil
  ) throws -> SamplerOutcome? {
    let own = try Self.closedLoop(task, model, sampler, device, options)
    if policy == nil {
      guard own.work * Double(Self.fewestIterations) <= Self.mostOperations else { return nil }
      do {
        while !own.optimizer.isFinished { try own.optimizer.step() }
      } catch is SearchError {
        // A reward that is flat or leaves its domain: the policy stays as it is, and its trajectories are compared.
      }
    }
    if !own.optimizer.iterationSeconds.isEmpty {
      secondsPerOperation = median(own.optimizer.iterationSeconds) / own.work
    }
    let parameters = policy ?? own.optimizer.state.parameters
    let (a, b) = (try trajectories(parameters, own), try trajectories(parameters, reference))
    return SamplerOutcome(
      returnThroughSampler: a.returns.mean, returnThroughExact: b.returns.mean,
      standardError: standardErrorWithinStarts(b.returns.returns),
      relativeCRPS: relativeCRPS(a, b),
      secondsPerIteration: policy == nil ? median(own.optimizer.iterationSeconds) : nil)
  }

  /// About what the task's search would take through a sampler, as fast as the last short search was; nil before one.
  ///
  /// Throws: `LogError`.
  func searchSeconds(through sampler: any PosteriorSampler) throws -> Double? {
    guard let secondsPerOperation else { return nil }
    let rollout = try task.makeRollout(
      model, sampler, dropout: task.policy.dropout, reward: task.makeReward(model))
    let search = task.search
    let steps =
      Double(search.particles) * Double(search.horizons.reduce(0, +)) * Double(search.iterations)
      * Double(search.starts)
    return rollout.program.operationsPerStep.gradient * steps * secondsPerOperation
  }

  /// Several particles from each of a few starts and goals.
  private func trajectories(_ parameters: [Double], _ loop: ClosedLoop) throws -> BatchTrajectories
  {
    var batch = loop.optimizer.batch(parameters: parameters, iteration: .max)
    func repeated(_ values: [Double]) -> [Double] {
      let length = values.count / batch.particles
      return (0..<batch.particles).flatMap { b in
        let start = (b % Self.starts) * length
        return values[start..<start + length]
      }
    }
    batch.initialStates = repeated(batch.initialStates)
    batch.goals = repeated(batch.goals)
    return try loop.executor.trajectories(batch)
  }

  /// Of the mean of returns, the starts being as they are.
  private func standardErrorWithinStarts(_ returns: [Double]) -> Double {
    let squares = (0..<Self.starts).map { start in
      let own = (0..<Self.draws).map { returns[$0 * Self.starts + start] }
      let error = standardError(own)
      return error * error
    }
    return squares.reduce(0, +).squareRoot() / Double(Self.starts)
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
}
