// SPDX-License-Identifier: Apache-2.0
// JSON that Foundation takes and a file must not have: a name that stands twice in an object (one of them would count, the
// other vanish), and nesting so deep that a parser's stack could end. Looked for before the parser sees the text.
// Here only braces, brackets, commas and strings are told apart; whether the rest is JSON, the parser says.

import Foundation
import SafeText

/// Levels of objects and lists within one another; the files' own have ten.
private let mostLevels = 64

/// What is wrong with the text of a JSON object, in words after "its header", or nil.
///
/// - Parameter bytes: UTF-8.
package func jsonProblem(_ bytes: [UInt8]) -> String? {
  guard bytes.first == UInt8(ascii: "{") else { return "is not a JSON object" }
  // Foundation guesses UTF-16 and UTF-32 from zeros.
  if bytes.contains(0) { return "is not UTF-8" }
  /// Names of each open object so far; nil for a list.
  var open: [Set<String>?] = []
  var isName = false
  var index = 0
  while index < bytes.count {
    switch bytes[index] {
    case UInt8(ascii: "{"), UInt8(ascii: "["):
      isName = bytes[index] == UInt8(ascii: "{")
      open.append(isName ? [] : nil)
      if open.count > mostLevels { return "is nested in more than \(mostLevels) levels" }
    case UInt8(ascii: "}"), UInt8(ascii: "]"):
      if open.isEmpty { return "is not a JSON object" }
      open.removeLast()
      isName = false
    case UInt8(ascii: ","): isName = open.last.map { $0 != nil } ?? false
    case UInt8(ascii: "\""):
      guard let end = endOfString(bytes, from: index) else { return "is cut off within a string" }
      if isName {
        guard let name = text(bytes[index...end]) else { return "has a name that is not text" }
        guard open[open.count - 1]?.insert(name).inserted == true else {
          return "has the name '\(shortened(name))' twice"
        }
      }
      isName = false
      index = end
    default: break
    }
    index += 1
  }
  return nil
}

/// Where the closing quotation mark of a string stands.
private func endOfString(_ bytes: [UInt8], from start: Int) -> Int? {
  var index = start + 1
  while index < bytes.count {
    if bytes[index] == UInt8(ascii: "\"") { return index }
    index += bytes[index] == UInt8(ascii: "\\") ? 2 : 1
  }
  return nil
}

/// What a string with its quotation marks stands for: "\u0061" is "a".
private func text(_ quoted: ArraySlice<UInt8>) -> String? {
  guard quoted.contains(UInt8(ascii: "\\")) else {
    return String(validating: quoted.dropFirst().dropLast(), as: UTF8.self)
  }
  return try? JSONDecoder().decode(String.self, from: Data(quoted))
}

/// Why JSON could not become what is wanted, in words after "its header": which entry, and what is wrong with it.
func jsonReason(_ error: any Error) -> String {
  func place(_ context: DecodingError.Context, _ last: (any CodingKey)? = nil) -> String {
    let keys = context.codingPath + (last.map { [$0] } ?? [])
    return keys.isEmpty ? "" : " at '\(keys.map(\.stringValue).joined(separator: "."))'"
  }
  switch error as? DecodingError {
  case .keyNotFound(let key, let context): return "lacks an entry\(place(context, key))"
  case .typeMismatch(_, let context): return "has the wrong type\(place(context))"
  case .valueNotFound(_, let context): return "has no value\(place(context))"
  case .dataCorrupted(let context) where !context.codingPath.isEmpty:
    return "has an impossible value\(place(context))"
  default: return "is not JSON"
  }
}
