// SPDX-License-Identifier: Apache-2.0
// The structure of a file of BAGEL: names, kinds, and which numbers it has. It is JSON in the header; the
// numbers themselves are tensors. Read back, it is checked before anything is made of it.

import Foundation
import SafeText

/// The words of a file.
package protocol FileStructure: Codable {
  /// Why nothing can be made of it, in words ("it has no states"), or nil.
  var problem: String? { get }
}

/// Of the header's metadata.
private let structureKey = "structure"

extension FileStructure {
  /// The same text for the same words.
  package var text: String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    // Numbers that are not finite, for which JSON has no text, are a `problem`.
    return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? ""
  }

  /// The header's metadata of a file with this structure.
  ///
  /// - Parameters:
  ///   - format: its name and version.
  ///   - path: of the file, for messages.
  /// - Throws: `TensorFileError` where `init(_:path:)` would refuse it.
  package func metadata(format: String, path: String) throws(TensorFileError) -> [String: String] {
    if let problem {
      throw TensorFileError(path: path, "cannot be written: \(problem)", isWriting: true)
    }
    return ["format": format, structureKey: text]
  }

  /// The structure that a file's header has.
  ///
  /// - Parameters:
  ///   - file: its contents.
  ///   - path: of the file, for messages.
  /// - Throws: `TensorFileError` where it is missing, no JSON, incomplete, or has a `problem`.
  package init(_ file: TensorFile, path: String) throws(TensorFileError) {
    guard let text = file.metadata[structureKey] else {
      throw TensorFileError(path: path, "is damaged: its header does not describe its structure")
    }
    if let problem = jsonProblem(Array(text.utf8)) {
      throw TensorFileError(path: path, "is damaged: its structure \(problem)")
    }
    do {
      self = try JSONDecoder().decode(Self.self, from: Data(text.utf8))
    } catch {
      throw TensorFileError(path: path, "is damaged: its structure \(jsonReason(error))")
    }
    if let problem { throw TensorFileError(path: path, "is damaged: \(problem)") }
  }
}

/// Most states, and most actions, of a machine.
package let mostChannels = 1_000

/// What is wrong with the names of states and actions, in words, or nil: each list has some, each can be a name, and none stands twice.
///
/// - Parameters:
///   - states: names of the states.
///   - actions: names of the actions.
package func namesProblem(_ states: [String], _ actions: [String]) -> String? {
  for (names, what) in [(states, "states"), (actions, "actions")] {
    guard (1...mostChannels).contains(names.count) else {
      return "it has \(names.count) \(what); 1 to \(mostChannels) are allowed"
    }
  }
  let names = states + actions
  for name in names {
    if let problem = problem(ofName: name) { return "the name of a state or action \(problem)" }
  }
  var seen: Set<String> = []
  return names.first { !seen.insert($0).inserted }.map {
    "'\(shortened($0))' is the name of two channels"
  }
}
