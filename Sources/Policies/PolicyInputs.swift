// SPDX-License-Identifier: Apache-2.0
// What a policy reads: standardised states (angles as sine and cosine) and, as options, disturbances, the goal, and its own last
// actions, which show where a machine with transport delay is moving.
//
//   z = [states | disturbances | goal, or goal - what it is of | actions 1 ... actionHistory rows ago, limits mapped to -1 ... 1]

import Formulas
import Programs

/// How a goal enters a policy.
package enum GoalInput: String, Hashable, Sendable, Codable, CaseIterable {
  /// The policy does not see the goal (Experiment 1: one fixed goal).
  case none
  /// Inputs are (state, goal).
  case concatenated
  /// Inputs are (state, goal - state), or (state, goal - quantities of the state).
  case error
}

/// The inputs of a policy.
package struct PolicyInputs: Hashable, Sendable {
  /// Numbers that it has of the machine [S + W]: states, and after them the disturbances that it sees.
  package var stateLength: Int
  /// W, how many of those are disturbances.
  package var disturbanceLength: Int
  package var actionLength: Int
  package var goal: GoalInput
  /// What goals are of; nil for the states.
  package var goalQuantities: [Quantity]?
  /// States that enter as sine and cosine.
  package var angles: [Int]
  /// Radians in the unit of each of them; nil where all are in radians.
  package var radians: [Double]?
  /// Rows of past actions.
  package var actionHistory: Int
  /// Goals whose error the policy integrates, by their index [E]; beside z.
  package var integrated: [Int]

  package init(
    stateLength: Int, disturbanceLength: Int = 0, actionLength: Int, goal: GoalInput = .none,
    goalQuantities: [Quantity]? = nil, angles: [Int] = [], radians: [Double]? = nil,
    actionHistory: Int = 0, integrated: [Int] = []
  ) {
    self.radians = radians
    self.stateLength = stateLength
    self.disturbanceLength = disturbanceLength
    self.actionLength = actionLength
    (self.goal, self.goalQuantities) = (goal, goalQuantities)
    self.angles = angles
    self.actionHistory = actionHistory
    self.integrated = integrated
  }

  /// Length of z.
  package var length: Int {
    let states = stateLength + Set(angles).count
    let goals = goal == .none ? 0 : goalQuantities?.count ?? states - disturbanceLength
    return states + goals + actionHistory * actionLength
  }

  package var goalForm: GoalForm { goalQuantities.map { .quantities($0) } ?? ofStates }

  /// The machine's states alone.
  private var ofStates: GoalForm { .states(count: stateLength - disturbanceLength) }

  /// z from standardised states and disturbances [S + W], a goal [G] and past actions in -1 ... 1, newest first [actionHistory * A].
  func value(state: Value, goal: Value?, pastActions: Value?) -> Value {
    var parts = [features(state)]
    let own = own(state)
    switch self.goal {
    case .none: break
    case .concatenated:
      parts.append(goalQuantities == nil ? features(required(goal)) : required(goal))
    case .error where goalQuantities != nil: parts.append(required(goal) - reached(state))
    case .error: parts.append(features(required(goal) - own, isDifference: true))
    }
    if actionHistory > 0 { parts.append(required(pastActions)) }
    return parts.count == 1 ? parts[0] : state.builder.concatenate(parts)
  }

  /// Without the disturbances.
  private func own(_ state: Value) -> Value {
    disturbanceLength == 0 ? state : state[0..<ofStates.length]
  }

  /// What goals are of, standardised [G], from standardised states and disturbances [S + W].
  func reached(_ state: Value) -> Value {
    guard goalQuantities != nil else { return own(state) }
    return goalForm.standardised(goalForm.reached(ofStates.physical(own(state))))
  }

  /// Of all goals [G] those that are integrated [E].
  func integrated(_ goals: Value) -> Value {
    if integrated.elementsEqual(0..<goals.length) { return goals }
    return goals.builder.concatenate(integrated.map { goals[$0] })
  }

  /// A standardised difference of integrated goals [E], less whole turns where it is of an angle.
  func shorterWay(_ difference: Value) -> Value {
    guard goalQuantities == nil, integrated.contains(where: angles.contains) else {
      return difference
    }
    let builder = difference.builder
    return builder.concatenate(
      integrated.enumerated().map { e, state in
        guard let number = angles.firstIndex(of: state) else { return difference[e] }
        let scale = builder.shared(RolloutProgram.stateScale, offset: state, length: 1)
          .scaled(by: radians?[number] ?? 1)
        let angle = difference[e] * scale
        return atan2(sin(angle), cos(angle)) / scale
      })
  }

  private func features(_ x: Value, isDifference: Bool = false) -> Value {
    if angles.isEmpty { return x }
    let builder = x.builder
    func shared(_ array: String, _ i: Int) -> Value {
      builder.shared(array, offset: i, length: 1)
    }
    let parts = (0..<x.length).flatMap { i -> [Value] in
      guard let number = angles.firstIndex(of: i) else { return [x[i]] }
      let turned = x[i] * shared(RolloutProgram.stateScale, i)
      let angle = (isDifference ? turned : turned + shared(RolloutProgram.stateMean, i))
        .scaled(by: radians?[number] ?? 1)
      return [sin(angle), cos(angle)]
    }
    return builder.concatenate(parts)
  }

  func required(_ value: Value?) -> Value {
    guard let value else {
      preconditionFailure("the policy takes a goal or past actions and got none")
    }
    return value
  }
}
