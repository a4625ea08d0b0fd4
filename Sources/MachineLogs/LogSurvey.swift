// SPDX-License-Identifier: Apache-2.0
// A log without a description -> all of its columns: which hold numbers, with which units, how many values are missing.

import Faults
import Foundation
import SafeText

/// Everything that is in a log.
package struct LogSurvey: Sendable {
  package struct Column: Sendable {
    package var name: String
    /// As the file states it, in a row of units or in brackets behind the name; "" where it does not.
    package var units: String
    /// [rows], NaN where none stands.
    package var values: [Double]

    /// Whether values come at most in every second row, and regularly.
    package var hasOwnClock: Bool {
      let rows = values.indices.filter { !values[$0].isNaN }
      guard rows.count > 1 else { return true }
      let spacings = zip(rows.dropFirst(), rows).map { $0 - $1 }.sorted()
      let median = spacings[spacings.count / 2]
      return median >= 2 && spacings[spacings.count * 9 / 10] <= 3 * median
    }

    /// The part of the rows without a value.
    package var missing: Double {
      Double(values.count { $0.isNaN }) / Double(max(values.count, 1))
    }
  }

  /// Seconds; in a log of several clocks not in order.
  package var times: [Double]
  package var timeColumn: String
  /// Columns of numbers, in the file's order.
  package var columns: [Column]
  /// Columns that are of no use, and why.
  package var others: [(name: String, reason: String)]
  /// What was understood of how the file is written, in words for people.
  package var habits: [String]

  /// Reads a log.
  ///
  /// - Parameters:
  ///   - source: of the log.
  ///   - hints: its time column and unit of time, where the log does not tell; its channels are not used.
  /// - Throws: `LogError`.
  package init(of source: LogSource, hints: LogLayout) throws {
    guard source.path != "-" else {
      throw LogError(file: "standard input", "is read more than once here; give a file")
    }
    var layout = hints
    (layout.actions, layout.rewardColumn) = ([], nil)
    if layout.timeStep == 0 { layout.timeStep = LogLayout.unknownTimeStep }
    var (names, others) = try Self.candidates(source, layout)
    while true {
      guard !names.isEmpty else {
        throw LogError(file: source.name, "has no column of numbers besides its time")
      }
      layout.states = names.map { name in
        var channel = Channel(name: name)
        channel.missing = .hold
        return channel
      }
      do {
        let (file, units) = try LogFile.asItStands(source, layout)
        (times, timeColumn, habits) = (file.times, file.timeColumn, file.habits)
        columns = names.map { name in
          Column(
            name: name, units: units[name] ?? LogFile.unit(ofName: name) ?? "",
            values: file.column(name))
        }
        break
      } catch let error as LogError {
        // A word far below the first rows.
        guard let column = error.column, names.contains(column) else { throw error }
        names.removeAll { $0 == column }
        others.append((column, "line \(error.line ?? 0): \(error.problem)"))
      }
    }
    self.others = others
  }

  /// The columns whose first values are no words, and what the others are.
  private static func candidates(
    _ source: LogSource, _ layout: LogLayout
  ) throws -> (names: [String], others: [(name: String, reason: String)]) {
    try source.read { try candidates(CSVReader($0), source, layout) }
  }

  private static func candidates(
    _ reader: CSVReader, _ source: LogSource, _ layout: LogLayout
  ) throws -> (names: [String], others: [(name: String, reason: String)]) {
    let head = try LogHead(
      of: reader, wanted: layout.timeColumn.map { [$0] } ?? [], given: source.header)
    let time =
      layout.timeColumn ?? LogColumns.timeColumn(of: head.names, besides: [])
    guard let time, head.names.contains(time) else {
      throw LogError(
        file: source.name, line: head.line,
        "has no column with the name of a time. Its columns: "
          + shortened(head.names.map { shortened($0) }.joined(separator: ", "), to: 150),
        remedy: .timeColumn(guess: nil))
    }
    var words: [Int: String] = [:]
    reader.forEachAhead(200) { reader in
      guard reader.line >= head.firstRowLine, !reader.isComment else { return }
      for index in 0..<min(reader.count, head.names.count) {
        let text = reader.text(index)
        if words[index] == nil, !Cell.isNumber(text), !Cell.marksMissing(text) {
          words[index] = text
        }
      }
    }
    let counts = Dictionary(grouping: head.names, by: { $0 }).mapValues(\.count)
    var (result, others): ([String], [(name: String, reason: String)]) = ([], [])
    for (index, name) in head.names.enumerated() where name != time && !name.isEmpty {
      if let problem = problem(ofColumn: name) {
        others.append((name, "its name \(problem)"))
      } else if counts[name] ?? 0 > 1 {
        if !others.contains(where: { $0.name == name }) {
          others.append((name, "is the name of \(counts[name] ?? 0) columns"))
        }
      } else if let word = words[index] {
        others.append((name, "contains words: '\(shortened(word))'"))
      } else if result.count == mostColumns {
        others.append((name, "comes after \(mostColumns) others; write it into the task by hand"))
      } else {
        result.append(name)
      }
    }
    return (result, others)
  }

  /// Columns that a proposal goes through; what compares them pair by pair takes seconds then.
  private static let mostColumns = 40
}

extension LogFile {
  /// The turn by which a column's values wrap: of an angle that is not called one; nil of others.
  package func wrappingTurn(of column: String, _ layout: LogLayout) -> Double? {
    ValueChecks(
      file: self, layout: layout, longestGap: LogLayout.longestGap * Self.spacing(of: times)
    ).turn(of: column)
  }
}
