// SPDX-License-Identifier: Apache-2.0
// A search that keeps constraints: it maximises the return minus each constraint's penalty times a multiplier (Lagrangian relaxation).
// At every evaluation the multiplier grows where too many particles leave their bound and shrinks where they do not (dual ascent, in
// the logarithm: returns and penalties have no common scale). A policy that keeps all constraints is better than one that does not,
// whatever their returns.

import Execution
import Rollouts

/// What a policy is judged by.
package struct PolicyJudgement: Hashable, Sendable {
  /// Mean return.
  package var value = -Double.infinity
  /// Sum over the constraints of how much the part of the particles that leave is above what the search allows itself; 0 where
  /// every constraint is kept.
  package var excess = 0.0

  /// Whether it keeps more of the constraints, or as much and earns more by at least `gain`.
  func isBetter(than other: PolicyJudgement, gain: Double = 0) -> Bool {
    guard value.isFinite else { return false }
    if !other.value.isFinite { return true }
    if excess != other.excess { return excess < other.excess }
    return gain > 0 ? value > other.value + gain : value > other.value
  }
}

extension SearchOptions {
  /// How much of a batch may leave a constraint on the way: half of what was asked for, since the best of many policies on one
  /// batch may be a lucky one; whole particles.
  func allowedPart(_ constraint: Int) -> Double {
    let count = (0.5 * allowedViolations[constraint] * Double(particles) + 1e-9).rounded(.down)
    return count / Double(particles)
  }

  /// Whether a batch leaves a constraint more than is allowed.
  func isLeft(_ constraint: Int, in returns: BatchReturns) -> Bool {
    returns.violatedPart(constraint) > allowedPart(constraint)
  }

  /// The judgement of a policy on the evaluation batch.
  func judgement(_ returns: BatchReturns) -> PolicyJudgement {
    let excess = allowedViolations.indices.reduce(0.0) {
      $0 + max(0, returns.violatedPart($1) - allowedPart($1))
    }
    return PolicyJudgement(value: returns.mean, excess: excess)
  }
}

extension BatchReturns {
  /// Particles that left a constraint at any step. All that diverged count too: what they did last is not added up.
  package func violations(_ constraint: Int) -> Int {
    let excesses = total(Rollout.excessIndex(ofConstraint: constraint))
    return min(excesses.count { !($0 <= 0) } + diverged, excesses.count)
  }

  func violatedPart(_ constraint: Int) -> Double {
    Double(violations(constraint)) / Double(totals.count / weights.count)
  }
}

extension SearchState {
  /// Growth of a multiplier at an evaluation with too many violations, and what is left of it at one without.
  private static let growth = 1.5
  private static let decay = 0.95
  /// The penalty's gradient is this part of the return's where a multiplier begins.
  private static let firstPart = 0.3

  /// The multipliers after an evaluation.
  ///
  /// - Parameters:
  ///   - left: whether each constraint is left more than is allowed; nil where that is not known.
  ///   - gradientNorm: length of the gradient of the weighted totals at the present parameters.
  /// - Throws: what `gradientNorm` throws.
  func adaptedMultipliers(
    where left: [Bool?], gradientNorm: (_ weights: [Double]) throws -> Double
  ) rethrows -> [Double] {
    try multipliers.enumerated().map { index, multiplier in
      guard let isLeft = left[index] else { return multiplier }
      guard isLeft else { return multiplier * Self.decay }
      guard multiplier == 0 else {
        return min(multiplier * Self.growth, Self.largestMultiplier)
      }
      let ofReturn = try gradientNorm(
        Rollout.totalWeights(multipliers: multipliers.map { _ in 0 }))
      let ofPenalty = try gradientNorm(
        [0] + multipliers.indices.flatMap { [0, $0 == index ? 1 : 0] })
      let first = Self.firstPart * ofReturn / ofPenalty
      // Where the penalty has no slope there is nothing to weigh yet.
      return ofPenalty > 1e-8 && first.isFinite ? min(first, Self.largestMultiplier) : 0
    }
  }

  /// Beyond it a penalty drowns the return in single precision.
  static let largestMultiplier = 1e12
}
