// SPDX-License-Identifier: Apache-2.0
// Text -> the tree of a formula, by recursive descent; one function per line of the grammar in Formula.swift. Length, depth
// and the number of operations are limited, so that no text overflows the stack or a compiler.

import Programs
import SafeText

/// Reads one formula.
struct FormulaParser {
  let characters: [Character]
  let names: [String]
  /// What stands for further names.
  let definitions: [String: Formula.Node]
  var position = 0
  private var depth = 0
  private var operations = 0

  /// Throws: `FormulaError` where the text is too long or compares.
  init(text: String, names: [String], definitions: [String: Formula.Node] = [:])
    throws(FormulaError)
  {
    (self.names, self.definitions) = (names, definitions)
    guard text.utf8.count <= Formula.longestText else {
      characters = []
      throw FormulaError(

        "has \(text.utf8.count) characters, more than \(Formula.longestText); split a sum "
          + "into several terms of the reward")
    }
    characters = Array(text)
    if let comparison = characters.firstIndex(where: { "<>=!&|?".contains($0) }) {
      position = comparison
      throw error(
        "'\(characters[comparison])': comparisons are not allowed in formulas, because a jump has no gradient; "
          + "a smooth alternative is, for example, exp(-(x - goal.x)^2 / (2 * 0.05^2))")
    }
  }

  mutating func whole() throws -> Formula.Node {
    let node = try sum()
    skipSpace()
    guard position == characters.count else {
      throw error("unexpected '\(characters[position])'")
    }
    return node
  }

  private func error(_ problem: String) -> FormulaError {
    let from = max(0, position - 20)
    let excerpt = (from > 0 ? "\u{2026}" : "") + String(characters[from...])
    return FormulaError(
      "'\(shortened(excerpt))', character \(position + 1): \(problem)")
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

  private mutating func unary(
    _ function: UnaryFunction, _ a: Formula.Node
  ) throws -> Formula.Node {
    try count(1)
    return .unary(function, a)
  }

  private mutating func binary(
    _ function: BinaryFunction, _ a: Formula.Node, _ b: Formula.Node
  ) throws -> Formula.Node {
    try count(1)
    return .binary(function, a, b)
  }

  /// Counts what a node costs.
  private mutating func count(_ more: Int) throws {
    operations += more
    guard operations <= Formula.mostOperations else {
      throw error("more than \(Formula.mostOperations) operations; write a shorter formula")
    }
  }

  private mutating func sum() throws -> Formula.Node {
    try chain([("+", .add), ("-", .subtract)]) { try $0.product() }
  }

  private mutating func product() throws -> Formula.Node {
    try chain([("*", .multiply), ("/", .divide)]) { try $0.factor() }
  }

  /// part (operator part)*, from the left.
  private mutating func chain(
    _ operators: [(Character, BinaryFunction)], _ part: (inout Self) throws -> Formula.Node
  ) throws -> Formula.Node {
    var node = try part(&self)
    while let next = operators.first(where: { take($0.0) }) {
      node = try binary(next.1, node, part(&self))
    }
    return node
  }

  private mutating func factor() throws -> Formula.Node {
    depth += 1
    defer { depth -= 1 }
    guard depth <= Formula.deepestNesting else {
      throw error(
        "more than \(Formula.deepestNesting) brackets, functions or signs within one another")
    }
    if take("-") { return try unary(.negate, factor()) }
    let base = try atom()
    guard take("^") else { return base }
    switch try factor() {
    case .number(let exponent): return try power(base, exponent)
    case .unary(.negate, .number(let exponent)): return try power(base, -exponent)
    case .name, .unary, .binary, .power: throw error("an exponent must be a number")
    }
  }

  /// As many operations as it has products.
  private mutating func power(_ base: Formula.Node, _ exponent: Double) throws -> Formula.Node {
    try count(Formula.Node.operations(ofPower: exponent))
    guard abs(exponent) <= 1_000 else { throw error("an exponent must be from -1000 to 1000") }
    return .power(base, exponent: exponent)
  }

  private mutating func atom() throws -> Formula.Node {
    skipSpace()
    guard position < characters.count else { throw error("something is missing at the end") }
    if take("(") { return try closed(sum()) }
    let first = characters[position]
    if first.isNumber || first == "." { return try number() }
    guard first.isLetter || first == "_" else {
      throw error("unexpected '\(shortened(String(first)))'\(renaming)")
    }
    let start = position
    let word = self.word()
    guard take("(") else { return try name(word, at: start) }
    guard Formula.words.contains(word) else {
      throw error(
        "unknown function '\(shortened(word))'; the functions are "
          + Formula.words.joined(separator: ", "))
    }
    var arguments = [try sum()]
    while take(",") { arguments.append(try sum()) }
    if let function = UnaryFunction(rawValue: word), arguments.count == 1 {
      return try closed(unary(function, arguments[0]))
    }
    if let function = BinaryFunction(rawValue: word), arguments.count == 2 {
      return try closed(binary(function, arguments[0], arguments[1]))
    }
    let wanted = UnaryFunction(rawValue: word) == nil ? 2 : 1
    throw error(
      "\(word) takes \(wanted == 1 ? "1 argument" : "2 arguments"), not \(arguments.count)"
        + (position == characters.count
          ? "; within {...} YAML ends a formula at a comma, so put it in quotes" : ""))
  }

  private mutating func closed(_ node: Formula.Node) throws -> Formula.Node {
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

  private mutating func name(_ word: String, at start: Int) throws -> Formula.Node {
    if word == "pi" { return .number(.pi) }
    if let definition = definitions[word] {
      try count(definition.operations)
      return definition
    }
    guard names.contains(word) else {
      position = start
      let known = (names + definitions.keys.sorted()).filter(Formula.canHold)
      throw error(
        "'\(shortened(word))' is unknown\(renaming); known are \(known.joined(separator: ", ")) and pi"
      )
    }
    return .name(word)
  }

  /// What to do where a name of the task cannot stand in a formula.
  private var renaming: String {
    guard let odd = names.first(where: { !Formula.canHold($0) }) else { return "" }
    return "; '\(shortened(odd))' cannot be used in a formula; give it a short name: "
      + "{name: short, column: '\(shortened(odd))'}"
  }

  private mutating func number() throws -> Formula.Node {
    let start = position
    while position < characters.count {
      let next = characters[position]
      let isSign = "+-".contains(next) && "eE".contains(characters[max(position - 1, start)])
      guard next.isNumber || ".eE".contains(next) || isSign && position > start else { break }
      position += 1
    }
    let text = String(characters[start..<position])
    guard let value = Double(text) else { throw error("'\(shortened(text))' is not a number") }
    return .number(value)
  }
}

extension Formula.Node {
  /// What it counts of a formula's operations.
  fileprivate var operations: Int {
    switch self {
    case .number, .name: 0
    case .unary(_, let a): 1 + a.operations
    case .binary(_, let a, let b): 1 + a.operations + b.operations
    case .power(let base, let exponent): Self.operations(ofPower: exponent) + base.operations
    }
  }

  /// A power's own: as many as it has products.
  fileprivate static func operations(ofPower exponent: Double) -> Int {
    Int(min(abs(exponent), Formula.largestProduct).rounded(.up))
  }
}
