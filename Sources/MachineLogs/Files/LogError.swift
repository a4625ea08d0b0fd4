// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a log, in words that name the place and what was expected.

/// A problem with input data. The command line exits with 65 (EX_DATAERR) for it.
public struct LogError: Error, CustomStringConvertible, Hashable, Sendable {
  public let file: String
  /// 1-based line of the file; nil for the whole file.
  public let line: Int?
  /// 1-based character of the line, where it is known.
  public let character: Int?
  /// Of a table.
  public let column: String?
  public let problem: String

  public init(
    file: String, line: Int? = nil, character: Int? = nil, column: String? = nil, _ problem: String
  ) {
    self.file = file
    self.line = line
    self.character = character
    self.column = column
    self.problem = problem
  }

  /// One line of at most `longestMessage` characters, whatever stands in the input.
  public var description: String {
    var place = shortenedPath(file)
    if let line { place += ":\(line)" + (character.map { ":\($0)" } ?? "") }
    if let column { place += ", column '\(shortened(column))'" }
    return shortened("\(place): \(problem)", to: longestMessage)
  }
}

/// Characters of a message, at most: what a person reads at once, and what no input can drive up.
public let longestMessage = 300

/// A text from outside for a message: one line without control characters and marks that turn the direction of writing, at
/// most so many characters, with an ellipsis where something was left out.
public func shortened(_ text: String, to limit: Int = 60) -> String {
  // Counted in scalars: one character may carry any number of accents. A megabyte is not gone through.
  let start = printable(String(text.unicodeScalars.prefix(limit + 1)))
  if start.unicodeScalars.count <= limit { return start }
  return String(start.unicodeScalars.prefix(limit - 1)) + "\u{2026}"
}

/// The same, with what is too long left out in the middle: a failure's first words say what and where, its last what became
/// of the machine.
public func shortenedInside(_ text: String, to limit: Int) -> String {
  let scalars = printable(text).unicodeScalars
  guard scalars.count > limit else { return String(scalars) }
  let end = (limit - 1) / 2
  return String(scalars.prefix(limit - 1 - end)) + "\u{2026}" + String(scalars.suffix(end))
}

/// A path for a message: its end, where the name is.
private func shortenedPath(_ path: String, to limit: Int = 120) -> String {
  let text = printable(path)
  return text.count <= limit ? text : "\u{2026}" + text.suffix(limit - 1)
}

/// The text with control characters, and marks that turn the direction of writing or cannot be seen, as escapes (\u{1B}).
///
/// - Parameters:
///   - text: from outside.
///   - keeping: control characters that stay.
public func printable(_ text: String, keeping: String = "") -> String {
  if text.unicodeScalars.allSatisfy({ !isHidden($0) }) { return text }
  let kept = Set(keeping.unicodeScalars)
  return text.unicodeScalars.reduce(into: "") { result, scalar in
    if !isHidden(scalar) || kept.contains(scalar) {
      result.unicodeScalars.append(scalar)
    } else {
      result += "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    }
  }
}

/// Control and format characters (bidirectional marks, zero-width ones), separators of lines and paragraphs.
private func isHidden(_ scalar: Unicode.Scalar) -> Bool {
  switch scalar.properties.generalCategory {
  case .control, .format, .lineSeparator, .paragraphSeparator: true
  default: false
  }
}

/// "1 row", "2 rows".
public func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// The candidate closest to `word` by edit distance, for "did you mean".
public func nearest(to word: String, among candidates: [String]) -> String? {
  // The time is the product of the lengths; nobody mistypes a name of a hundred characters.
  if word.count > 100 { return nil }
  return candidates.filter { $0.count <= 200 }.map {
    ($0, editDistance(word.lowercased(), $0.lowercased()))
  }
  .filter { $0.1 <= max(2, word.count / 2) }
  .min { $0.1 < $1.1 }?.0
}

/// Levenshtein distance.
private func editDistance(_ a: String, _ b: String) -> Int {
  let (x, y) = (Array(a), Array(b))
  var row = Array(0...y.count)
  for (i, letter) in x.enumerated() {
    var diagonal = row[0]
    row[0] = i + 1
    for (j, other) in y.enumerated() {
      let substitution = diagonal + (letter == other ? 0 : 1)
      diagonal = row[j + 1]
      row[j + 1] = min(substitution, row[j] + 1, row[j + 1] + 1)
    }
  }
  return row[y.count]
}
