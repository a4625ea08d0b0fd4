// SPDX-License-Identifier: Apache-2.0
// Values of a task file's keys: words, numbers within their range, lists, one of some names. The error of a wrong one has file, line, key and what
// is needed.

import Foundation
import MachineLogs
import SafeText
import Yams

extension YAMLMapping {
  func string(_ key: String, as kind: @autoclosure () -> String = "text") throws -> String? {
    guard let value = value(key, kind()) else { return nil }
    guard let text = value.scalar?.string else { throw error(key, "must be a word") }
    guard value.null == nil else {
      throw error(
        key,
        "is empty\(text.isEmpty ? "" : " ('\(text)' means an empty value in YAML; put it in quotes for the word)")"
      )
    }
    try checkForNUL(text, key)
    return text
  }

  /// The text of a scalar, whatever it is; nil of anything else.
  func word(_ key: String) throws -> String? { value(key, "text")?.scalar?.string }

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
  func checkForNUL(_ text: String, _ key: String) throws {
    if text.utf8.contains(0) { throw error(key, "contains the control character U+0000") }
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
    guard let value = value(key, "number" + TaskKeyRecord.words(range)) else { return nil }
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
    guard let value = value(key, "true or false") else { return nil }
    guard let scalar = value.scalar, let bool = Bool.construct(from: scalar) else {
      throw error(key, "must be true or false")
    }
    return bool
  }

  /// A list of lists of numbers.
  func lists(_ key: String) throws -> [[Double]]? {
    guard let value = value(key, "list of lists of numbers") else { return nil }
    return try value.sequence?.map { node in
      guard let sequence = node.sequence else { throw error(key, "must be a list of lists") }
      return try sequence.map { try number($0, key) }
    } ?? { throw error(key, "must be a list of lists") }()
  }

  /// A list of lists of words.
  func words(inLists key: String) throws -> [[String]]? {
    guard let value = value(key, "list of lists of numbers and names") else { return nil }
    return try (value.sequence.map(Array.init) ?? [value]).map { node in
      guard let words = node.sequence?.map({ $0.scalar?.string }), !words.contains(nil) else {
        throw error(key, "must be a list of lists")
      }
      return words.compactMap(\.self)
    }
  }

  /// A mapping of names to numbers.
  func namedNumbers(_ key: String) throws -> [String: Double]? {
    guard let value = value(key, "NAME: number") else { return nil }
    guard let mapping = value.mapping else { throw error(key, "must be a mapping of numbers") }
    var result: [String: Double] = [:]
    for (name, node) in mapping { result[name.scalar?.string ?? ""] = try number(node, key) }
    return result
  }

  func integer(_ key: String, _ range: ClosedRange<Int>) throws -> Int? {
    try value(
      key, "whole number, \(range.lowerBound) to \(TaskKeyRecord.short(Double(range.upperBound)))"
    ).map {
      try integer($0, key, range)
    }
  }

  /// A list of whole numbers (a single one is a list of one).
  func integers(_ key: String, _ range: ClosedRange<Int>) throws -> [Int]? {
    guard
      let value = value(
        key,
        "whole number or a list of them, \(range.lowerBound) to \(TaskKeyRecord.short(Double(range.upperBound)))"
      )
    else { return nil }
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
    guard let value = value(key, "list of numbers" + TaskKeyRecord.words(range)) else { return nil }
    guard let sequence = value.sequence else { throw error(key, "must be a list of numbers") }
    return try sequence.map { try number($0, key, range) }
  }

  func strings(_ key: String) throws -> [String]? {
    guard let value = value(key, "list of names") else { return nil }
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
    guard let text = try string(key, as: "one of " + names.joined(separator: ", ")) else {
      return nil
    }
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
    let names = [word] + T.allCases.map(\.rawValue)
    guard let text = try string(key, as: "one of " + names.joined(separator: ", ")) else {
      return nil
    }
    if text == word { return .some(nil) }
    return try choice(key, type, among: names)
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
