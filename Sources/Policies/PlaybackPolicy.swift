// SPDX-License-Identifier: Apache-2.0
// Commands that are played back: a policy that reads only its clock. Its parameters are the commands at evenly spread rows, with
// straight lines between them; rollouts try command sequences with it, and differentiate by them.
//
//   command = sum_k max(0, 1 - |t - k|) theta_k        t: rows so far, by the rows of a knot
//
// Parameters: commands [A, K], limits at -1 and 1. Memory: t.

import Programs

extension Policy {
  /// - Parameters:
  ///   - knots: K
  ///   - spacing: rows from one knot to the next.
  ///   - inputs: of the rollout's model; nothing of them is read.
  ///   - lower: limits of the actions, physical units.
  ///   - upper: the same.
  ///   - largestChange: of each action a row; empty for none.
  ///   - rest: before the first row.
  package static func playback(
    knots: Int, spacing: Int, inputs: PolicyInputs, lower: [Double], upper: [Double],
    largestChange: [Double] = [], rest: [Double]? = nil
  ) -> Policy {
    let actions = lower.count
    return Policy(
      form: .custom("playback"), inputs: inputs, lower: lower, upper: upper,
      largestChange: largestChange, rest: rest, parameterCount: actions * knots,
      parameterBlocks: [ParameterBlock(name: "commands", offset: 0, shape: [actions, knots])],
      initialParameters: { _ in Array(repeating: 0, count: actions * knots) },
      law: Law(start: [0]) { reading, clock in
        let builder = reading.builder
        let places = builder.constant((0..<knots).map(Double.init))
        let near = maximum(1 - abs(clock.broadcast(to: knots) - places), builder.zeros(knots))
        let commands = builder.affine(
          SharedMatrix(
            array: RolloutProgram.parameters, offset: 0, rows: actions, columns: knots),
          bias: nil, near)
        let limit = builder.constant(Array(repeating: 1, count: actions))
        return Law.Answer(
          command: commands.clamped(lower: -limit, upper: limit),
          memory: clock + 1 / Double(spacing))
      })
  }
}
