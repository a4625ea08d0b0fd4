// SPDX-License-Identifier: Apache-2.0
// The values that a task's goals refer to: all its states, or quantities of them. Goals are vectors [G] in that order, G = S for states;
// policies and rewards read them standardised, as the values they refer to.

import Formulas
import Programs

/// What goals are of.
package enum GoalForm: Hashable, Sendable {
  /// Every state, in their order; standardised as they are.
  case states(count: Int)
  /// These, with a standardiser of their own (`goalMean`, `goalScale`).
  case quantities([Quantity])

  /// Shared arrays [G] of a program with goals of quantities.
  package static let goalMean = "goal_mean"
  package static let goalScale = "goal_scale"

  /// G
  package var length: Int {
    switch self {
    case .states(let count): count
    case .quantities(let quantities): quantities.count
    }
  }

  package var quantities: [Quantity]? {
    if case .quantities(let quantities) = self { quantities } else { nil }
  }

  /// What goals are of at a state [S], all in physical units [G].
  package func reached(_ state: [Double]) -> [Double] {
    switch self {
    case .states: state
    case .quantities(let quantities): quantities.map { $0.value(state) }
    }
  }

  /// The same of a program.
  package func reached(_ state: Value) -> Value {
    guard let quantities else { return state }
    return state.builder.concatenate(quantities.map { $0.value(state) })
  }

  /// A goal [G] from physical units.
  package func standardised(_ goal: Value) -> Value {
    let builder = goal.builder
    let (mean, scale) = arrays
    return (goal - builder.shared(mean, length: length)) / builder.shared(scale, length: length)
  }

  /// A goal [G] in physical units.
  package func physical(_ goal: Value) -> Value {
    let builder = goal.builder
    let (mean, scale) = arrays
    return goal * builder.shared(scale, length: length) + builder.shared(mean, length: length)
  }

  private var arrays: (mean: String, scale: String) {
    quantities == nil
      ? (RolloutProgram.stateMean, RolloutProgram.stateScale) : (Self.goalMean, Self.goalScale)
  }
}

/// What goals of quantities are standardised by: (goal - mean) / scale.
package struct GoalStandardiser: Hashable, Sendable {
  /// [G], physical units.
  package let mean: [Double]
  package let scale: [Double]

  package init(mean: [Double], scale: [Double]) {
    precondition(mean.count == scale.count, "\(mean.count) means, \(scale.count) scales")
    (self.mean, self.scale) = (mean, scale)
  }

  /// Values of the shared arrays of programs with such goals.
  package var data: [String: [Double]] { [GoalForm.goalMean: mean, GoalForm.goalScale: scale] }
}
