// SPDX-License-Identifier: Apache-2.0
// Integral action: what a policy adds to its command for as long as a goal is missed, which overcomes stiction and loads that it does
// not see. It integrates towards the command, not the error, and follows what was really sent (back-calculation, Astrom and Hagglund,
// Advanced PID Control, 2006, section 3.5): limits do not wind it up, and it takes over without a bump from whoever drove before.
//
//   s' = s + K_i e + beta (sent - wanted)       e [E] standardised errors, s [A] in commands whose limits are -1 ... 1
//   wanted' = command + s',  command' = wanted' within -1 ... 1
//
// In: errors, the command of the policy's body, the last command that was sent. Memory: s [A], wanted [A].

import Programs

/// The integral term of a policy, and where its parameters stand in theta.
struct IntegralAction: Hashable, Sendable {
  /// E, A
  let errors: Int
  let actions: Int
  /// Of its first parameter.
  let offset: Int
  /// Whether K_i is a parameter of its own; a PID controller's follows from its gain.
  let hasGain: Bool

  /// Rows in which the error, times its parameter, is added to the command once: gains of a row are small, and parameters of a search
  /// should be near 1.
  static let rowsOfGain = 50.0
  /// logit(beta) before a search: a command that was not sent is forgotten in ten rows.
  private static let firstLogit = -2.2

  private var gain: ParameterBlock? {
    hasGain ? ParameterBlock(name: "integral.gain", offset: offset, shape: [actions, errors]) : nil
  }
  private var tracking: ParameterBlock {
    ParameterBlock(
      name: "integral.tracking", offset: offset + (hasGain ? actions * errors : 0),
      shape: [actions])
  }
  var blocks: [ParameterBlock] { [gain].compactMap(\.self) + [tracking] }
  var parameterCount: Int { tracking.offset + actions - offset }

  /// Before a search: no integral action of its own.
  var initialParameters: [Double] {
    Array(repeating: 0, count: parameterCount - actions)
      + Array(repeating: Self.firstLogit, count: actions)
  }

  /// Before the first step: nothing is integrated, and the command that is wanted is the one at rest [A].
  func start(rest: [Double]) -> [Double] { Array(repeating: 0, count: actions) + rest }

  /// The command with what was integrated, and what to remember.
  ///
  /// - Parameters:
  ///   - command: of the policy's body [A], limits at -1 and 1.
  ///   - integrand: what a row adds to the integral [A], where there is no gain of its own.
  ///   - errors: [E]
  ///   - sent: the last command [A], the same way.
  ///   - memory: [2 A]
  func callAsFunction(
    _ command: Value, integrand: Value?, errors: Value, sent: Value, memory: Value
  ) -> (command: Value, memory: Value) {
    let builder = command.builder
    let (sum, wanted) = (memory[0..<actions], memory[actions..<2 * actions])
    var added = tracking(builder) * (sent - wanted)
    if let integrand { added = integrand + added }
    if let gain {
      let matrix = SharedMatrix(
        array: RolloutProgram.parameters, offset: gain.offset, rows: actions, columns: self.errors)
      added = (1 / Self.rowsOfGain) * builder.affine(matrix, bias: nil, errors) + added
    }
    let integrated = (sum + added).named("integral")
    let now = command + integrated
    let limit = builder.constant(Array(repeating: 1, count: actions))
    return (
      now.clamped(lower: -limit, upper: limit), builder.concatenate([integrated, now])
    )
  }

  /// beta [A]
  private func tracking(_ builder: ProgramBuilder) -> Value {
    logistic(
      builder.shared(RolloutProgram.parameters, offset: tracking.offset, length: actions))
  }
}

/// 1 / (1 + exp(-x))
func logistic(_ x: Value) -> Value { 0.5 * tanh(0.5 * x) + 0.5 }
