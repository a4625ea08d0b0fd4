// SPDX-License-Identifier: Apache-2.0
// A log of which nothing is known -> all of its columns: which hold numbers, with which units, how many values are missing.

import Foundation
import SafeText

/// Everything that is in a log.
public struct LogSurvey: Sendable {
  public struct Column: Sendable {
    public var name: String
    /// As the file states it, in a row of units or in brackets behind the name; "" where it does not.
    public var units: String
    /// [rows], NaN where none stands.
    public var values: [Double]

    /// The part of the rows without a value.
    public var missing: Double {
      Double(values.count { $0.isNaN }) / Double(max(values.count, 1))
    }
  }

  /// Seconds; in a log of several clocks not in order.
  public var times: [Double]
  public var timeColumn: String
  /// Columns of numbers, in the file's order.
  public var columns: [Column]
  /// Columns that hold words.
  public var wordColumns: [String]
  /// What was understood of how the file is written, in words for people.
  public var habits: [String]

  /// Reads a log.
  ///
  /// - Parameters:
  ///   - source: of the log.
  ///   - hints: its time column and unit of time, where the log does not tell; its channels are not used.
  /// - Throws: `LogError`.
  public init(of source: LogSource, hints: LogLayout) throws {
    guard source.path != "-" else {
      throw LogError(file: "standard input", "is read more than once here; name a file")
    }
    var layout = hints
    (layout.actions, layout.rewardColumn) = ([], nil)
    // No spacing is too coarse for it.
    layout.timeStep = 1e12
    var words: [String] = []
    var names = try Self.candidates(source, layout, &words)
    while true {
      guard !names.isEmpty else {
        throw LogError(file: source.name, "has no column of numbers beside its time")
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
        // A word far below the first rows makes it a column of words.
        guard let column = error.column, names.contains(column) else { throw error }
        names.removeAll { $0 == column }
        words.append(column)
      }
    }
    wordColumns = words
  }

  /// The columns whose first values are numbers; the others into `words`.
  private static func candidates(
    _ source: LogSource, _ layout: LogLayout, _ words: inout [String]
  ) throws -> [String] {
    let log = try source.open()
    let reader = try CSVReader(log.stream)
    let head = try LogHead(
      of: reader, wanted: layout.timeColumn.map { [$0] } ?? [], given: source.header)
    let time =
      layout.timeColumn ?? LogColumns.timeColumn(of: head.names, besides: [])
    guard let time, head.names.contains(time) else {
      throw LogError(
        file: source.name, line: head.line,
        "has no column that is called like a time; name it with --time-column. Its columns: "
          + shortened(head.names.map { shortened($0) }.joined(separator: ", "), to: 150))
    }
    var (numbers, others) = (Set<Int>(), Set<Int>())
    reader.forEachAhead(200) { reader in
      guard reader.line >= head.firstRowLine, !reader.isComment else { return }
      for index in 0..<min(reader.count, head.names.count) {
        let text = reader.text(index)
        if Cell.isNumber(text) {
          numbers.insert(index)
        } else if !Cell.marksMissing(text) {
          others.insert(index)
        }
      }
    }
    let counts = Dictionary(grouping: head.names, by: { $0 }).mapValues(\.count)
    var result: [String] = []
    for (index, name) in head.names.enumerated() where name != time && !name.isEmpty {
      if counts[name] == 1, numbers.contains(index), !others.contains(index) {
        result.append(name)
      } else if !words.contains(name) {
        words.append(name)
      }
    }
    return result
  }
}

extension LogFile {
  /// The turn by which a column's values wrap: of an angle that is not called one; nil of others.
  package func wrappingTurn(of column: String, _ layout: LogLayout) -> Double? {
    ValueChecks(
      file: self, layout: layout, longestGap: LogLayout.longestGap * Self.spacing(of: times)
    ).turn(of: column)
  }
}
