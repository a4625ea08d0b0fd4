// SPDX-License-Identifier: Apache-2.0
// Typed reading of a YAML mapping that knows where everything stands: a wrong value names file, line and
// key, an unknown key names the nearest known one. Yams (libYAML) does the parsing: it is the one YAML
// library for Swift that is kept, and its nodes carry line marks.

import Faults
import Foundation
import MachineLogs
import SafeText
import Yams

/// A mapping of a YAML file while it is read.
final class YAMLMapping {
  let file: String
  private let path: String
  private let node: Node
  private var asked: Set<String> = []
  private var children: [YAMLMapping] = []

  /// Parses a document. Throws: `LogError`.
  static func document(_ text: String, file: String) throws -> YAMLMapping {
    try YAMLLimits.check(text, file: file)
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw LogError(file: file, "is empty", remedy: .newTask(fromLogs: false))
      }
      try YAMLLimits.check(node, file: file)
      return try YAMLMapping(node, file: file, path: "")
    } catch let error as YamlError {
      throw error.inWords(text, file: file)
    }
  }

  private init(_ node: Node, file: String, path: String) throws {
    self.file = file
    self.path = path
    self.node = node
    guard node.mapping != nil else {
      throw LogError(
        file: file, line: node.mark?.line,
        "\(path.isEmpty ? "the task" : "'\(shortened(path))'") must be a mapping (key: value)")
    }
  }

  /// Line of a key's value.
  func line(_ key: String) -> Int? { node[key]?.mark?.line ?? node.mark?.line }

  func error(_ key: String, _ problem: String) -> LogError {
    LogError(file: file, line: line(key), "'\(shortened(full(key)))' \(problem)")
  }

  /// A key without which nothing goes; one that is nearly called so is named.
  ///
  /// - Parameter hint: what it may be.
  func missing(_ key: String, _ hint: String = "") -> LogError {
    let others = (node.mapping ?? [:]).keys.compactMap { $0.scalar?.string }
    let near = nearest(to: key, among: others.filter { !asked.contains($0) })
    let parts = ["is missing", near.map { "did you mean '\(shortened($0))'?" } ?? hint]
    return error(key, parts.filter { !$0.isEmpty }.joined(separator: "; "))
  }

  private func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  private func value(_ key: String) -> Node? {
    asked.insert(key)
    return node[key]
  }

  /// Its keys, in the file's order.
  var keys: [String] { Self.keys(of: node) }

  /// Those of the mapping that a key has; none where it has none.
  func keys(of key: String) -> [String] { node[key].map(Self.keys) ?? [] }

  private static func keys(of node: Node) -> [String] {
    node.mapping?.map { $0.key.scalar?.string ?? "" } ?? []
  }

  func string(_ key: String) throws -> String? {
    guard let value = value(key) else { return nil }
    guard let text = value.scalar?.string else { throw error(key, "must be a word") }
    guard value.null == nil else {
      throw error(
        key,
        "is empty\(text.isEmpty ? "" : " ('\(text)' is YAML's nothing; in quotes it is the word)")")
    }
    try checkForNUL(text, key)
    return text
  }

  /// The text of a scalar, whatever it is; nil of anything else.
  func word(_ key: String) throws -> String? { value(key)?.scalar?.string }

  /// The name of a task, state or action. Throws: `LogError` where it cannot be one.
  func name(_ key: String) throws -> String? { try string(key, problem(ofName:)) }

  /// A column of a log. Throws: `LogError` where it cannot be one.
  func column(_ key: String) throws -> String? { try string(key, problem(ofColumn:)) }

  /// The units of a channel, "" where there are none. Throws: `LogError`.
  func units() throws -> String {
    try string("units") { $0.isEmpty ? nil : problem(ofName: $0) } ?? ""
  }

  private func string(_ key: String, _ problem: (String) -> String?) throws -> String? {
    let text = try string(key)
    if let problem = text.flatMap(problem) { throw error(key, problem) }
    return text
  }

  /// The system would take a path or an argument to end there.
  private func checkForNUL(_ text: String, _ key: String) throws {
    if text.utf8.contains(0) { throw error(key, "has U+0000, a control character, in it") }
  }

  /// Of any number in a task; most keys have a narrower range.
  static let anyNumber = -1e9...1e9
  /// Of numbers that must be positive.
  static let anyPositive = 1e-9...1e9
  /// Of times, s.
  static let anyTime = 1e-6...1e7

  func number(
    _ key: String, _ range: ClosedRange<Double> = anyNumber
  ) throws -> Double? {
    guard let value = value(key) else { return nil }
    return try number(value, key, range)
  }

  /// Whether the key is there, whatever its value.
  func has(_ key: String) -> Bool { value(key) != nil }

  /// Whether the key's value is a list.
  func isList(_ key: String) -> Bool { value(key)?.sequence != nil }

  /// Whether the key's value is a list whose first element is one.
  func isListOfLists(_ key: String) -> Bool { value(key)?.sequence?.first?.sequence != nil }

  /// Whether the key's value is a mapping.
  func isMapping(_ key: String) -> Bool { value(key)?.mapping != nil }

  func bool(_ key: String) throws -> Bool? {
    guard let value = value(key) else { return nil }
    guard let scalar = value.scalar, let bool = Bool.construct(from: scalar) else {
      throw error(key, "must be true or false")
    }
    return bool
  }

  /// A list of lists of numbers.
  func lists(_ key: String) throws -> [[Double]]? {
    guard let value = value(key) else { return nil }
    return try value.sequence?.map { node in
      guard let sequence = node.sequence else { throw error(key, "must be a list of lists") }
      return try sequence.map { try number($0, key) }
    } ?? { throw error(key, "must be a list of lists") }()
  }

  /// A list of lists of words.
  func words(inLists key: String) throws -> [[String]]? {
    guard let value = value(key) else { return nil }
    return try (value.sequence.map(Array.init) ?? [value]).map { node in
      guard let words = node.sequence?.map({ $0.scalar?.string }), !words.contains(nil) else {
        throw error(key, "must be a list of lists")
      }
      return words.compactMap(\.self)
    }
  }

  /// A mapping of names to numbers.
  func namedNumbers(_ key: String) throws -> [String: Double]? {
    guard let value = value(key) else { return nil }
    guard let mapping = value.mapping else { throw error(key, "must be a mapping of numbers") }
    var result: [String: Double] = [:]
    for (name, node) in mapping { result[name.scalar?.string ?? ""] = try number(node, key) }
    return result
  }

  func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int? {
    try value(key).map { try integer($0, key, range) }
  }

  /// A list of whole numbers (a single one is a list of one).
  func integers(_ key: String, _ range: ClosedRange<Int>) throws -> [Int]? {
    guard let value = value(key) else { return nil }
    return try (value.sequence.map(Array.init) ?? [value]).map { try integer($0, key, range) }
  }

  private func integer(_ node: Node, _ key: String, _ range: ClosedRange<Int>) throws -> Int {
    let any = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
    guard let whole = Int(exactly: try number(node, key, any)), range.contains(whole) else {
      throw error(
        key,
        "must be a whole number from \(range.lowerBound) to \(range.upperBound), not "
          + (node.scalar.map { "'\(shortened($0.string))'" } ?? "a list or mapping"))
    }
    return whole
  }

  func positive(
    _ key: String, _ range: ClosedRange<Double> = anyPositive
  ) throws -> Double? { try number(key, range) }

  func numbers(
    _ key: String, _ range: ClosedRange<Double> = anyNumber
  ) throws -> [Double]? {
    guard let value = value(key) else { return nil }
    guard let sequence = value.sequence else { throw error(key, "must be a list of numbers") }
    return try sequence.map { try number($0, key, range) }
  }

  func strings(_ key: String) throws -> [String]? {
    guard let value = value(key) else { return nil }
    let nodes = value.sequence.map(Array.init) ?? [value]
    return try nodes.map {
      guard let text = $0.scalar?.string, $0.null == nil else {
        throw error(
          key,
          "must be a list of names"
            + ($0.null == nil
              ? "" : "; null is not a name (write 'null' in quotes if you mean the word)"))
      }
      try checkForNUL(text, key)
      return text
    }
  }

  /// One of an enumeration's raw values.
  func choice<T: RawRepresentable>(_ key: String, _ type: T.Type, among names: [String]) throws
    -> T?
  where T.RawValue == String {
    guard let text = try string(key) else { return nil }
    guard let value = T(rawValue: text) else {
      let hint = nearest(to: text, among: names).map { "; did you mean '\($0)'?" } ?? ""
      throw error(
        key, "must be one of \(names.joined(separator: ", ")), not '\(shortened(text))'\(hint)")
    }
    return value
  }

  /// One of all of an enumeration's raw values.
  func choice<T: RawRepresentable & CaseIterable>(_ key: String, _ type: T.Type) throws -> T?
  where T.RawValue == String {
    try choice(key, type, among: T.allCases.map(\.rawValue))
  }

  /// One of all of an enumeration's raw values, or nil for `automatic`; nothing where the key is missing.
  func choiceOrAutomatic<T: RawRepresentable & CaseIterable>(
    _ key: String, _ type: T.Type
  ) throws -> T?? where T.RawValue == String {
    let word = "automatic"
    guard let text = try string(key) else { return nil }
    if text == word { return .some(nil) }
    return try choice(key, type, among: [word] + T.allCases.map(\.rawValue))
  }

  func mapping(_ key: String) throws -> YAMLMapping? {
    guard let value = value(key) else { return nil }
    let child = try YAMLMapping(value, file: file, path: full(key))
    children.append(child)
    return child
  }

  /// A list of mappings (a single mapping is a list of one).
  func mappings(_ key: String) throws -> [YAMLMapping]? {
    guard let value = value(key) else { return nil }
    let nodes = value.sequence.map(Array.init) ?? [value]
    let found = try nodes.enumerated().map {
      try YAMLMapping($1, file: file, path: "\(full(key))[\($0)]")
    }
    children += found
    return found
  }

  enum WordOrMapping {
    case word(String)
    case mapping(YAMLMapping)
  }

  /// A list whose elements are words or mappings (a single one is a list of one).
  func wordsOrMappings(_ key: String) throws -> [WordOrMapping]? {
    guard let value = value(key) else { return nil }
    let nodes = value.sequence.map(Array.init) ?? [value]
    return try nodes.enumerated().map { index, node in
      if node.mapping != nil {
        let child = try YAMLMapping(node, file: file, path: "\(full(key))[\(index)]")
        children.append(child)
        return .mapping(child)
      }
      guard let text = node.scalar?.string, node.null == nil else {
        throw error(key, "must be a list of names, or of mappings such as {file: a.csv}")
      }
      try checkForNUL(text, key)
      return .word(text)
    }
  }

  /// A mapping of names to names.
  func words(_ key: String) throws -> [String: String]? {
    guard let value = value(key) else { return nil }
    guard let mapping = value.mapping else { throw error(key, "must be a mapping of names") }
    var result: [String: String] = [:]
    for (name, other) in mapping {
      guard let name = name.scalar?.string, let other = other.scalar?.string else {
        throw error(key, "must be a mapping of names, like {position: rate}")
      }
      result[name] = other
    }
    return result
  }

  /// Throws for the first key, here or below, that nothing asked for.
  func finish() throws {
    for (key, value) in node.mapping ?? [:] {
      guard let name = key.scalar?.string, !asked.contains(name) else { continue }
      let isDigits = !name.isEmpty && name.allSatisfy(\.isNumber) && value.null != nil
      let hint =
        isDigits
        ? "a decimal number is written with a point, 0.05"
        : nearest(to: name, among: Array(asked)).map { "did you mean '\($0)'?" }
      throw LogError(
        file: file, line: key.mark?.line ?? value.mark?.line,
        "unknown key '\(shortened(full(name)))'; "
          + (hint ?? "known here: \(asked.sorted().joined(separator: ", "))"))
    }
    for child in children { try child.finish() }
  }

  private func number(
    _ node: Node, _ key: String, _ range: ClosedRange<Double> = anyNumber
  ) throws -> Double {
    func failure(_ wanted: String) -> LogError {
      LogError(
        file: file, line: node.mark?.line,
        "'\(shortened(full(key)))' must be \(wanted), not "
          + (node.scalar.map { "'\(shortened($0.string))'" } ?? "a list or mapping"))
    }
    guard let text = node.scalar?.string else { throw failure("a number") }
    guard let number = Double(text), number.isFinite else {
      let parts = text.split(separator: ",", omittingEmptySubsequences: false)
      if text.utf8.count < 40, parts.count == 2, Double(parts[0] + "." + parts[1]) != nil {
        throw LogError(
          file: file, line: node.mark?.line,
          "'\(shortened(full(key)))' must be a number, not '\(shortened(text))'; write "
            + "\(parts[0]).\(parts[1]): YAML decimals are points")
      }
      let isWord = [".inf", "+.inf", "-.inf", ".nan"].contains(text.lowercased())
      throw failure(isWord || Double(text) != nil ? "a finite number" : "a number")
    }
    guard range.contains(number) else {
      throw failure("from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}
