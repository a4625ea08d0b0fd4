// SPDX-License-Identifier: Apache-2.0
// How often rollouts of a policy leave its constraints: counted in batches with draws of their own, through functions of the posterior.
// Where a model's mean is wrong it is so at every step, which draws of each step for itself average out.
//
// Particles that share a function are no independent trials. So the bound of the probability is that of Korn and Graubard (1998): of
// Clopper and Pearson for k / d violations of N / d trials, with the design effect
//
//   d = max(1, s^2 B / (p (1 - p)))      p = k / N, s^2 the variance of the batches' parts, B particles a batch
//
// and of as many trials as there are functions where none is violated. A few violations tell too little of d; so what decides about a
// policy counts one batch more, all of which leaves the constraint.

import Draws
import Execution
import Foundation
import LinearAlgebra
import Rollouts

/// Counts violations.
package struct ViolationCounter {
  /// Where a batch has its functions.
  package enum Functions {
    /// Each particle draws its own, if the sampler draws functions.
    case ofParticles
    /// All particles of a batch go through one, which the executor is given in the place of shared arrays: the values by name of as many
    /// functions as are asked for, by the key of their draws.
    case ofBatches((_ count: Int, DrawKey) -> [[String: [Double]]])
  }

  let rollout: Rollout
  private let executor: any RolloutExecutor
  private let functions: Functions
  /// B of its batches.
  private let particles: Int

  /// Functions that are made at a time.
  private static let functionsAtOnce = 32

  /// - Parameters:
  ///   - rollout: what it runs.
  ///   - executor: of the rollout; nobody else's where functions are of batches.
  ///   - functions: where a batch has its functions.
  ///   - particles: of a batch.
  package init(
    _ rollout: Rollout, _ executor: any RolloutExecutor, functions: Functions, particles: Int
  ) {
    (self.rollout, self.executor) = (rollout, executor)
    (self.functions, self.particles) = (functions, particles)
  }

  /// Rollouts that can show that a policy keeps a constraint.
  ///
  /// - Parameters:
  ///   - allowed: how likely it may be left.
  ///   - violations: so many are expected of a policy that leaves it as often as it may.
  ///   - confidence: of the bound; without a violation as many functions are needed as it takes trials.
  func rollouts(confirming allowed: Double, violations: Double, confidence: Double) -> Int {
    let wanted = Int((violations / allowed).rounded(.up))
    guard case .ofBatches = functions else { return wanted }
    let trials = log(1 - confidence) / log1p(-min(allowed, 0.999))
    // A few violations are no proof against it.
    return max(wanted, Int((Self.moreThanNone * trials).rounded(.up)) * particles)
  }

  /// Trials that prove a constraint with a few violations, of those that prove it without any.
  private static let moreThanNone = 2.0

  /// Counts.
  ///
  /// - Parameters:
  ///   - rollouts: rounded up to whole batches.
  ///   - constraints: C
  ///   - first: iteration whose draws the first batch has; the others follow.
  ///   - seed: of functions that batches share.
  ///   - batch: starts, goals and draws of an iteration of this rollout, of so many particles.
  ///   - goesOn: asked before every batch, with what was counted so far.
  /// - Throws: `ExecutionError`.
  func count(
    _ rollouts: Int, constraints: Int, first: UInt32, seed: UInt64,
    batch: (_ iteration: UInt32, _ particles: Int) -> RolloutBatch,
    goesOn: (ViolationCount) -> Bool
  ) throws -> ViolationCount {
    let batches = (rollouts + particles - 1) / particles
    var isShared = false
    if case .ofBatches = functions { isShared = true }
    var count = ViolationCount(
      constraints: constraints, particles: particles, sharesFunctions: isShared)
    var tables: [[String: [Double]]] = []
    for index in 0..<batches {
      guard goesOn(count) else { return count }
      if case .ofBatches(let make) = functions {
        if index % Self.functionsAtOnce == 0 {
          tables = make(
            min(Self.functionsAtOnce, batches - index),
            DrawKey(seed: seed, iteration: first + UInt32(index)))
        }
        for (name, values) in tables[index % Self.functionsAtOnce] {
          try executor.rebind(name, values)
        }
      }
      count.add(try executor.returns(batch(first + UInt32(index), particles)))
    }
    return count
  }
}

/// What was counted.
package struct ViolationCount: Sendable {
  /// Rollouts that left each constraint in any step [C], of how many.
  package private(set) var violations: [Int]
  package private(set) var rollouts = 0
  /// Sums of the squares of each batch's violations [C].
  private var squares: [Int]
  private let particles: Int
  private let sharesFunctions: Bool

  /// Functions that the rollouts share; nil where each has its own.
  package var functions: Int? { sharesFunctions ? rollouts / particles : nil }

  package init(constraints: Int, particles: Int, sharesFunctions: Bool) {
    violations = Array(repeating: 0, count: constraints)
    squares = violations
    (self.particles, self.sharesFunctions) = (particles, sharesFunctions)
  }

  mutating func add(_ returns: BatchReturns) {
    add(violations.indices.map(returns.violations))
  }

  /// Adds the violations of a batch [C].
  package mutating func add(_ own: [Int]) {
    for c in violations.indices {
      violations[c] += own[c]
      squares[c] += own[c] * own[c]
    }
    rollouts += particles
  }

  /// d of a constraint: how many rollouts are worth one independent one.
  package func designEffect(_ constraint: Int) -> Double {
    guard sharesFunctions, rollouts > particles else { return 1 }
    let (k, batches) = (Double(violations[constraint]), Double(rollouts / particles))
    guard k > 0 else { return Double(particles) }
    let (part, size) = (k / Double(rollouts), Double(particles))
    let mean = k / batches
    let variance = (Double(squares[constraint]) - batches * mean * mean) / (batches - 1)
    // Variance of a batch's part, over that of independent rollouts.
    let effect = variance / size / max(part * (1 - part), .leastNonzeroMagnitude)
    return min(max(1, effect), size)
  }

  /// Whether a constraint is left more than is allowed, as far as the count can tell with confidence.
  ///
  /// - Parameters:
  ///   - constraint: which.
  ///   - allowed: how likely it may be left.
  ///   - confidence: of the bound, 0 to 1.
  ///   - planned: as if no more were left in so many rollouts; nil for those that were counted.
  package func isLeft(
    _ constraint: Int, allowed: Double, confidence: Double, of planned: Int? = nil
  ) -> Bool {
    var cautious = self
    if sharesFunctions { cautious.add(violations.map { _ in particles }) }
    return binomialUpperBound(
      count: cautious.violations[constraint], trials: planned ?? cautious.rollouts,
      confidence: confidence, designEffect: cautious.designEffect(constraint)) > allowed
  }
}
