// SPDX-License-Identifier: Apache-2.0
// Integral action: what a policy adds to its command for as long as a goal is missed, which overcomes stiction and loads that it does
// not see. It integrates towards the command, not the error, and follows what was really sent (back-calculation, Astrom and Hagglund,
// Advanced PID Control, 2006, section 3.5), so that limits do not wind it up.
//
//   s' = s + K_i e + beta (sent - wanted)       e [E] standardised errors, s [A] in commands whose limits are -1 ... 1
//   wanted' = command' + s',  sent' = wanted' within -1 ... 1 (and rate limits, or whoever drives in its place)
//
// One measurement that is far off may not move it far: e counts up to 4 deviations of the data (bounds stand among the parameters, where
// no gradient reaches them: on other standardisers they are other numbers), sent - wanted up to 1, s up to 2; and while the command is at a
// limit, nothing is integrated that holds it there.
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
  /// Deviations of the data up to which an error counts, before a search and after.
  private static let mostDeviations = 4.0
  /// Commands: from one limit to the other is 2.
  private static let (mostIntegral, mostFollowed) = (2.0, 1.0)
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
  private var bounds: ParameterBlock {
    ParameterBlock(
      name: "integral.error_bounds", offset: tracking.offset + actions, shape: [errors])
  }
  var blocks: [ParameterBlock] { [gain].compactMap(\.self) + [tracking, bounds] }
  var parameterCount: Int { bounds.offset + errors - offset }

  /// Before a search: no integral action of its own.
  var initialParameters: [Double] {
    Array(repeating: 0, count: parameterCount - actions - errors)
      + Array(repeating: Self.firstLogit, count: actions)
      + Array(repeating: Self.mostDeviations, count: errors)
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
    var added = integrand ?? builder.zeros(actions)
    if let gain {
      let matrix = SharedMatrix(
        array: RolloutProgram.parameters, offset: gain.offset, rows: actions, columns: self.errors)
      let counted = errors.kept(within: errorBounds(builder))
      added = added + (1 / Self.rowsOfGain) * builder.affine(matrix, bias: nil, counted)
    }
    // Beyond a limit, and further: no more of that.
    let beyond = wanted - wanted.kept(within: 1)
    added = select(-(added * beyond), added, builder.zeros(actions))
    let followed = tracking(builder) * (sent - wanted).kept(within: Self.mostFollowed)
    let integrated = (sum + added + followed).kept(within: Self.mostIntegral).named("integral")
    let now = command + integrated
    return (now.kept(within: 1), builder.concatenate([integrated, now]))
  }

  /// The memory once another driver has sent a command in this one's place [A]: it goes on from there.
  ///
  /// - Parameters:
  ///   - memory: [2 A]
  ///   - sent: limits at -1 and 1.
  func following(_ memory: [Double], sent: [Double]) -> [Double] {
    let sums = (0..<actions).map { j in
      min(max(memory[j] + sent[j] - memory[actions + j], -Self.mostIntegral), Self.mostIntegral)
    }
    return sums + sent
  }

  /// Up to which an error counts [E].
  func errorBounds(_ builder: ProgramBuilder) -> Value {
    detach(
      builder.shared(RolloutProgram.parameters, offset: bounds.offset, length: errors))
  }

  /// beta [A]
  private func tracking(_ builder: ProgramBuilder) -> Value {
    logistic(
      builder.shared(RolloutProgram.parameters, offset: tracking.offset, length: actions))
  }
}

extension Value {
  /// min(max(self, -bound), bound); what is no number stays so, and reaches whoever asks whether it is one.
  func kept(within bound: Value) -> Value { minimum(bound, maximum(-bound, self)) }

  func kept(within bound: Double) -> Value {
    kept(within: builder.constant(Array(repeating: bound, count: length)))
  }
}

/// 1 / (1 + exp(-x))
func logistic(_ x: Value) -> Value { 0.5 * tanh(0.5 * x) + 0.5 }
