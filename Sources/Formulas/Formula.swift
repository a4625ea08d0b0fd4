// SPDX-License-Identifier: Apache-2.0
// Formulas as text -> values of programs: rewards, quantities and measures of success that a user writes in a task,
// differentiated and compiled like everything else. Grammar, loosest first:
//
//   sum = product (('+' | '-') product)*        product = factor (('*' | '/') factor)*
//   factor = '-' factor | power                 power = atom ('^' factor)?
//   atom = number | name | function '(' sum (',' sum)* ')' | '(' sum ')'
//
// There are no comparisons: a jump has no gradient.

import Faults
import Foundation
import Programs
import SafeText

/// What is wrong with a formula, and where.
package struct FormulaError: Fault {
  package let statement: String

  package init(_ statement: String) { self.statement = statement }
}

/// An arithmetic formula over named scalars.
package struct Formula: Sendable {
  package let text: String
  let root: Node
  /// The names that stand in it, and in what was put in.
  package let names: Set<String>

  indirect enum Node: Hashable, Sendable {
    case number(Double)
    case name(String)
    case unary(UnaryFunction, Node)
    case binary(BinaryFunction, Node, Node)
    case power(Node, exponent: Double)
  }

  /// The functions of programs that a user calls by name.
  static let unaryFunctions = UnaryFunction.allCases.filter { $0.row.word.isCall }
  static let binaryFunctions = BinaryFunction.allCases.filter { $0.row.word.isCall }
  static let words = unaryFunctions.map(\.rawValue) + binaryFunctions.map(\.rawValue)

  /// Rollouts compute in single precision, which ends at 3e38: a number beyond this leaves no room for its square or sum.
  package static let largestNumber = 1e30
  /// Of a formula's text; a reward of a page is a mistake, and a kernel of it takes minutes to compile.
  package static let longestText = 10_000
  package static let mostOperations = 1_000
  /// Of brackets, functions, minus signs and powers within one another.
  package static let deepestNesting = 100

  /// Parses a formula in which `names` may stand, and names of other formulas, which are put in. Throws: `FormulaError`.
  /// Linear in the text's length.
  package init(_ text: String, names: [String], definitions: [String: Formula] = [:]) throws {
    self.text = text
    var parser = try FormulaParser(
      text: text, names: names, definitions: definitions.mapValues(\.root))
    root = try parser.whole()
    var found: Set<String> = []
    _ = try Self.constant(root, of: text, names: &found)
    self.names = found
  }

  /// Whether `name` could be taken for something else in a formula: a number, a function, pi, a goal or a previous action.
  package static func isAmbiguous(_ name: String) -> Bool {
    Double(name) != nil || name == "pi" || words.contains(name)
      || name.hasPrefix("goal.") || name.hasPrefix("previous.")
  }

  /// Whether a formula can hold `name`: letters, digits, points and underscores, no digit first.
  package static func canHold(_ name: String) -> Bool {
    guard let first = name.first, first.isLetter || first == "_" else { return false }
    return name.allSatisfy { $0.isLetter || $0.isNumber || "_.".contains($0) }
  }

  /// The formula's value [1] in a program; `value` gives those of its names.
  package func value(_ builder: ProgramBuilder, _ value: (String) -> Value) -> Value {
    Self.evaluate(root, builder, value)
  }

  /// The formula's value for numbers of its names, which must all be there.
  package func value(_ values: [String: Double]) -> Double {
    let names = Array(names)
    return FormulaEvaluator(self, names: names).value(
      names.map { name in
        guard let value = values[name] else {
          preconditionFailure("'\(name)' is not in \(values)")
        }
        return value
      })
  }

  /// The formula with numbers in place of some names.
  package func substituting(_ numbers: [String: Double]) -> Formula {
    Formula(root: Self.substituting(root, numbers), names: names.subtracting(numbers.keys))
  }

  private init(root: Node, names: Set<String>) {
    (self.root, self.names, text) = (root, names, Self.text(root))
  }

  private static func substituting(_ node: Node, _ numbers: [String: Double]) -> Node {
    switch node {
    case .number: node
    case .name(let name):
      // The grammar has no negative numbers.
      numbers[name].map { $0 < 0 ? .unary(.negate, .number(-$0)) : .number($0) } ?? node
    case .power(let base, let exponent): .power(substituting(base, numbers), exponent: exponent)
    case .unary(let function, let a): .unary(function, substituting(a, numbers))
    case .binary(let function, let a, let b):
      .binary(function, substituting(a, numbers), substituting(b, numbers))
    }
  }

  /// Text of the same formula in which nothing must be put in.
  package var wholeText: String { Self.text(root) }

  private static func text(_ node: Node) -> String {
    switch node {
    case .number(let number): "\(number)"
    case .name(let name): name
    case .power(let base, let exponent): "(\(text(base)))^\(exponent)"
    case .unary(.negate, let a): "(-\(text(a)))"
    case .unary(let function, let a): "\(function.rawValue)(\(text(a)))"
    case .binary(let function, let a, let b):
      switch function.row.word {
      case .sign: "(\(chain(node)))"
      case .call: "\(function.rawValue)(\(text(a)), \(text(b)))"
      }
    }
  }

  /// a + b - c, or a * b / c, without the brackets that reading from the left makes needless: they would lie within one another.
  private static func chain(_ node: Node) -> String {
    guard case .binary(let function, let a, let b) = node, case .sign(let sign) = function.row.word
    else { return text(node) }
    var isSameLevel = false
    if case .binary(let before, _, _) = a {
      isSameLevel = isSum(before) && isSum(function) || isProduct(before) && isProduct(function)
    }
    return "\(isSameLevel ? chain(a) : text(a)) \(sign) \(text(b))"
  }

  private static func isSum(_ function: BinaryFunction) -> Bool {
    function == .add || function == .subtract
  }

  private static func isProduct(_ function: BinaryFunction) -> Bool {
    function == .multiply || function == .divide
  }

  /// The value of a part in which no name stands, or nil; collects names. Throws: `FormulaError`.
  private static func constant(
    _ node: Node, of text: String, names: inout Set<String>
  ) throws(FormulaError) -> Double? {
    let value: Double
    switch node {
    case .number(let number): value = number
    case .name(let name):
      names.insert(name)
      return nil
    case .power(let base, let exponent):
      guard let base = try constant(base, of: text, names: &names) else { return nil }
      value = Foundation.pow(base, exponent)
    case .unary(let function, let a):
      guard let a = try constant(a, of: text, names: &names) else { return nil }
      value = function.row.value(a)
    case .binary(let function, let a, let b):
      let first = try constant(a, of: text, names: &names)
      let second = try constant(b, of: text, names: &names)
      guard let first, let second else { return nil }
      value = function.row.value(first, second)
    }
    guard value.isFinite else {
      throw FormulaError(

        "'\(shortened(text))' has a constant part that is not a finite number, but \(value)")
    }
    guard Swift.abs(value) <= largestNumber else {
      throw FormulaError(

        "'\(shortened(text))' has a constant part of \(value), beyond \(largestNumber); "
          + "rollouts compute in single precision, so scale it")
    }
    return value
  }

  // MARK: as a program

  private static func evaluate(
    _ node: Node, _ builder: ProgramBuilder, _ value: (String) -> Value
  ) -> Value {
    switch node {
    case .number(let number): return builder.constant([number])
    case .name(let name): return value(name)
    case .power(let base, let exponent):
      return power(evaluate(base, builder, value), exponent)
    case .unary(let function, let a): return unary(function, evaluate(a, builder, value))
    case .binary(let function, let a, let b):
      return binary(function, evaluate(a, builder, value), evaluate(b, builder, value))
    }
  }

  /// Whole powers up to this, and these plus a half, are products.
  static let largestProduct = 16.0

  /// Whole powers by multiplication (negative bases are fine), halves by a root more, others by exp(e log b).
  ///
  ///   b^2 = b b,   b^2.5 = b b sqrt(b),   b^0.3 = exp(0.3 log b), and 0 with a gradient of 0 at b = 0
  private static func power(_ base: Value, _ exponent: Double) -> Value {
    let magnitude = Swift.abs(exponent)
    let whole = magnitude.rounded(.down)
    let half = magnitude - whole
    guard whole <= largestProduct, half == 0 || half == 0.5 else {
      return generalPower(base, exponent)
    }
    var result = base.builder.constant([1])
    for index in 0..<Int(whole) { result = index == 0 ? base : result * base }
    if half == 0.5 { result = whole == 0 ? Programs.sqrt(base) : result * Programs.sqrt(base) }
    return exponent < 0 ? 1 / result : result
  }

  /// exp(e log b); for e > 0 the adjoint of the logarithm at b = 0 would be 0 / 0, so 1 stands in its place.
  private static func generalPower(_ base: Value, _ exponent: Double) -> Value {
    func product(_ base: Value) -> Value { Programs.exp(exponent * Programs.log(base)) }
    guard exponent > 0 else { return product(base) }
    let (zero, one) = (base.builder.constant([0]), base.builder.constant([1]))
    // -|b| >= 0 at b = 0 only, and not for NaN.
    let isZero = -Programs.abs(base)
    return select(isZero, zero, product(select(isZero, one, base)))
  }
}

/// As files have it: its text, and the names in it.
extension Formula: Codable {
  private enum CodingKeys: CodingKey { case formula, names }

  package init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    let text = try values.decode(String.self, forKey: .formula)
    do {
      self = try Formula(text, names: try values.decode([String].self, forKey: .names))
    } catch let error as FormulaError {
      throw DecodingError.dataCorruptedError(
        forKey: .formula, in: values, debugDescription: "\(error)")
    }
  }

  package func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(wholeText, forKey: .formula)
    try values.encode(names.sorted(), forKey: .names)
  }
}

/// Two that compute the same in the same way are one, whatever names stand for their parts.
extension Formula: Hashable {
  package static func == (a: Formula, b: Formula) -> Bool { a.root == b.root }

  package func hash(into hasher: inout Hasher) { hasher.combine(root) }
}
