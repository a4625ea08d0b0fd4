// SPDX-License-Identifier: Apache-2.0
// Typed reading of a YAML mapping that keeps positions: the error of a wrong value has file, line and
// key, that of an unknown key has the nearest known one. Yams (libYAML) does the parsing: it is the one YAML
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
  /// Hears which keys are asked for; nil where nobody wants to know.
  private let record: TaskKeyRecord?

  /// Parses a document. Throws: `LogError`.
  static func document(
    _ text: String, file: String, record: TaskKeyRecord? = nil
  ) throws -> YAMLMapping {
    try YAMLLimits.check(text, file: file)
    do {
      guard let node = try Yams.compose(yaml: text) else {
        throw LogError(file: file, "is empty", remedy: .newTask(fromLogs: false))
      }
      try YAMLLimits.check(node, file: file)
      return try YAMLMapping(node, file: file, path: "", record: record)
    } catch let error as YamlError {
      throw error.inWords(text, file: file)
    }
  }

  private init(_ node: Node, file: String, path: String, record: TaskKeyRecord?) throws {
    self.record = record
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

  func full(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  /// The value of a key.
  ///
  /// - Parameter kind: what it must be, in words for the reference; nil where that is asked elsewhere.
  func value(_ key: String, _ kind: @autoclosure () -> String? = nil) -> Node? {
    asked.insert(key)
    if let record, let kind = kind() { record.note(full(key), kind) }
    return node[key]
  }

  /// Its keys, in the file's order.
  var keys: [String] { Self.keys(of: node) }

  /// Those of the mapping that a key has; none where it has none.
  func keys(of key: String) -> [String] { node[key].map(Self.keys) ?? [] }

  /// Whether a key of the mapping that a key has is a list.
  func isList(_ inner: String, of key: String) -> Bool { node[key]?[inner]?.sequence != nil }

  private static func keys(of node: Node) -> [String] {
    node.mapping?.map { $0.key.scalar?.string ?? "" } ?? []
  }

  func mapping(_ key: String) throws -> YAMLMapping? {
    guard let value = value(key, "mapping") else { return nil }
    let child = try YAMLMapping(value, file: file, path: full(key), record: record)
    children.append(child)
    return child
  }

  /// A list of mappings (a single mapping is a list of one).
  func mappings(_ key: String) throws -> [YAMLMapping]? {
    guard let value = value(key, "list of mappings") else { return nil }
    let nodes = value.sequence.map(Array.init) ?? [value]
    let found = try nodes.enumerated().map {
      try YAMLMapping($1, file: file, path: "\(full(key))[\($0)]", record: record)
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
    guard let value = value(key, "list of names or mappings") else { return nil }
    let nodes = value.sequence.map(Array.init) ?? [value]
    return try nodes.enumerated().map { index, node in
      if node.mapping != nil {
        let child = try YAMLMapping(
          node, file: file, path: "\(full(key))[\(index)]", record: record)
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
    guard let value = value(key, "NAME: name") else { return nil }
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
          + (hint ?? "known keys here: \(asked.sorted().joined(separator: ", "))"))
    }
    for child in children { try child.finish() }
  }
}
