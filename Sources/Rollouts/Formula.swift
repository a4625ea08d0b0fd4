// SPDX-License-Identifier: Apache-2.0
// Formulas as text -> values of programs: rewards and measures of success that a user writes in a task, differentiated
// and compiled like everything else. Grammar, loosest first:
//
//   sum = product (('+' | '-') product)*        product = factor (('*' | '/') factor)*
//   factor = '-' factor | power                 power = atom ('^' factor)?
//   atom = number | name | function '(' sum (',' sum)* ')' | '(' sum ')'

import Foundation
import Programs

/// What is wrong with a formula, and where.
public struct FormulaError: Error, CustomStringConvertible {
  public let description: String
}

/// An arithmetic formula over named scalars.
public struct Formula: Hashable, Sendable {
  public let text: String
  private let root: Node

  indirect enum Node: Hashable, Sendable {
    case number(Double)
    case name(String)
    case call(Function, [Node])
    case power(Node, exponent: Double)
  }

  /// Names with an argument list.
  public enum Function: String, Hashable, Sendable, CaseIterable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case negate
    case abs, exp, log, tanh, sin, cos, sqrt, min, max

    var arguments: Int {
      switch self {
      case .add, .subtract, .multiply, .divide, .min, .max: 2
      case .negate, .abs, .exp, .log, .tanh, .sin, .cos, .sqrt: 1
      }
    }
  }

  /// Parses a formula in which `names` may stand. Throws: `FormulaError`.
  public init(_ text: String, names: [String]) throws {
    self.text = text
    var parser = FormulaParser(text: text, names: names)
    root = try parser.whole()
    guard Self.constants(root).allSatisfy(\.isFinite) else {
      throw FormulaError(description: "'\(text)' has a constant part that is not a finite number")
    }
  }

  /// The formula's value [1] in a program; `value` gives those of its names.
  public func value(_ builder: ProgramBuilder, _ value: (String) -> Value) -> Value {
    Self.evaluate(root, builder, value)
  }

  /// The names that stand in it.
  public var names: Set<String> { Self.names(root) }

  private static func names(_ node: Node) -> Set<String> {
    switch node {
    case .number: []
    case .name(let name): [name]
    case .power(let base, _): names(base)
    case .call(_, let arguments): arguments.reduce(into: []) { $0.formUnion(names($1)) }
    }
  }

  /// Values of the parts, largest first, in which no name stands.
  private static func constants(_ node: Node) -> [Double] {
    if names(node).isEmpty { return [value(of: node, [:])] }
    switch node {
    case .number, .name: return []
    case .power(let base, _): return constants(base)
    case .call(_, let arguments): return arguments.flatMap(constants)
    }
  }

  /// The formula's value for numbers of its names.
  public func value(_ values: [String: Double]) -> Double { Self.value(of: root, values) }

  private static func value(of node: Node, _ values: [String: Double]) -> Double {
    let builder = ProgramBuilder()
    builder.output("value", evaluate(node, builder) { builder.input($0, length: 1) })
    let program = builder.finish()
    let inputs = values.filter { program.inputs[$0.key] != nil }.mapValues { [$0] }
    return Interpreter(shared: [:]).run(program, inputs: inputs).outputs["value"]?[0] ?? .nan
  }

  private static func evaluate(
    _ node: Node, _ builder: ProgramBuilder, _ value: (String) -> Value
  ) -> Value {
    switch node {
    case .number(let number): return builder.constant([number])
    case .name(let name): return value(name)
    case .power(let base, let exponent):
      return power(evaluate(base, builder, value), exponent)
    case .call(let function, let arguments):
      let a = arguments.map { evaluate($0, builder, value) }
      switch function {
      case .add: return a[0] + a[1]
      case .subtract: return a[0] - a[1]
      case .multiply: return a[0] * a[1]
      case .divide: return a[0] / a[1]
      case .negate: return -a[0]
      case .abs: return Programs.maximum(a[0], -a[0])
      case .exp: return Programs.exp(a[0])
      case .log: return Programs.log(a[0])
      case .tanh: return Programs.tanh(a[0])
      case .sin: return Programs.sin(a[0])
      case .cos: return Programs.cos(a[0])
      case .sqrt: return Programs.sqrt(a[0])
      case .min: return Programs.minimum(a[0], a[1])
      case .max: return Programs.maximum(a[0], a[1])
      }
    }
  }

  /// Whole powers by multiplication (negative bases are fine), others by exp(e log b).
  private static func power(_ base: Value, _ exponent: Double) -> Value {
    guard exponent == exponent.rounded(), Swift.abs(exponent) <= 16 else {
      return Programs.exp(exponent * Programs.log(base))
    }
    var result = base.builder.constant([1])
    for index in 0..<Int(Swift.abs(exponent)) { result = index == 0 ? base : result * base }
    return exponent < 0 ? 1 / result : result
  }
}
