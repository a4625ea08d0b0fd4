// SPDX-License-Identifier: Apache-2.0
// Violations of constraints: counted in rollouts of the model, and in episodes of the plant.

import LinearAlgebra
import MachineLogs
import PolicySearch
import Tasks

/// How often a constraint was left.
package struct ConstraintFigures: Sendable {
  /// What was to be kept.
  package var constraint: ControlTask.Constraint
  /// Rollouts or episodes that left it in any step, of how many.
  package var violations: Int
  package var trials: Int
  /// How many of them are worth one independent one: more than 1 where rollouts share a function of the posterior.
  package var designEffect = 1.0
  /// Functions of the posterior that they share; nil where each has its own.
  package var functions: Int?
  /// Weight of its penalty at the search's end; nil on a plant.
  package var multiplier: Double?

  /// Of the probability to leave it, 95 %, one-sided (Clopper and Pearson; of rollouts that share functions Korn and Graubard).
  package var upperBound95: Double {
    let bound = binomialUpperBound(
      count: violations, trials: trials, designEffect: designEffect)
    // A few violations tell little of the design effect: no less than if there were none.
    return max(bound, functions.map { binomialUpperBound(count: 0, trials: $0) } ?? 0)
  }
  /// How likely leaving it may be.
  package var allowed: Double { 1 - constraint.probability }
  /// Whether it is kept with the probability that was asked for, as far as the count tells.
  package var isKept: Bool { upperBound95 <= allowed }

  private var boundWords: String {
    "at most \(number(100 * upperBound95)) % (95 % confidence); allowed: \(number(100 * allowed)) %"
  }

  /// What was counted on the model.
  package var sentence: String {
    "\(isKept ? "keeps" : "DOES NOT KEEP") \(constraint.words), if the model is right: "
      + "\(violations) of \(trials) rollouts violate it, \(boundWords)"
  }

  /// What is promised: counted on models of half of the rows each.
  package var promise: String {
    "\(constraint.words): \(violations) of \(trials) rollouts violate it on models of half of the rows each, at most "
      + "\(number(100 * upperBound95)) % (95 % sure)"
  }

  /// What a plant left, beside this as the promise: more than is likely at the promised bound (5 %) breaks it.
  func score(violations: Int, of trials: Int) -> PromiseScore.ConstraintScore {
    let least = 1 - binomialUpperBound(count: trials - violations, trials: max(trials, 1))
    return .init(
      violations: violations, trials: trials,
      isKept: violations == 0 || least <= upperBound95)
  }

  /// What was counted on the plant.
  package var plantSentence: String {
    "\(constraint.words): violated in \(violations) of \(trials) episodes on the plant, \(boundWords)"
  }
}

extension ControlTask {
  /// Rollouts in which violations are counted, at least.
  package static let countedRollouts = 100_000

  /// Counts what the best policy of a search leaves; nil where `progress` ends it.
  func countViolations(
    by optimizer: PolicyOptimizer, _ progress: (SearchState) -> Bool
  ) throws -> [ConstraintFigures]? {
    let (constraints, state) = (constraints, optimizer.state)
    guard !constraints.isEmpty else { return [] }
    let counted = try optimizer.countViolations(
      state.bestParameters, rollouts: Self.countedRollouts
    ) { progress(state) }
    guard let counted else { return nil }
    return constraints.indices.map {
      ConstraintFigures(
        constraint: constraints[$0], violations: counted.violations[$0],
        trials: counted.rollouts, designEffect: counted.designEffect($0),
        functions: counted.functions,
        multiplier: state.multipliers[$0])
    }
  }

  /// How many of the plant's episodes left each constraint.
  package func violations(in evaluation: Evaluation) -> [ConstraintFigures] {
    constraints.map { constraint in
      ConstraintFigures(
        constraint: constraint,
        violations: evaluation.episodes.count { isLeft(constraint, by: $0.episode) },
        trials: evaluation.episodes.count)
    }
  }
}
