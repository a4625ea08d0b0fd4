// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a log, in words that name the place and what was expected.

import Faults
import SafeText

/// A problem with input data.
package struct LogError: Fault, Hashable {
  package let file: String
  /// 1-based line of the file; nil for the whole file.
  package let line: Int?
  /// 1-based character of the line, where it is known.
  package let character: Int?
  /// Of a table.
  package let column: String?
  package let problem: String
  package let remedy: Remedy?

  package init(
    file: String, line: Int? = nil, character: Int? = nil, column: String? = nil, _ problem: String,
    remedy: Remedy? = nil
  ) {
    self.file = file
    self.line = line
    self.character = character
    self.column = column
    self.problem = problem
    self.remedy = remedy
  }

  /// One line of at most `longestMessage` characters, whatever stands in the input.
  package var statement: String {
    var place = shortenedPath(file)
    if let line { place += ":\(line)" + (character.map { ":\($0)" } ?? "") }
    if let column { place += ", column '\(shortened(column))'" }
    return shortened("\(place): \(problem)", to: longestMessage)
  }
}

/// "1 row", "2 rows".
package func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// The candidate closest to `word` by edit distance, for "did you mean".
package func nearest(to word: String, among candidates: [String]) -> String? {
  // The time is the product of the lengths; nobody mistypes a name of a hundred characters.
  if word.count > 100 { return nil }
  return candidates.filter { $0.count <= 200 }.map {
    ($0, editDistance(word.lowercased(), $0.lowercased()))
  }
  .filter { $0.1 <= max(2, word.count / 2) }
  // By name where two are as near: the order of candidates may be a set's.
  .min { ($0.1, $0.0) < ($1.1, $1.0) }?.0
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
