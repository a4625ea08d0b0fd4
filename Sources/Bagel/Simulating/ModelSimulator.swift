// SPDX-License-Identifier: Apache-2.0
// A learnt model as a machine: particles that are driven from outside, step by step, all at once. In: actions [B, A], physical units.
// Out: states [B, S], physical units. A step is a rollout of one step with the given actions, so it has all that searches use:
// histories, filters, process noise, functions of the posterior that a particle keeps for its episode.

import Draws
import Execution
import Faults
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import Programs
import Rollouts
import SafeText
import Samplers

/// What moves a simulated machine beside the model's mean.
package enum SimulatedDoubt: String, CaseIterable, Sendable {
  /// A function of the posterior, drawn for an episode and kept: the machine may be any that the logs allow.
  case function
  /// Draws of the predictive distribution, anew at each step (paper, equation 9).
  case steps
  /// Nothing.
  case none
}

/// Why a model cannot be simulated.
package struct CannotSimulate: Fault {
  package let statement: String
  package let remedy: Remedy?

  package init(_ statement: String, remedy: Remedy? = nil) {
    (self.statement, self.remedy) = (statement, remedy)
  }
}

/// Particles on a model.
package final class ModelSimulator {
  package let model: DynamicsModel
  /// B
  package let particles: Int
  /// What moves them: the one that was asked for, or `steps` where the covariance has no functions to draw.
  package let doubt: SimulatedDoubt
  private let policy: Policy
  private let rollout: Rollout
  private let executor: any RolloutExecutor
  private let starts: StateDistribution
  private let sensors: [Double]
  /// [B, C]
  private var carries: [Double]
  /// [B, F]
  private var functions: [Double]
  private var seed: UInt64 = 0
  private var steps: UInt32 = 0
  private var episodes: UInt32 = 0

  /// - Parameters:
  ///   - model: without a command that acts at once.
  ///   - doubt: what moves particles beside the mean.
  ///   - particles: B
  ///   - seed: of the first starts, functions and noise.
  ///   - hasSensorNoise: whether measurements are off as the model's residuals say of the sensors.
  ///   - longestEpisode: steps; disturbances are replayed as far.
  ///   - device: where kernels run; nil for one by the work.
  /// - Throws: `CannotSimulate`, `ExecutionError`, and what a sampler's making throws.
  package init(
    _ model: DynamicsModel, doubt: SimulatedDoubt = .function, particles: Int = 1,
    seed: UInt64 = 0, hasSensorNoise: Bool = true, longestEpisode: Int = 10_000,
    device: ExecutionDevice? = nil
  ) throws {
    guard !model.form.hasFeedthrough else {
      throw CannotSimulate(
        "the model reads the command of the row that it predicts, which a plant does not have yet",
        remedy: .newTask(fromLogs: true))
    }
    (self.model, self.particles) = (model, particles)
    // What was never sent is a guess, and so far beyond it nothing is meant.
    let (commands, s) = (model.commandBounds, model.layout.states.count)
    let reach = commands.map { 10 * max(abs($0.lowerBound), abs($0.upperBound), 1e-6) }
    policy = .commanded(states: s, lower: reach.map { -$0 }, upper: reach)
    let (sampler, found) = try Self.sampler(model, commands, doubt)
    self.doubt = found
    rollout = Rollout(
      model: model, sampler: sampler, policy: policy, goals: policy.commandStandardiser,
      reward: Reward { inputs in inputs.state.builder.zeros(1) }, horizon: longestEpisode)
    let (carry, function) = (rollout.program.carryLength, rollout.program.functionLength)
    // What a step reads, computes and returns; a call holds copies.
    let bytes = 8.0 * Double(particles) * Double(3 * (carry + function) + 4 * (s + commands.count))
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard bytes < 0.5 * memory else {
      throw CannotSimulate(
        "\(particles) particles need about \(Int(bytes / 1e6)) MB, more than half of this computer's \(Int(memory / 1e6)) MB; use fewer particles"
      )
    }
    executor = try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: particles, horizon: 1)
    starts = StateDistribution.logged(length: s).resolved(by: model)
    sensors = hasSensorNoise ? model.sensorDeviations : Array(repeating: 0, count: s)
    carries = Array(repeating: 0, count: particles * carry)
    functions = Array(repeating: 0, count: particles * function)
    _ = try begin(seed: seed)
  }

  /// B that callers may ask for.
  package static let possibleParticles = 1...1_000_000
  /// Of actions and first states of a caller, in their units: what is beyond is a mistake.
  package static let largestNumber = 1e9

  /// States of which a machine's sensors tell; the others are derived from them.
  package var measured: [Int] { model.layout.measured }

  /// Begins episodes.
  ///
  /// - Parameters:
  ///   - which: particles; nil for all.
  ///   - seed: of starts, functions and noise; nil goes on with the one before, in other episodes.
  ///   - state: where they begin [S], physical units; nil for logged states, drawn.
  /// - Returns: what is measured of them [particles][S].
  package func reset(
    _ which: [Int]? = nil, seed: UInt64? = nil, to state: [Double]? = nil
  ) throws -> [[Double]] {
    rows(try begin(which, seed: seed, to: state))
  }

  /// The same with what is measured row by row [particles * S].
  package func begin(
    _ which: [Int]? = nil, seed: UInt64? = nil, to state: [Double]? = nil
  ) throws -> [Double] {
    if let seed { (self.seed, steps, episodes) = (seed, 0, 0) }
    if let which, which.isEmpty { return [] }
    // After 2^31 episodes or 2^32 steps draws are those of the first ones again.
    let key = DrawKey(seed: self.seed, iteration: Self.firstEpisode | episodes)
    episodes = (episodes + 1) % Self.firstEpisode
    let (c, f) = (rollout.program.carryLength, rollout.program.functionLength)
    let which = which ?? Array(0..<particles)
    // Those that begin together are numbered among themselves: functions cost, and only these are drawn.
    let drawn = f == 0 ? [] : rollout.functionDraws(which.count, key)
    for (number, b) in which.enumerated() {
      let first = state ?? starts.draw(particle: number, key: key, for: .initialStates)
      let carry = rollout.start(
        state: model.stateStandardiser.standardise(first), particle: number, key: key)
      carries.replaceSubrange(b * c..<(b + 1) * c, with: carry)
      functions.replaceSubrange(b * f..<(b + 1) * f, with: drawn[number * f..<(number + 1) * f])
    }
    return measurements(of: which)
  }

  /// One time step of all particles.
  ///
  /// - Parameter actions: [B][A], physical units.
  /// - Returns: what is measured of them [B][S]. Throws: `ExecutionError`.
  package func step(_ actions: [[Double]]) throws -> [[Double]] {
    precondition(actions.count == particles, "\(actions.count) actions of \(particles) particles")
    return rows(try step(flat: actions.flatMap(\.self)))
  }

  /// The same with actions row by row [B * A]. Returns: what is measured [B * S].
  package func step(flat actions: [Double]) throws -> [Double] {
    let scaled = policy.commandStandardiser
    let count = scaled.mean.count
    precondition(
      actions.count == particles * count, "\(actions.count) actions of \(particles) x \(count)")
    var goals = actions
    for b in 0..<particles {
      for j in 0..<count {
        goals[b * count + j] = (actions[b * count + j] - scaled.mean[j]) / scaled.scale[j]
      }
    }
    let result = try executor.trajectories(
      RolloutBatch(
        parameters: [], initialStates: carries, goals: goals, particles: particles, horizon: 1,
        draws: DrawKey(seed: seed, iteration: steps), functionDraws: functions))
    steps &+= 1
    carries = Array(result.states.suffix(carries.count))
    return measurements(of: Array(0..<particles))
  }

  /// The true states [B][S], physical units.
  package var states: [[Double]] { rows(flatStates) }

  /// The same row by row [B * S].
  package var flatStates: [Double] { trueStates(of: Array(0..<particles)) }

  private func rows(_ flat: [Double]) -> [[Double]] {
    let s = model.layout.states.count
    return stride(from: 0, to: flat.count, by: s).map { Array(flat[$0..<$0 + s]) }
  }

  /// [particles * S]
  private func trueStates(of which: [Int]) -> [Double] {
    let (s, c) = (model.layout.states.count, rollout.program.carryLength)
    let (mean, scale) = (model.stateStandardiser.mean, model.stateStandardiser.scale)
    var states = [Double](repeating: 0, count: which.count * s)
    for (number, b) in which.enumerated() {
      for i in 0..<s { states[number * s + i] = carries[b * c + i] * scale[i] + mean[i] }
    }
    return states
  }

  /// [particles * S]
  private func measurements(of which: [Int]) -> [Double] {
    var measured = trueStates(of: which)
    guard sensors.contains(where: { $0 > 0 }) else { return measured }
    let key = DrawKey(seed: seed, stream: .simulatedSensors)
    let (s, step) = (sensors.count, Int(steps) + Int(episodes) << 32)
    withUnsafeTemporaryAllocation(of: Double.self, capacity: s) { noise in
      noise.initialize(repeating: 0)
      for (number, b) in which.enumerated() {
        key.fillNormals(particle: b, step: step, noise)
        for i in 0..<s { measured[number * s + i] += sensors[i] * noise[i] }
      }
    }
    return measured
  }

  /// Starts and functions have iterations that no step has.
  private static let firstEpisode = UInt32(1) << 31

  private static func sampler(
    _ model: DynamicsModel, _ commands: [ClosedRange<Double>], _ doubt: SimulatedDoubt
  ) throws -> (any PosteriorSampler, SimulatedDoubt) {
    let options = SamplerOptions()
    if doubt == .function, model.processes.allSatisfy({ !$0.isNoise }),
      let functions = try model.functionSampler(options, actionLimits: commands)
    {
      return (functions, .function)
    }
    let marginal = try model.sampler(options, actionLimits: commands).sampler
    return doubt == .none ? (WithoutDraws(marginal), .none) : (marginal, .steps)
  }
}

/// A sampler's draws at zero: its mean.
private struct WithoutDraws: PosteriorSampler {
  let sampler: any PosteriorSampler
  init(_ sampler: any PosteriorSampler) { self.sampler = sampler }

  var name: SamplerName { sampler.name }
  var summary: String { "\(sampler.summary), its mean" }
  var data: [String: [Double]] { sampler.data }
  var functionLength: Int { sampler.functionLength }
  func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    Array(repeating: 0, count: particles * functionLength)
  }
  func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    sampler.increments(
      at: x, draws: x.builder.zeros(draws.length), functionOffset: functionOffset)
  }
}

extension DynamicsModel {
  /// Of each action, between which commands the logs have it, as far as the model reads it; -1 ... 1 where it does not [A].
  fileprivate var commandBounds: [ClosedRange<Double>] {
    layout.actions.indices.map { action in
      let bounds = form.features.indices.filter { form.features[$0].action == action }
        .map { featureBounds[$0] }
      guard let first = bounds.first else { return -1...1 }
      return bounds.reduce(first) {
        min($0.lowerBound, $1.lowerBound)...max($0.upperBound, $1.upperBound)
      }
    }
  }
}

extension InputFeature {
  /// The action whose command it is, filtered or not; nil of others.
  fileprivate var action: Int? {
    switch self {
    case .action(let action, _): action
    case .filteredAction(let action, _): action
    case .state, .sine, .cosine, .disturbance, .formula: nil
    }
  }
}
