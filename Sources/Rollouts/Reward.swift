// SPDX-License-Identifier: Apache-2.0
// Rewards: (state, goal, action, previous action) -> a number to be maximised, as a program. A user's own
// reward is a closure over program values; the standard rewards are below and can be added.

import Formulas
import Policies
import Programs

/// What a reward may read, for one particle and one time step.
public struct RewardInputs {
  /// Standardised [S].
  package let state: Value
  /// In physical units [S].
  public let physicalState: Value
  /// What goals are of.
  package let goalForm: GoalForm
  /// Standardised [G]: the goal, and what it is of at this state.
  package let goal: Value
  package let reached: Value
  /// In physical units [G].
  public let physicalGoal: Value
  public let physicalReached: Value
  /// Physical units [A]: the action that led to `state`, and the one before it.
  public let action: Value
  public let previousAction: Value

  /// - Parameters:
  ///   - state: standardised [S].
  ///   - physicalState: the same in physical units.
  ///   - goal: standardised [G].
  ///   - form: what goals are of.
  ///   - action: physical [A].
  ///   - previousAction: the one before.
  init(
    state: Value, physicalState: Value, goal: Value, of form: GoalForm, action: Value,
    previousAction: Value
  ) {
    let reached = form.reached(physicalState)
    self.init(
      state: state, physicalState: physicalState, goalForm: form, goal: goal,
      reached: form.quantities == nil ? state : form.standardised(reached),
      physicalGoal: form.physical(goal), physicalReached: reached, action: action,
      previousAction: previousAction)
  }

  fileprivate init(
    state: Value, physicalState: Value, goalForm: GoalForm, goal: Value, reached: Value,
    physicalGoal: Value, physicalReached: Value, action: Value, previousAction: Value
  ) {
    (self.state, self.physicalState, self.goalForm) = (state, physicalState, goalForm)
    (self.goal, self.reached) = (goal, reached)
    (self.physicalGoal, self.physicalReached) = (physicalGoal, physicalReached)
    (self.action, self.previousAction) = (action, previousAction)
  }

  /// The same at another physical state [S]; what goals are of stays.
  func withPhysicalState(_ physicalState: Value) -> RewardInputs {
    RewardInputs(
      state: state, physicalState: physicalState, goalForm: goalForm, goal: goal, reached: reached,
      physicalGoal: physicalGoal, physicalReached: physicalReached, action: action,
      previousAction: previousAction)
  }
}

/// The units in which a reward measures the distance to the goal.
package enum RewardUnits: String, Hashable, Sendable, Codable {
  case standardised
  case physical
}

/// An immediate reward r(x, x_g).
public struct Reward: Sendable {
  package let body: @Sendable (RewardInputs) -> Value
  /// Whether it reads `previousAction`, which rollouts then carry along.
  package let usesPreviousAction: Bool
  /// Values of the shared arrays that it reads.
  package let data: [String: [Double]]

  /// A user's own reward.
  ///
  /// - Parameters:
  ///   - usesPreviousAction: whether it reads `previousAction`, which rollouts then keep.
  ///   - body: the reward of one particle at one step, a value of length 1.
  public init(
    usesPreviousAction: Bool = false, _ body: @escaping @Sendable (RewardInputs) -> Value
  ) {
    self.init(usesPreviousAction: usesPreviousAction, data: [:], body)
  }

  package init(
    usesPreviousAction: Bool = false, data: [String: [Double]],
    _ body: @escaping @Sendable (RewardInputs) -> Value
  ) {
    self.data = data
    self.usesPreviousAction = usesPreviousAction
    self.body = body
  }

  /// exp(-(x - x_g)^T Q (x - x_g) / (2 width^2)), Q = diag(weights) (paper, equation 8).
  ///
  /// - Parameters:
  ///   - weights: [G]
  ///   - width: in the units of the distance, over the square root of a weight.
  ///   - units: of the distance.
  ///   - turns: a full turn of each that turns, in those units, nil of others [G]; empty where none turns.
  package static func saturating(
    weights: [Double], width: Double = 1, units: RewardUnits = .standardised,
    turns: [Double?] = []
  ) -> Reward {
    Reward { inputs in
      exp(-1 / (2 * width * width) * squaredDistance(inputs, weights, units, turns))
    }
  }

  /// -(x - x_g)^T Q (x - x_g) - u^T R u, Q and R diagonal; units and turns as of `saturating`.
  package static func quadratic(
    weights: [Double], actionWeights: [Double] = [], units: RewardUnits = .standardised,
    turns: [Double?] = []
  ) -> Reward {
    Reward { inputs in
      let cost = squaredDistance(inputs, weights, units, turns)
      guard actionWeights.contains(where: { $0 != 0 }) else { return -cost }
      let u = inputs.action
      return -(cost + dot(u.builder.constant(actionWeights), u * u))
    }
  }

  /// -weight ||u - u_previous||^2, in physical units.
  package static func actionChangePenalty(_ weight: Double) -> Reward {
    Reward(usesPreviousAction: true) { inputs in
      let change = inputs.action - inputs.previousAction
      return -weight * dot(change, change)
    }
  }

  /// A formula over states, what goals are of (`goals`), `goal.NAME`, actions and `previous.ACTION`, all in physical units.
  package static func formula(
    _ formula: Formula, states: [String], goals: [String], actions: [String]
  ) -> Reward {
    Reward(usesPreviousAction: formula.names.contains { $0.hasPrefix("previous.") }) { inputs in
      func element(_ name: String, _ names: [String], _ value: Value) -> Value {
        guard let index = names.firstIndex(of: name) else {
          preconditionFailure("'\(name)' is not among \(names)")
        }
        return value[index]
      }
      return formula.value(inputs.state.builder) { name in
        if name.hasPrefix("goal.") {
          return element(String(name.dropFirst(5)), goals, inputs.physicalGoal)
        }
        if name.hasPrefix("previous.") {
          return element(String(name.dropFirst(9)), actions, inputs.previousAction)
        }
        if goals.contains(name) { return element(name, goals, inputs.physicalReached) }
        return states.contains(name)
          ? element(name, states, inputs.physicalState) : element(name, actions, inputs.action)
      }
    }
  }

  /// r(x_g + n (x - x_g), x_g, u): the reward of a state n times as far from the goal. With n < 1 it reaches farther: where the
  /// reward itself is flat, its gradient leads nowhere. n is the shared array `nearnessArray`, one a goal; 1 of angles that
  /// turn, whose way to the goal has two sides. Where goals are of quantities, these come nearer and the state stays.
  ///
  /// - Parameter goals: G
  package func widened(goals: Int) -> Reward {
    Reward(
      usesPreviousAction: usesPreviousAction,
      data: SharedArrays.joined([
        data, [Self.nearnessArray: Array(repeating: 1, count: goals)],
      ])
    ) { inputs in
      let nearness = inputs.state.builder.shared(Self.nearnessArray, length: goals)
      func nearer(_ x: Value, _ goal: Value) -> Value { goal + nearness * (x - goal) }
      let reached = nearer(inputs.reached, inputs.goal)
      let physicalReached = nearer(inputs.physicalReached, inputs.physicalGoal)
      let isOfStates = inputs.goalForm.quantities == nil
      return body(
        RewardInputs(
          state: isOfStates ? reached : inputs.state,
          physicalState: isOfStates ? physicalReached : inputs.physicalState,
          goalForm: inputs.goalForm, goal: inputs.goal, reached: reached,
          physicalGoal: inputs.physicalGoal, physicalReached: physicalReached,
          action: inputs.action, previousAction: inputs.previousAction))
    }
  }

  package static let nearnessArray = "reward_nearness"

  package static func + (a: Reward, b: Reward) -> Reward {
    Reward(
      usesPreviousAction: a.usesPreviousAction || b.usesPreviousAction,
      data: SharedArrays.joined([a.data, b.data])
    ) { a.body($0) + b.body($0) }
  }
}

/// (x - x_g)^T diag(weights) (x - x_g). The difference of two angles that turn is the chord between them, 2 sin(d / 2), which
/// is d where that is small, and smooth where the shorter way changes sides.
private func squaredDistance(
  _ inputs: RewardInputs, _ weights: [Double], _ units: RewardUnits, _ turns: [Double?]
) -> Value {
  let error =
    switch units {
    case .standardised: inputs.reached - inputs.goal
    case .physical: inputs.physicalReached - inputs.physicalGoal
    }
  precondition(
    weights.count == error.length, "\(weights.count) reward weights for \(error.length) goals")
  guard turns.contains(where: { $0 != nil }) else {
    return dot(error.builder.constant(weights), error * error)
  }
  precondition(turns.count == weights.count, "\(turns.count) turns for \(weights.count) goals")
  let squares = weights.indices.map { i -> Value in
    guard let turn = turns[i] else { return error[i] * error[i] }
    let radian = turn / (2 * .pi)
    let half = sin(error[i] * (0.5 / radian))
    return 4 * radian * radian * (half * half)
  }
  return dot(error.builder.constant(weights), error.builder.concatenate(squares))
}
