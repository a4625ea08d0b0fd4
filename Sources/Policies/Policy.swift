// SPDX-License-Identifier: Apache-2.0
// Policies: (standardised state, standardised goal, past actions) -> action in physical units within its limits.
// A policy is a closure over program values, so one definition is differentiated in rollouts and evaluated on the
// machine. In: `PolicyInputs`; parameters theta [P] in the shared array "parameters". Out:
//
//   u = middle + half range * tanh(raw),  then at most the rate limit away from the last action
//
// so limits hold by construction.

import Programs

/// A tensor within theta.
public struct ParameterBlock: Hashable, Sendable {
  public let name: String
  public let offset: Int
  /// Row-major.
  public let shape: [Int]

  public init(name: String, offset: Int, shape: [Int]) {
    (self.name, self.offset, self.shape) = (name, offset, shape)
  }
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
  public let inputs: PolicyInputs
  /// Physical limits of each action.
  public let lower: [Double]
  public let upper: [Double]
  /// Largest change of each action a step, physical units; infinite for none. Empty for none at all.
  public let largestChange: [Double]
  /// What actuators are sent before the first action [A]; the machine's safe action.
  public let rest: [Double]
  /// P
  public let parameterCount: Int
  /// Where the layers' tensors stand in theta; empty for custom policies.
  public let parameterBlocks: [ParameterBlock]
  /// theta at the start, from a seed.
  public let initialParameters: @Sendable (UInt64) -> [Double]
  /// Inputs -> raw actions before squashing, both standardised.
  private let body: @Sendable (_ inputs: Value, _ dropout: Dropout) -> Value

  /// A policy from a closure that maps its inputs [inputs.length] to raw actions [lower.count]; it reads
  /// its parameters by `inputs.builder.shared(RolloutProgram.parameters, ...)`, and calls the dropout once, on what its
  /// last layer reads, if it has one. Without `rest`, actions rest nearest to zero.
  public init(
    architecture: Architecture, inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double] = [], rest: [Double]? = nil, parameterCount: Int,
    parameterBlocks: [ParameterBlock] = [],
    initialParameters: @escaping @Sendable (UInt64) -> [Double],
    body: @escaping @Sendable (_ inputs: Value, _ dropout: Dropout) -> Value
  ) {
    precondition(
      lower.count == upper.count && lower.count == inputs.actionLength
        && zip(lower, upper).allSatisfy { $0 < $1 },
      "action limits \(lower) ... \(upper) for \(inputs.actionLength) actions")
    precondition(
      largestChange.isEmpty || largestChange.count == lower.count,
      "\(largestChange.count) rate limits for \(lower.count) actions")
    let rest = rest ?? zip(lower, upper).map { Policy.rest(within: $0...$1) }
    precondition(
      rest.count == lower.count
        && rest.indices.allSatisfy { lower[$0] <= rest[$0] && rest[$0] <= upper[$0] },
      "actions rest at \(rest), outside \(lower) ... \(upper)")
    self.architecture = architecture
    self.inputs = inputs
    self.lower = lower
    self.upper = upper
    self.largestChange = largestChange
    self.rest = rest
    self.parameterCount = parameterCount
    self.parameterBlocks = parameterBlocks
    self.initialParameters = initialParameters
    self.body = body
  }

  /// Zero, or what of the limits is nearest to it.
  public static func rest(within limits: ClosedRange<Double>) -> Double {
    min(max(0, limits.lowerBound), limits.upperBound)
  }

  public var stateLength: Int { inputs.stateLength }
  public var actionLength: Int { lower.count }
  /// Rows of past actions that `action` reads.
  public var actionMemory: Int { max(inputs.actionHistory, largestChange.isEmpty ? 0 : 1) }

  /// The physical action for a standardised state and goal of a program under construction.
  ///
  /// - Parameters:
  ///   - state: standardised [S], and after it the disturbances that it sees.
  ///   - goal: standardised [G] (`GoalForm`); nil for policies that see none.
  ///   - past: physical actions, newest first, `actionMemory` rows [A] each.
  ///   - dropout: for rollouts of a search.
  public func action(
    state: Value, goal: Value?, past: [Value] = [], dropout: Dropout = .none
  ) -> Value {
    precondition(past.count >= actionMemory, "\(past.count) past actions, \(actionMemory) needed")
    let builder = state.builder
    let middle = zip(lower, upper).map { 0.5 * ($0 + $1) }
    let half = zip(lower, upper).map { 0.5 * ($1 - $0) }
    let (isScaled, isShifted) = (half.contains { $0 != 1 }, middle.contains { $0 != 0 })
    func toUnit(_ action: Value) -> Value {
      let centred = isShifted ? action - builder.constant(middle) : action
      return isScaled ? centred * builder.constant(half.map { 1 / $0 }) : centred
    }
    let history = past.prefix(inputs.actionHistory).map(toUnit)
    let raw = body(
      inputs.value(
        state: state, goal: goal,
        pastActions: history.isEmpty ? nil : builder.concatenate(history)), dropout)
    precondition(raw.length == actionLength, "\(raw.length) actions from the policy's closure")
    let squashed = tanh(raw)
    let scaled = isScaled ? squashed * builder.constant(half) : squashed
    let wanted = isShifted ? scaled + builder.constant(middle) : scaled
    guard let last = past.first, !largestChange.isEmpty else { return wanted }
    let change = builder.constant(
      zip(largestChange, half).map { $0.isFinite ? $0 : 2 * $1 })
    return wanted.clamped(lower: last - change, upper: last + change)
  }
}
