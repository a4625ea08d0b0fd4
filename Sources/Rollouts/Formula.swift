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

  private indirect enum Node: Hashable, Sendable {
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
    var parser = Parser(text: text, names: names)
    root = try parser.whole()
  }

  /// The formula's value [1] in a program; `value` gives those of its names.
  public func value(_ builder: ProgramBuilder, _ value: (String) -> Value) -> Value {
    evaluate(root, builder, value)
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

  /// The formula's value for numbers of its names.
  public func value(_ values: [String: Double]) -> Double {
    let builder = ProgramBuilder()
    builder.output("value", value(builder) { builder.input($0, length: 1) })
    let program = builder.finish()
    let inputs = values.filter { program.inputs[$0.key] != nil }.mapValues { [$0] }
    return Interpreter(shared: [:]).run(program, inputs: inputs).outputs["value"]?[0] ?? .nan
  }

  private func evaluate(
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
  private func power(_ base: Value, _ exponent: Double) -> Value {
    guard exponent == exponent.rounded(), Swift.abs(exponent) <= 16 else {
      return Programs.exp(exponent * Programs.log(base))
    }
    var result = base.builder.constant([1])
    for index in 0..<Int(Swift.abs(exponent)) { result = index == 0 ? base : result * base }
    return exponent < 0 ? 1 / result : result
  }

  private struct Parser {
    let characters: [Character]
    let names: [String]
    var position = 0

    init(text: String, names: [String]) {
      characters = Array(text)
      self.names = names
    }

    mutating func whole() throws -> Node {
      let node = try sum()
      skipSpace()
      guard position == characters.count else {
        throw error("unexpected '\(characters[position])'")
      }
      return node
    }

    private func error(_ problem: String) -> FormulaError {
      FormulaError(
        description: "'\(String(characters))', character \(position + 1): \(problem)")
    }

    private mutating func skipSpace() {
      while position < characters.count, characters[position].isWhitespace { position += 1 }
    }

    private mutating func take(_ wanted: Character) -> Bool {
      skipSpace()
      guard position < characters.count, characters[position] == wanted else { return false }
      position += 1
      return true
    }

    private mutating func sum() throws -> Node {
      var node = try product()
      while true {
        if take("+") {
          node = .call(.add, [node, try product()])
        } else if take("-") {
          node = .call(.subtract, [node, try product()])
        } else {
          return node
        }
      }
    }

    private mutating func product() throws -> Node {
      var node = try factor()
      while true {
        if take("*") {
          node = .call(.multiply, [node, try factor()])
        } else if take("/") {
          node = .call(.divide, [node, try factor()])
        } else {
          return node
        }
      }
    }

    private mutating func factor() throws -> Node {
      if take("-") { return .call(.negate, [try factor()]) }
      let base = try atom()
      guard take("^") else { return base }
      switch try factor() {
      case .number(let exponent): return .power(base, exponent: exponent)
      case .call(.negate, let a):
        guard case .number(let exponent) = a[0] else { fallthrough }
        return .power(base, exponent: -exponent)
      case .name, .call, .power: throw error("an exponent must be a number")
      }
    }

    private mutating func atom() throws -> Node {
      skipSpace()
      guard position < characters.count else { throw error("something is missing at the end") }
      if take("(") { return try closed(sum()) }
      let first = characters[position]
      if first.isNumber || first == "." { return try number() }
      guard first.isLetter || first == "_" else { throw error("unexpected '\(first)'") }
      let word = self.word()
      guard take("(") else { return try name(word) }
      guard let function = Function(rawValue: word), word != "negate" else {
        let known = Function.allCases.map(\.rawValue).filter { $0.first?.isLetter == true }
        throw error(
          "there is no function '\(word)'; there are "
            + known.filter { $0 != "negate" }.joined(separator: ", "))
      }
      var arguments = [try sum()]
      while take(",") { arguments.append(try sum()) }
      guard arguments.count == function.arguments else {
        throw error("\(word) takes \(function.arguments), not \(arguments.count)")
      }
      return try closed(.call(function, arguments))
    }

    private mutating func closed(_ node: Node) throws -> Node {
      guard take(")") else { throw error("')' is missing") }
      return node
    }

    private mutating func word() -> String {
      let start = position
      while position < characters.count,
        characters[position].isLetter || characters[position].isNumber
          || "_.".contains(characters[position])
      { position += 1 }
      return String(characters[start..<position])
    }

    private func name(_ word: String) throws -> Node {
      if word == "pi" { return .number(.pi) }
      guard names.contains(word) else {
        throw error("'\(word)' is unknown; known are \(names.joined(separator: ", ")) and pi")
      }
      return .name(word)
    }

    private mutating func number() throws -> Node {
      let start = position
      while position < characters.count {
        let next = characters[position]
        let isSign = "+-".contains(next) && "eE".contains(characters[max(position - 1, start)])
        guard next.isNumber || ".eE".contains(next) || isSign && position > start else { break }
        position += 1
      }
      let text = String(characters[start..<position])
      guard let value = Double(text) else { throw error("'\(text)' is not a number") }
      return .number(value)
    }
  }
}
