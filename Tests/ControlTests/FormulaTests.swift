// SPDX-License-Identifier: Apache-2.0
// Formulas of task files: values against Foundation, precedence, gradients, messages.

import Bagel
import Foundation
import Testing

@Suite("formulas")
struct FormulaTests {
  /// (formula, its value at x = -0.7, y = 1.3, goal.x = 2)
  private static let examples: [(String, Double)] = [
    ("1 + 2 * 3 - 4 / 2", 5), ("-2^2", -4), ("2^-2", 0.25), ("(1 - 3)^3", -8),
    ("-(-2)", 2), ("2 * -3", -6), ("10 - 3 - 2", 5), ("1.5e1 + 2.5E-1", 15.25),
    ("abs(x) + max(x, y) * min(x, y)", 0.7 + 1.3 * -0.7),
    ("exp(-x^2) * tanh(y)", Foundation.exp(-0.49) * Foundation.tanh(1.3)),
    ("sin(pi * x) + cos(y)", Foundation.sin(Double.pi * -0.7) + Foundation.cos(1.3)),
    ("sqrt(log(y + 2))", Foundation.log(3.3).squareRoot()),
    ("y^0.5", Foundation.pow(1.3, 0.5)), ("goal.x - x", 2.7),
  ]

  @Test("values are those of ordinary arithmetic", arguments: examples)
  func values(text: String, expected: Double) throws {
    let formula = try Formula(text, names: ["x", "y", "goal.x"])
    let value = formula.value(["x": -0.7, "y": 1.3, "goal.x": 2])
    // A handful of operations on numbers of order ten.
    #expect(abs(value - expected) < 16 * 0x1p-52 * max(1, abs(expected)))
  }

  @Test(
    "mistakes name the place and what is known",
    arguments: [
      ("x +", "something is missing"), ("x + speed", "'speed' is unknown; known are x"),
      ("sinh(x)", "there is no function 'sinh'"), ("min(x)", "min takes 2, not 1"),
      ("(x + 1", "')' is missing"), ("x 2", "unexpected '2'"), ("1.2.3", "'1.2.3' is not a number"),
      ("2^x", "an exponent must be a number"), ("", "something is missing"),
      ("x + 1/0", "a constant part that is not a finite number"),
      ("x * sqrt(2 - 3)", "a constant part that is not a finite number"),
    ])
  func mistakes(text: String, message: String) {
    let error = #expect(throws: FormulaError.self) { try Formula(text, names: ["x"]) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(message), "\(error as Any)")
  }

  @Test("as a reward it has the gradient of its formula")
  func gradient() throws {
    let formula = try Formula("exp(-(x - goal.x)^2) - 0.1 * u^2", names: ["x", "goal.x", "u"])
    let builder = ProgramBuilder()
    let x = builder.input("x", length: 1)
    builder.output("r", formula.value(builder) { $0 == "x" ? x : builder.constant([0.25]) })
    let adjoint = builder.finish().adjoint(withRespectTo: ["x"])
    let result = Interpreter(shared: [:]).run(adjoint, inputs: ["x": [0.6], "adj_r": [1]])
    let expected = -2 * 0.35 * exp(-0.35 * 0.35)
    let found = result.outputs.first { $0.key.contains("x") }?.value[0] ?? .nan
    #expect(abs(found - expected) < 1e-14)
  }
}
