// SPDX-License-Identifier: Apache-2.0
// Policies: (standardised state, standardised goal) -> action in physical units within its limits.
// A policy is a closure over program values, so one definition is differentiated in rollouts and
// evaluated on the machine. In: [stateLength], [goalLength]; parameters theta [P] in the shared array
// "parameters". Out: u = middle + half range * tanh(raw), so limits hold by construction.

import Programs

/// How a goal enters a policy.
public enum GoalInput: String, Hashable, Sendable, Codable {
  /// The policy does not see the goal (Experiment 1: one fixed goal).
  case none
  /// Inputs are (state, goal).
  case concatenated
  /// Inputs are (state, goal - state).
  case error
}

/// A deterministic feedback policy pi_theta(x, x_g).
public struct Policy: Sendable {
  /// What can be written to a file and read back; `custom` policies live in their program only.
  public enum Architecture: Hashable, Sendable {
    /// Feedforward network with tanh hidden layers of these widths.
    case network(hidden: [Int])
    case linear
    /// Gaussian basis functions.
    case radialBasis(count: Int)
    case custom(String)
  }

  public let architecture: Architecture
  public let goalInput: GoalInput
  public let stateLength: Int
  public let goalLength: Int
  /// Physical limits of each action.
  public let lower: [Double]
  public let upper: [Double]
  /// P
  public let parameterCount: Int
  /// theta at the start, from a seed.
  public let initialParameters: @Sendable (UInt64) -> [Double]
  /// Inputs -> raw actions before squashing, both standardised.
  private let body: @Sendable (Value) -> Value

  /// A policy from a closure that maps its inputs [inputLength] to raw actions [lower.count]; it reads
  /// its parameters by `inputs.builder.shared(RolloutProgram.parameters, ...)`.
  public init(
    architecture: Architecture, goalInput: GoalInput, stateLength: Int, goalLength: Int,
    lower: [Double], upper: [Double], parameterCount: Int,
    initialParameters: @escaping @Sendable (UInt64) -> [Double],
    body: @escaping @Sendable (Value) -> Value
  ) {
    precondition(
      lower.count == upper.count && zip(lower, upper).allSatisfy { $0 < $1 },
      "action limits \(lower) ... \(upper)")
    self.architecture = architecture
    self.goalInput = goalInput
    self.stateLength = stateLength
    self.goalLength = goalLength
    self.lower = lower
    self.upper = upper
    self.parameterCount = parameterCount
    self.initialParameters = initialParameters
    self.body = body
  }

  public var actionLength: Int { lower.count }

  /// The physical action for a standardised state and goal of a program under construction.
  public func action(state: Value, goal: Value?) -> Value {
    let builder = state.builder
    let inputs: Value
    switch goalInput {
    case .none: inputs = state
    case .concatenated: inputs = builder.concatenate([state, required(goal)])
    case .error: inputs = builder.concatenate([state, required(goal) - state])
    }
    let raw = body(inputs)
    precondition(raw.length == actionLength, "\(raw.length) actions from the policy's closure")
    let middle = zip(lower, upper).map { 0.5 * ($0 + $1) }
    let half = zip(lower, upper).map { 0.5 * ($1 - $0) }
    let squashed = tanh(raw)
    let scaled = half.allSatisfy { $0 == 1 } ? squashed : squashed * builder.constant(half)
    return middle.allSatisfy { $0 == 0 } ? scaled : scaled + builder.constant(middle)
  }

  private func required(_ goal: Value?) -> Value {
    guard let goal else { preconditionFailure("the policy takes a goal and got none") }
    return goal
  }

  /// Length of the inputs to the closure.
  public static func inputLength(state: Int, goal: Int, _ input: GoalInput) -> Int {
    switch input {
    case .none: state
    case .concatenated: state + goal
    case .error: 2 * state
    }
  }
}
