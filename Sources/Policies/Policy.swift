// SPDX-License-Identifier: Apache-2.0
// Policies: (standardised state, standardised goal, past actions) -> action in physical units within its limits.
// A policy is a closure over program values, so one definition is differentiated in rollouts and evaluated on the
// machine. In: `PolicyInputs`; parameters theta [P] in the shared array "parameters". Out:
//
//   u = middle + half range * tanh(raw),  then at most the rate limit away from the last action
//
// (of a PID controller, and with integral action, a sum within -1 ... 1 in place of tanh), so limits hold by construction. Integral action and PID controllers remember more than actions: a memory [M] that rollouts carry
// from step to step, as the machine's controller does.

import Programs

/// A tensor within theta.
package struct ParameterBlock: Hashable, Sendable {
  package let name: String
  package let offset: Int
  /// Row-major.
  package let shape: [Int]

  package init(name: String, offset: Int, shape: [Int]) {
    (self.name, self.offset, self.shape) = (name, offset, shape)
  }
}

/// What a policy's law reads at a step.
struct PolicyReading {
  let inputs: PolicyInputs
  let state: Value
  let goal: Value?
  /// Physical actions, newest first, as many rows as inputs have; limits mapped to -1 ... 1.
  let pastActions: Value?
  /// For rollouts of a search.
  let dropout: Dropout
  fileprivate let integral: IntegralAction?
  var builder: ProgramBuilder { state.builder }

  /// z, standardised.
  var z: Value { inputs.value(state: state, goal: goal, pastActions: pastActions) }
  /// What the integrated goals are of [E], standardised.
  var reached: Value { inputs.integrated(inputs.reached(state)) }
  /// Those goals less that [E].
  var errors: Value {
    shorterWay(inputs.integrated(inputs.required(goal)) - reached)
  }
  /// Up to which an error counts [E], of policies with integral action.
  var errorBounds: Value {
    guard let integral else { preconditionFailure("a policy without integral action") }
    return integral.errorBounds(builder)
  }
  /// A difference of them [E], less whole turns where it is of an angle.
  func shorterWay(_ difference: Value) -> Value { inputs.shorterWay(difference) }
}

/// What a policy computes before integral and limits.
struct Law: Sendable {
  struct Answer {
    /// Limits at -1 and 1 [A].
    var command: Value
    /// What it keeps for the next step [M]; nil for nothing.
    var memory: Value?
    /// What the step adds to the integral [A], where that is the law's affair.
    var integrand: Value?
  }
  typealias Body = @Sendable (_ reading: PolicyReading, _ memory: Value) -> Answer
  /// Its memory before the first step [M]; empty for none, and it is given nothing then.
  let start: [Double]
  let body: Body
}

/// A deterministic feedback policy pi_theta(x, x_g).
package struct Policy: Sendable {
  package let form: PolicyForm
  package let inputs: PolicyInputs
  /// Physical limits of each action.
  package let lower: [Double]
  package let upper: [Double]
  /// Largest change of each action a step, physical units; infinite for none. Empty for none at all.
  package let largestChange: [Double]
  /// What actuators are sent before the first action [A]; the machine's safe action.
  package let rest: [Double]
  /// P
  package let parameterCount: Int
  /// Where the tensors stand in theta; empty for custom policies.
  package let parameterBlocks: [ParameterBlock]
  /// theta at the start, from a seed.
  package let initialParameters: @Sendable (UInt64) -> [Double]
  /// What it remembers before the first step [M], beside past actions; empty for most.
  package let memoryStart: [Double]
  private let law: Law
  private let integral: IntegralAction?

  /// A policy from a closure that maps its inputs [inputs.length] to raw actions [lower.count]; it reads
  /// its parameters by `inputs.builder.shared(RolloutProgram.parameters, ...)`, and calls the dropout once, on what its
  /// last layer reads, if it has one. Without `rest`, actions rest nearest to zero. Where its inputs have goals to integrate,
  /// integral action follows it (`IntegralAction`), and its parameters follow in theta.
  package init(
    form: PolicyForm, inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double] = [], rest: [Double]? = nil, parameterCount: Int,
    parameterBlocks: [ParameterBlock] = [],
    initialParameters: @escaping @Sendable (UInt64) -> [Double],
    body: @escaping @Sendable (_ inputs: Value, _ dropout: Dropout) -> Value
  ) {
    self.init(
      form: form, inputs: inputs, lower: lower, upper: upper, largestChange: largestChange,
      rest: rest, parameterCount: parameterCount, parameterBlocks: parameterBlocks,
      initialParameters: initialParameters,
      law: Law(start: []) { reading, _ in
        Law.Answer(command: tanh(body(reading.z, reading.dropout)))
      })
  }

  init(
    form: PolicyForm, inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double], rest: [Double]?, parameterCount: Int,
    parameterBlocks: [ParameterBlock], initialParameters: @escaping @Sendable (UInt64) -> [Double],
    law: Law
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
    precondition(
      inputs.integrated.isEmpty ? form != .pid : inputs.goal != .none,
      "integral action needs a goal, and a PID controller something to integrate")
    self.form = form
    self.inputs = inputs
    self.lower = lower
    self.upper = upper
    self.largestChange = largestChange
    self.rest = rest
    self.law = law
    let integral =
      inputs.integrated.isEmpty
      ? nil
      : IntegralAction(
        errors: inputs.integrated.count, actions: lower.count, offset: parameterCount,
        hasGain: form != .pid)
    self.integral = integral
    self.parameterCount = parameterCount + (integral?.parameterCount ?? 0)
    self.parameterBlocks = parameterBlocks + (integral?.blocks ?? [])
    self.initialParameters = { initialParameters($0) + (integral?.initialParameters ?? []) }
    let restOfUnit = rest.indices.map { Self.unit(rest[$0], lower[$0], upper[$0]) }
    memoryStart = law.start + (integral?.start(rest: restOfUnit) ?? [])
  }

  /// An action in its unit: -1 at its lower limit, 1 at its upper.
  package static func unit(_ action: Double, _ lower: Double, _ upper: Double) -> Double {
    (2 * action - lower - upper) / (upper - lower)
  }

  /// Zero, or what of the limits is nearest to it.
  package static func rest(within limits: ClosedRange<Double>) -> Double {
    min(max(0, limits.lowerBound), limits.upperBound)
  }

  package var stateLength: Int { inputs.stateLength }
  package var actionLength: Int { lower.count }
  /// M
  package var memoryLength: Int { memoryStart.count }
  /// Rows of past actions that `step` reads.
  package var actionMemory: Int {
    max(inputs.actionHistory, largestChange.isEmpty && integral == nil ? 0 : 1)
  }

  /// The physical action of a program under construction, and what is remembered for the next.
  ///
  /// - Parameters:
  ///   - state: standardised [S], and after it the disturbances that it sees.
  ///   - goal: standardised [G] (`GoalForm`); nil for policies that see none.
  ///   - past: physical actions as they were sent, newest first, `actionMemory` rows [A] each.
  ///   - memory: of the step before [M], `memoryStart` at first; nil for policies without.
  ///   - dropout: for rollouts of a search.
  /// - Returns: the action [A], and the memory [M]; nil for policies without.
  package func step(
    state: Value, goal: Value?, past: [Value] = [], memory: Value? = nil, dropout: Dropout = .none
  ) -> (action: Value, memory: Value?) {
    precondition(past.count >= actionMemory, "\(past.count) past actions, \(actionMemory) needed")
    precondition(
      memory?.length ?? 0 == memoryLength, "a memory of \(memory?.length ?? 0), not \(memoryLength)"
    )
    let builder = state.builder
    let middle = zip(lower, upper).map { 0.5 * ($0 + $1) }
    let half = zip(lower, upper).map { 0.5 * ($1 - $0) }
    let (isScaled, isShifted) = (half.contains { $0 != 1 }, middle.contains { $0 != 0 })
    func toUnit(_ action: Value) -> Value {
      let centred = isShifted ? action - builder.constant(middle) : action
      return isScaled ? centred * builder.constant(half.map { 1 / $0 }) : centred
    }
    let history = past.prefix(inputs.actionHistory).map(toUnit)
    let reading = PolicyReading(
      inputs: inputs, state: state, goal: goal,
      pastActions: history.isEmpty ? nil : builder.concatenate(history), dropout: dropout,
      integral: integral)
    let own = law.start.count
    let answer = law.body(reading, memory.map { $0[0..<own] } ?? state)
    var (command, kept) = (answer.command, answer.memory)
    precondition(
      command.length == actionLength, "\(command.length) actions from the policy's closure")
    if let integral, let memory {
      let (sum, remembered) = integral(
        command, integrand: answer.integrand, errors: reading.errors, sent: toUnit(past[0]),
        memory: memory[own..<memoryLength])
      command = sum
      kept = kept.map { builder.concatenate([$0, remembered]) } ?? remembered
    }
    let scaled = isScaled ? command * builder.constant(half) : command
    let wanted = isShifted ? scaled + builder.constant(middle) : scaled
    guard let last = past.first, !largestChange.isEmpty else { return (wanted, kept) }
    let change = builder.constant(
      zip(largestChange, half).map { $0.isFinite ? $0 : 2 * $1 })
    // In this order, what is no number stays so.
    return (minimum(last + change, maximum(last - change, wanted)), kept)
  }

  /// The memory [M] once another driver has sent an action [A] in this policy's place; the same without integral action.
  func memory(_ memory: [Double], following sent: [Double]) -> [Double] {
    guard let integral else { return memory }
    let own = law.start.count
    let unit = sent.indices.map { Self.unit(sent[$0], lower[$0], upper[$0]) }
    return memory[..<own] + integral.following(Array(memory[own...]), sent: unit)
  }

  /// The action of a policy without a memory; see `step`.
  ///
  /// - Parameters:
  ///   - state: standardised [S], and after it the disturbances that it sees.
  ///   - goal: standardised [G]; nil for policies that see none.
  ///   - past: physical actions, newest first.
  ///   - dropout: for rollouts of a search.
  package func action(
    state: Value, goal: Value?, past: [Value] = [], dropout: Dropout = .none
  ) -> Value {
    step(state: state, goal: goal, past: past, dropout: dropout).action
  }
}
