// SPDX-License-Identifier: Apache-2.0
// What can be wrong with a log, in words that name the place and what was expected.

/// A problem with input data. The command line exits with 65 (EX_DATAERR) for it.
public struct LogError: Error, CustomStringConvertible, Hashable, Sendable {
  public let file: String
  /// 1-based line of the file; nil for the whole file.
  public let line: Int?
  public let column: String?
  public let problem: String

  public init(file: String, line: Int? = nil, column: String? = nil, _ problem: String) {
    self.file = file
    self.line = line
    self.column = column
    self.problem = problem
  }

  public var description: String {
    var place = file
    if let line { place += ":\(line)" }
    if let column { place += ", column '\(column)'" }
    return "\(place): \(problem)"
  }
}

/// A user's text as messages quote it: on one line, without control characters, at most so many characters of it.
public func shortened(_ text: String, to length: Int = 60) -> String {
  let start = text.unicodeScalars.prefix(length + 1).map { scalar -> String in
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .unassigned, .privateUse:
      scalar.escaped(asASCII: true)
    default: String(scalar)
    }
  }
  return start.count > length ? start.prefix(length - 3).joined() + "..." : start.joined()
}

/// "1 row", "2 rows".
public func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}

/// The candidate closest to `word` by edit distance, for "did you mean".
public func nearest(to word: String, among candidates: [String]) -> String? {
  candidates.map { ($0, editDistance(word.lowercased(), $0.lowercased())) }
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
