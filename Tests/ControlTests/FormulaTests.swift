// SPDX-License-Identifier: Apache-2.0
// Formulas of task files: values against Foundation, precedence, gradients, messages.

import Bagel
import Formulas
import Foundation
import Programs
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
    ("y^2.5", Foundation.pow(1.3, 2.5)), ("y^-1.5", Foundation.pow(1.3, -1.5)),
    ("y^0.3", Foundation.pow(1.3, 0.3)), ("y^20", Foundation.pow(1.3, 20)),
    ("y^-0.3", Foundation.pow(1.3, -0.3)), ("(x + 0.7)^0.3", 0), ("(x + 0.7)^1.5", 0),
  ]

  @Test("values are those of ordinary arithmetic", arguments: examples)
  func values(text: String, expected: Double) throws {
    let formula = try Formula(text, names: ["x", "y", "goal.x"])
    let value = formula.value(["x": -0.7, "y": 1.3, "goal.x": 2])
    // A handful of operations on numbers of order ten.
    let tolerance = 16 * 0x1p-52 * max(1, abs(expected))
    #expect(abs(value - expected) < tolerance)
    let builder = ProgramBuilder()
    builder.output("value", formula.value(builder) { builder.input($0, length: 1) })
    let program = builder.finish()
    let inputs = ["x": [-0.7], "y": [1.3], "goal.x": [2]].filter {
      program.inputs[$0.key] != nil
    }
    let found = Interpreter(shared: [:]).run(program, inputs: inputs).outputs["value"]?[0] ?? .nan
    #expect(abs(found - expected) < tolerance, "as a program")
  }

  @Test(
    "mistakes name the place and what is known",
    arguments: [
      ("x +", "something is missing"), ("x + speed", "'speed' is unknown; known are x"),
      ("sinh(x)", "unknown function 'sinh'"), ("min(x)", "min takes 2 arguments, not 1"),
      ("(x + 1", "')' is missing"), ("x 2", "unexpected '2'"), ("1.2.3", "'1.2.3' is not a number"),
      ("2^x", "an exponent must be a number"), ("", "something is missing"),
      ("x + 1/0", "a constant part that is not a finite number"),
      ("x * sqrt(2 - 3)", "a constant part that is not a finite number"),
      ("x * 1e31", "a constant part of 1e+31, beyond 1e+30"),
      ("x * 1e29 * 1e2 + 1e20 * 1e20", "a constant part of 1e+40, beyond 1e+30"),
      (
        "(abs(x) < 0.05)",
        "character 9: '<': comparisons are not allowed in formulas, because a jump"
      ),
      ("x == 1", "comparisons are not"), ("x >= 1", "comparisons are not"),
      ("x > 0 ? 1 : 0", "comparisons are not"), ("x && 1", "exp(-(x - goal.x)^2"),
    ])
  func mistakes(text: String, message: String) {
    let error = #expect(throws: FormulaError.self) { try Formula(text, names: ["x"]) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(message), "\(error as Any)")
  }

  @Test(
    "long and deep formulas are refused at once, with the limit and not with the text",
    arguments: [
      (String(repeating: "(", count: 100_000) + "x", "more than 10000"),
      (String(repeating: "-", count: 100_000) + "x", "more than 10000"),
      (Array(repeating: "x", count: 100_000).joined(separator: "+"), "more than 10000"),
      (
        String(repeating: "(", count: 101) + "x" + String(repeating: ")", count: 101),
        "more than 100 brackets"
      ),
      (String(repeating: "-", count: 200) + "x", "more than 100 brackets"),
      (Array(repeating: "x", count: 1_002).joined(separator: "+"), "more than 1000 operations"),
      (Array(repeating: "x^16", count: 100).joined(separator: "+"), "more than 1000 operations"),
      (String(repeating: "a", count: 9_000), "is unknown; known are x"),
      ("x + \u{202E}\u{1B}[31m", "\\u{202E}"),
    ])
  func limits(text: String, message: String) {
    let start = ContinuousClock.now
    let error = #expect(throws: FormulaError.self) { try Formula(text, names: ["x"]) }
    let words = error.map { "\($0)" } ?? ""
    #expect(words.contains(message), "\(words)")
    #expect(words.count < 300 && !words.unicodeScalars.contains { $0.value < 32 })
    // Milliseconds; quadratic time took minutes.
    #expect(start.duration(to: .now) < .seconds(2))
  }

  @Test("a formula within the limits is read and has its value")
  func largest() throws {
    let deep = String(repeating: "(", count: 99) + "x" + String(repeating: ")", count: 99)
    #expect(try Formula(deep, names: ["x"]).value(["x": 3]) == 3)
    let long = Array(repeating: "x", count: 1_001).joined(separator: "+")
    #expect(try Formula(long, names: ["x"]).value(["x": 2]) == 2_002)
  }

  @Test(
    "gradients at zero: of roots 0, of powers finite",
    arguments: [
      ("-sqrt((x - 1)^2)", 0.0), ("(x - 1)^0.5", 0), ("(x - 1)^1.5", 0), ("(x - 1)^0.3", 0),
      ("(x - 1)^2.7", 0), ("sqrt(x - 1) + 3 * x", 3), ("(x - 1)^20", 0),
    ])
  func corners(text: String, expected: Double) throws {
    let formula = try Formula(text, names: ["x"])
    let builder = ProgramBuilder()
    builder.output("r", formula.value(builder) { builder.input($0, length: 1) })
    let program = builder.finish()
    let adjoint = Interpreter(shared: [:]).run(
      program.adjoint(withRespectTo: ["x"]), inputs: ["x": [1], "adj_r": [1]])
    #expect(adjoint.outputs["adj_x"] == [expected])
    let tangent = Interpreter(shared: [:]).run(
      program.tangent(withRespectTo: ["x"]), inputs: ["x": [1], "tangent_x": [1]])
    #expect(tangent.outputs["tangent_r"] == [expected])
  }

  @Test("Python reads the same functions")
  func functionsOfPython() throws {
    let checkout = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
    let python = try String(
      contentsOf: checkout.appendingPathComponent("Python/bagel_control/formula.py"),
      encoding: .utf8)
    let names =
      UnaryFunction.allCases.filter(\.row.word.isCall).map(\.rawValue)
      + BinaryFunction.allCases.filter(\.row.word.isCall).map(\.rawValue)
    for name in names { #expect(python.contains("\"\(name)\": "), "\(name)") }
  }

  @Test("roots and broken powers of negative numbers are not a number")
  func negative() throws {
    for text in ["x^0.5", "x^0.3", "x^1.5", "sqrt(x)"] {
      let formula = try Formula(text, names: ["x"])
      #expect(formula.value(["x": -2]).isNaN, "\(text)")
      let builder = ProgramBuilder()
      builder.output("r", formula.value(builder) { builder.input($0, length: 1) })
      let found = Interpreter(shared: [:]).run(builder.finish(), inputs: ["x": [-2]])
      #expect(found.outputs["r"]?[0].isNaN == true, "\(text)")
    }
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
