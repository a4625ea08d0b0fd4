// SPDX-License-Identifier: Apache-2.0
// Text -> the tree of a formula, by recursive descent; one function a line of the grammar in Formula.swift.

/// Reads one formula.
struct FormulaParser {
  let characters: [Character]
  let names: [String]
  var position = 0

  init(text: String, names: [String]) {
    characters = Array(text)
    self.names = names
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

  private mutating func sum() throws -> Formula.Node {
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

  private mutating func product() throws -> Formula.Node {
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

  private mutating func factor() throws -> Formula.Node {
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

  private mutating func atom() throws -> Formula.Node {
    skipSpace()
    guard position < characters.count else { throw error("something is missing at the end") }
    if take("(") { return try closed(sum()) }
    let first = characters[position]
    if first.isNumber || first == "." { return try number() }
    guard first.isLetter || first == "_" else { throw error("unexpected '\(first)'") }
    let word = self.word()
    guard take("(") else { return try name(word) }
    guard let function = Formula.Function(rawValue: word), word != "negate" else {
      let known = Formula.Function.allCases.map(\.rawValue).filter { $0.first?.isLetter == true }
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

  private func name(_ word: String) throws -> Formula.Node {
    if word == "pi" { return .number(.pi) }
    guard names.contains(word) else {
      throw error("'\(word)' is unknown; known are \(names.joined(separator: ", ")) and pi")
    }
    return .name(word)
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
    guard let value = Double(text) else { throw error("'\(text)' is not a number") }
    return .number(value)
  }
}
