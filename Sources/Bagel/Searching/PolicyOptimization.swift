// SPDX-License-Identifier: Apache-2.0
// Algorithm 1, lines 8-19, for a task: sampler, kernel, search, checkpoints.

import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import PolicySearch
import Programs
import Rollouts
import Samplers
import Tasks
import TensorFiles

/// A policy and how it was found.
public struct OptimizedPolicy: Sendable {
  /// The best policy on the evaluation batch, and the last one.
  public var best: PolicyController
  package var last: PolicyController
  package var state: SearchState
  /// Rollouts of the best policy on the model: predicted particles, standardised.
  package var predicted: BatchTrajectories
  /// Fraction of its particle-steps with a state that the model reads more than a tenth of the data's range beyond them.
  package var outsideFraction: Double
  /// The same of each state that is outside in some step, the worst first.
  package var outsideStates: [(name: String, fraction: Double)]
  /// The sampler that was used, and its errors.
  package var sampler: MeasuredSampler
  package var device: String
  /// Why it ran there, where that was chosen by the work.
  package var deviceReason: String?
  /// Seconds of sampler, kernel and search together.
  package var seconds: Double
  /// Median seconds of one iteration, evaluations left out; NaN without any.
  package var secondsPerIteration: Double
  /// Whether the search ended by itself rather than by interruption.
  package var isFinished: Bool
  package var beginning: SearchBeginning
  /// What the best policy keeps, counted in rollouts that no search has seen; empty without constraints and where the search or the
  /// count was interrupted.
  package var constraints: [ConstraintFigures] = []
  /// Seconds of that count.
  package var countSeconds = 0.0
}

/// Where a search began.
package enum SearchBeginning: Hashable, Sendable {
  case fresh
  /// At this iteration of a saved search.
  case resumed(iteration: Int)
  /// Afresh: the saved search was of another model, task, device or seed, and now has this path.
  case setAside(path: String)
}

extension ControlTask {
  /// The closed loop of a model and this task's policy, as executors run it.
  ///
  /// Throws: `LogError` where a learnt reward is missing.
  package func makeRollout(
    _ model: DynamicsModel, _ sampler: any PosteriorSampler
  ) throws -> Rollout {
    try makeRollout(model, sampler, dropout: policy.dropout, reward: makeReward(model))
  }

  func makeRollout(
    _ model: DynamicsModel, _ sampler: any PosteriorSampler, policy: Policy? = nil,
    dropout: Double, reward: Reward, commandErrors: [[Double]] = []
  ) throws -> Rollout {
    Rollout(
      model: model, sampler: sampler, policy: policy ?? makePolicy(),
      goals: goalStandardiser(model),
      reward: reward, constraints: makeConstraints(model),
      measurementNoise: MeasurementNoise(deviations: states.map(\.noise)),
      commandErrors: commandErrors,
      horizon: search.horizon, dropout: dropout,
      adjointLimit: search.adjointLimit)
  }

  /// An executor of this task's batches. Throws: `ExecutionError`, `CUDAFailure`.
  package func makeExecutor(
    _ rollout: Rollout, device: ExecutionDevice? = nil
  ) throws -> any RolloutExecutor {
    try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: search.particles,
      horizon: search.horizon)
  }

  /// Searches a policy on a learnt model.
  ///
  /// - Parameters:
  ///   - model: of this task's machine.
  ///   - earlier: parameters of an earlier policy to go on from, as `learning.policy` says.
  ///   - device: where rollouts run.
  ///   - checkpoint: where to save the search every `checkpointInterval` seconds and at the end, and to resume it
  ///     from.
  ///   - checkpointInterval: seconds.
  ///   - progress: called after every iteration; false interrupts the search.
  /// - Throws: `ExecutionError`, `SearchError`, `UnsuitableSampler`, `GridError`, `TensorFileError`.
  package func optimize(
    _ model: DynamicsModel, from earlier: [Double]? = nil, device: ExecutionDevice? = nil,
    checkpoint: String? = nil, checkpointInterval: Double = 1,
    progress: (SearchState) -> Bool = { _ in true }
  ) throws -> OptimizedPolicy {
    let start = ContinuousClock.now
    var (sampler, judge) = try judgedSampler(model, device)
    let reward = try makeReward(model)
    func makeRollout(_ reward: Reward, dropout: Double) throws -> Rollout {
      try self.makeRollout(model, sampler.sampler, dropout: dropout, reward: reward)
    }
    let rollout = try makeRollout(reward, dropout: self.policy.dropout)
    let (device, reason) = ExecutionDevice.chosen(
      device, for: rollout.program, particles: search.particles, horizon: search.horizon)
    try checkMemory(rollout, on: device)
    /// Of a rollout with this reward; where iterations drop units, the whole policy judges, as the machine will see it.
    func executors(
      _ rollout: Rollout, _ reward: Reward, _ counter: ViolationCounter?
    ) throws -> PolicyOptimizer.Executors {
      try PolicyOptimizer.Executors(
        makeExecutor(rollout, device: device),
        judge: self.policy.dropout == 0
          ? nil : makeExecutor(makeRollout(reward, dropout: 0), device: device),
        counter: counter)
    }
    let counter = try makeCounter(model, reward, device)
    let made = try executors(rollout, reward, counter)
    let executor = made.iterations
    let policy = makePolicy()
    let fingerprint =
      checkpoint == nil ? "" : fingerprint(rollout, executor, earlier)
    var options = searchOptions
    if earlier != nil && learning.policy == .warm { options.starts = 1 }
    let (saved, beginning) =
      try checkpoint.map {
        try resume($0, fingerprint, options, policy.parameterCount)
      } ?? (nil, .fresh)
    let warm = earlier.map { SearchState(parameters: $0, options: options, isWarm: true) }
    let optimizer = try PolicyOptimizer(
      made, rollout: rollout, model: model,
      initialStates: self.objective.start.resolved(by: model),
      goals: goals(for: model), options: options,
      initialParameters: policy.initialParameters, state: saved ?? warm,
      widened: {
        let widened = reward.widened(goals: goalForm.length)
        return try executors(
          makeRollout(widened, dropout: self.policy.dropout), widened, counter)
      })
    let isFinished = try run(optimizer, every: checkpointInterval, progress) { state in
      if let checkpoint {
        try state.write(to: checkpoint, fingerprint: fingerprint, options: options)
      }
    }
    let state = optimizer.state
    let predicted = try optimizer.trajectories(state.bestParameters)
    if isFinished { try placed { try state.checkOutcome(predicted, options: options) } }
    if isFinished, sampler.certificate.outcome != nil, var judge {
      sampler.certificate.outcome = try judge.outcome(
        of: sampler.sampler, policy: state.bestParameters)
    }
    let beforeCount = ContinuousClock.now
    let counted = isFinished ? try countViolations(by: optimizer, progress) : nil
    let countSeconds = beforeCount.duration(to: .now).seconds
    let outside = model.outside(predicted)
    return OptimizedPolicy(
      best: controller(state.bestParameters, on: model),
      last: controller(state.parameters, on: model),
      state: state,
      predicted: predicted, outsideFraction: outside.fraction, outsideStates: outside.states,
      sampler: sampler,
      device: executor.device, deviceReason: reason,
      seconds: start.duration(to: .now).seconds,
      secondsPerIteration: median(optimizer.iterationSeconds),
      isFinished: counted != nil, beginning: beginning, constraints: counted ?? [],
      countSeconds: countSeconds)
  }

  /// How the search is done, constraints included.
  var searchOptions: SearchOptions {
    var options = search
    options.allowedViolations = constraints.map { 1 - $0.probability }
    return options
  }

  /// Steps to the end of a search, saving it every so many seconds and at the end; false where `progress` ended it before.
  private func run(
    _ optimizer: PolicyOptimizer, every interval: Double, _ progress: (SearchState) -> Bool,
    save: (SearchState) throws -> Void
  ) throws -> Bool {
    var lastSave = ContinuousClock.now
    var isInterrupted = false
    while !optimizer.isFinished && !isInterrupted {
      try placed { try optimizer.step() }
      isInterrupted = !progress(optimizer.state)
      if lastSave.duration(to: .now).seconds > interval {
        try save(optimizer.state)
        lastSave = .now
      }
    }
    try save(optimizer.state)
    return !isInterrupted
  }

  /// Names the task where a search finds nothing to follow. Throws: what `body` throws.
  private func placed(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as SearchError {
      throw SearchError("\(place): \(error)")
    }
  }

  /// A saved search that this one can go on from; one of another problem is moved out of the way.
  private func resume(
    _ path: String, _ fingerprint: String, _ options: SearchOptions, _ parameterCount: Int
  ) throws -> (SearchState?, SearchBeginning) {
    guard FileManager.default.fileExists(atPath: path) else { return (nil, .fresh) }
    let saved = try SearchState(
      path: path, fingerprint: fingerprint, options: options, parameterCount: parameterCount)
    if let state = saved {
      return (state, .resumed(iteration: state.iteration))
    }
    let aside = firstFreePath { "\(path).other-\($0)" }
    do {
      try FileManager.default.moveItem(atPath: path, toPath: aside)
    } catch {
      throw TensorFileError(path: path, "cannot be moved to \(aside)", isWriting: true)
    }
    return (nil, .setAside(path: aside))
  }

  /// Changes with anything on which the search's numbers depend, but the most iterations: the kernel, the model's
  /// numbers, starts and goals, options, device.
  private func fingerprint(
    _ rollout: Rollout, _ executor: any RolloutExecutor, _ earlier: [Double]?
  ) -> String {
    var options = searchOptions
    options.iterations = 0
    let numbers = rollout.data.sorted { $0.key < $1.key }.map { name, values in
      name + " " + values.withUnsafeBytes { sha256($0) }
    }
    let parts =
      numbers + [
        executor.fingerprint(particles: search.particles), "\(options)",
        "\(objective.start) \(objective.goal)",
        constraints.isEmpty ? "" : "\(model.sampler)",
        "\(learning.policy) \((earlier ?? []).withUnsafeBytes { sha256($0) })",
      ]
    return sha256(parts.joined(separator: "\n").utf8)
  }
}

extension DynamicsModel {
  /// Fraction of particle-steps with a state that the processes read (other than as sine and cosine) more than a tenth of the
  /// data's range beyond the data, where the model guesses; and of each such state, the worst first.
  func outside(
    _ predicted: BatchTrajectories
  ) -> (fraction: Double, states: [(name: String, fraction: Double)]) {
    let read = stateBounds.indices.filter { i in
      form.features.contains { feature in
        switch feature {
        case .state(let state, _): state == i
        case .formula(let formula, _): formula.reads(state: i)
        case .action, .disturbance, .filteredAction, .sine, .cosine: false
        }
      }
    }
    let bounds = read.map { i in
      let (low, high) = (stateBounds[i].lowerBound, stateBounds[i].upperBound)
      let margin = 0.1 * (high - low)
      let (mean, scale) = (stateStandardiser.mean[i], stateStandardiser.scale[i])
      return ((low - margin - mean) / scale)...((high + margin - mean) / scale)
    }
    var outside = 0
    var counts = read.map { _ in 0 }
    for particle in 0..<predicted.particles {
      for step in 0...predicted.horizon {
        let carry = predicted.carry(step: step, particle: particle)
        let left = read.indices.filter { !bounds[$0].contains(carry[carry.startIndex + read[$0]]) }
        for index in left { counts[index] += 1 }
        outside += left.isEmpty ? 0 : 1
      }
    }
    let all = Double(predicted.particles * (predicted.horizon + 1))
    let states = zip(read, counts).filter { $1 > 0 }.sorted { $0.1 > $1.1 }.map {
      (name: layout.states[$0].name, fraction: Double($1) / all)
    }
    return (Double(outside) / all, states)
  }
}
