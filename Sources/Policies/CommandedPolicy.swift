// SPDX-License-Identifier: Apache-2.0
// A policy whose goal is the command. A rollout of one step with it is a model's step, driven from outside.

import Formulas
import Programs

extension Policy {
  /// A policy whose goals are commands of its limits, -1 ... 1 (`commandStandardiser`).
  ///
  /// - Parameters:
  ///   - states: of the rollout's model; nothing of them is read.
  ///   - lower: limits of the actions, physical units.
  ///   - upper: the same.
  package static func commanded(states: Int, lower: [Double], upper: [Double]) -> Policy {
    let actions = lower.count
    // A goal of a quantity is any number; nothing asks what the quantity is.
    let commands = (0..<actions).map { _ in
      Quantity(name: "command", units: "", definition: .state(0))
    }
    let inputs = PolicyInputs(
      stateLength: states, actionLength: actions, goal: .concatenated, goalQuantities: commands)
    return Policy(
      form: .custom("commanded"), inputs: inputs, lower: lower, upper: upper, largestChange: [],
      rest: nil, parameterCount: 0, parameterBlocks: [], initialParameters: { _ in [] },
      law: Law(start: []) { reading, _ in
        let limit = reading.builder.constant(Array(repeating: 1, count: actions))
        return Law.Answer(
          command: inputs.required(reading.goal).clamped(lower: -limit, upper: limit))
      })
  }

  /// Commands of limits -1 ... 1 from physical ones.
  package var commandStandardiser: GoalStandardiser {
    GoalStandardiser(
      mean: zip(lower, upper).map { 0.5 * ($0 + $1) },
      scale: zip(lower, upper).map { 0.5 * ($1 - $0) })
  }
}
