// SPDX-License-Identifier: Apache-2.0
// Execution: programs -> numbers. In: a `RolloutProgram`, its shared data, batches of initial states.
// Out: returns [B], the gradient of their mean [P], trajectories. Executors differ in how and where
// (InterpreterExecutor in double precision is the definition, HostExecutor runs emitted C, CUDAExecutor emitted
// CUDA C++); the draws are the same ones (Philox), so their results agree to rounding.

import Draws
import Programs

/// One batch of rollouts to run.
package struct RolloutBatch: Sendable {
  /// theta [P]
  package var parameters: [Double]
  /// [B, carryLength] row-major
  package var initialStates: [Double]
  /// [B, goalLength] row-major
  package var goals: [Double]
  /// [B, functionLength] row-major; empty where particles draw no functions.
  package var functionDraws: [Double]
  /// What the gradient is of: the mean of the totals weighted with these [1 + C]. Empty for the return alone.
  package var totalWeights: [Double]
  /// B
  package var particles: Int
  /// H, steps
  package var horizon: Int
  package var draws: DrawKey

  package init(
    parameters: [Double], initialStates: [Double], goals: [Double], particles: Int, horizon: Int,
    draws: DrawKey, functionDraws: [Double] = [], totalWeights: [Double] = []
  ) {
    self.totalWeights = totalWeights
    self.parameters = parameters
    self.initialStates = initialStates
    self.goals = goals
    self.functionDraws = functionDraws
    self.particles = particles
    self.horizon = horizon
    self.draws = draws
  }
}

/// What a batch has added up.
package struct BatchReturns: Sendable {
  /// Return and costs of each particle [B, 1 + C].
  package var totals: [Double]
  /// Of the totals in the objective [1 + C].
  package var weights: [Double]
  /// Particles that left the state limit and were frozen.
  package var diverged: Int
  /// Fraction of particle-steps with an interpolation argument outside its table's box.
  package var outsideFraction: Double

  /// Return of each particle [B].
  package var returns: [Double] { total(0) }

  /// One of the totals, of each particle [B].
  package func total(_ index: Int) -> [Double] {
    stride(from: index, to: totals.count, by: weights.count).map { totals[$0] }
  }

  /// (1 / B) sum of the returns (Algorithm 1, line 16, with its sign turned).
  package var mean: Double { mean(0) }

  /// What a gradient is of: the weighted sum of the totals' means.
  package var objective: Double {
    weights.indices.reduce(0) { weights[$1] == 0 ? $0 : $0 + weights[$1] * mean($1) }
  }

  private func mean(_ index: Int) -> Double {
    let values = total(index)
    return values.reduce(0, +) / Double(values.count)
  }
}

/// Totals and the gradient of their weighted mean.
package struct BatchGradient: Sendable {
  package var returns: BatchReturns
  /// d objective / d theta [P]
  package var gradient: [Double]
  /// Particles with an element of the adjoint beyond `RolloutProgram.adjointLimit`, which was set to zero.
  package var truncated: Int
}

/// States, actions and rewards of every particle and step.
package struct BatchTrajectories: Sendable {
  package var returns: BatchReturns
  /// Carries; a particle's state is their beginning [H + 1, B, carryLength]
  package var states: [Double]
  /// [H, B, actionLength]
  package var actions: [Double]
  package let particles: Int
  package let horizon: Int
  package let carryLength: Int
  package let actionLength: Int

  /// What a particle carries at a step, 0 ... H.
  package func carry(step: Int, particle: Int) -> ArraySlice<Double> {
    let start = (step * particles + particle) * carryLength
    return states[start..<start + carryLength]
  }

  /// Action of a particle at a step, 0 ..< H.
  package func action(step: Int, particle: Int) -> ArraySlice<Double> {
    let start = (step * particles + particle) * actionLength
    return actions[start..<start + actionLength]
  }
}

/// Runs one rollout program on bound data. Not for concurrent use.
package protocol RolloutExecutor: AnyObject {
  var rollout: RolloutProgram { get }
  /// What runs it, in words, such as "host, 2 threads, 16 lanes".
  var device: String { get }
  /// Other values for one shared array, as many as before.
  func rebind(_ name: String, _ values: [Double]) throws
  func returns(_ batch: RolloutBatch) throws -> BatchReturns
  func gradient(_ batch: RolloutBatch) throws -> BatchGradient
  func trajectories(_ batch: RolloutBatch) throws -> BatchTrajectories
  /// Iterations that `ascend` runs without waiting for each other's results: 1 but on a GPU.
  var iterationsInFlight: Int { get }
  /// Changes with anything but data and batches on which the bits of a batch of B particles depend.
  func fingerprint(particles: Int) -> String
  /// Gradient and Adam's update (Algorithm 1, lines 9-18), once a batch; the batches' own parameters are not read.
  /// `ascent` holds the parameters before and after. It ends with the first iteration whose return or gradient is not
  /// finite; that one has a record too.
  func ascend(_ batches: [RolloutBatch], from ascent: inout Ascent) throws -> [AscentRecord]
}

extension RolloutProgram {
  /// The values of a shared array; one that is missing or too short is a caller's bug.
  func boundValues(of name: String, in data: [String: [Double]]) -> [Double] {
    guard let values = data[name] else {
      preconditionFailure("shared array '\(name)' is not bound; bound: \(data.keys.sorted())")
    }
    let least = leastCount(of: name, data: data)
    precondition(
      values.count >= least, "shared array '\(name)' has \(values.count) scalars, needs \(least)")
    return values
  }
}

extension RolloutBatch {
  /// Writes function draws [B, F] as [tiles][F][width], width particles a tile; what lies past the last particle stays.
  func packFunctionDraws(
    length: Int, width: Int, into packed: UnsafeMutablePointer<Float>
  ) {
    functionDraws.withUnsafeBufferPointer { draws in
      for particle in 0..<(length > 0 ? particles : 0) {
        let to = packed + particle / width * length * width + particle % width
        for i in 0..<length { to[i * width] = Float(draws[particle * length + i]) }
      }
    }
  }

  /// Checks lengths; a mismatch is a caller's bug.
  func validate(for rollout: RolloutProgram) {
    precondition(
      parameters.count == rollout.parameterCount,
      "\(parameters.count) parameters given, the rollout has \(rollout.parameterCount)")
    precondition(
      initialStates.count == particles * rollout.carryLength,
      "\(initialStates.count) initial state scalars, not \(particles) x \(rollout.carryLength)")
    precondition(
      goals.count == particles * rollout.goalLength,
      "\(goals.count) goal scalars given, not \(particles) x \(rollout.goalLength)")
    precondition(
      functionDraws.count == particles * rollout.functionLength,
      "\(functionDraws.count) function scalars given, not \(particles) x \(rollout.functionLength)")
    precondition(particles > 0 && horizon > 0, "B = \(particles), H = \(horizon)")
    precondition(
      horizon <= rollout.longestHorizon,
      "\(horizon) steps of a rollout made for \(rollout.longestHorizon)")
    precondition(
      totalWeights.isEmpty || totalWeights.count == rollout.totals.count,
      "\(totalWeights.count) weights for the totals \(rollout.totals)")
  }

  /// Weights of the totals [1 + C].
  func weights(for rollout: RolloutProgram) -> [Double] {
    totalWeights.isEmpty ? rollout.totals.indices.map { $0 == 0 ? 1 : 0 } : totalWeights
  }
}
