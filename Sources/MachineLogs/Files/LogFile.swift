// SPDX-License-Identifier: Apache-2.0
// A log -> the columns that a layout wants, as finite numbers in the task's units, and the line of each row for messages. In one
// pass, so that only these columns are ever in memory. The format of the file is detected (LogHead, LogColumns, StampReader,
// TimeUnit, DecimalMarks) and reported; a cell that is not a number is refused with its place.

import Foundation
import SafeText

/// The numbers of one log file.
package struct LogFile: Sendable {
  /// As messages name it.
  package let path: String
  package let header: [String]
  /// Name of the time column.
  package let timeColumn: String
  /// 1-based line of each row.
  private(set) var lines: [UInt32]
  private var columns: [String: [Double]]
  /// What is odd, in words for people.
  package private(set) var notes: [String]
  /// What was understood of how the file is written, where that is not plain, in words for people.
  package internal(set) var habits: [String]

  /// Most rows of a file: time and two columns of so many take half a gigabyte.
  package static let mostRows = 20_000_000
  /// Larger numbers would overflow when they are squared and summed.
  package static let largestNumber = 1e100

  /// Reads the columns of a layout from a CSV file, a pipe, or standard input ("-").
  ///
  /// Throws: `LogError`.
  package init(path: String, layout: LogLayout) throws {
    try self.init(LogSource(path), layout: layout)
  }

  /// Reads the columns of a layout.
  ///
  /// - Parameters:
  ///   - source: of the log.
  ///   - layout: names the columns; cells of its reward column may be empty (NaN).
  ///   - progress: gets the part that was read, 0 to 1; not of a pipe.
  /// - Throws: `LogError` for a file that cannot be read, a missing column, a row that does not fit the header, anything that
  ///   is not a finite decimal number, stamps that do not go forward, and a converter that fails.
  package init(
    _ source: LogSource, layout: LogLayout, progress: (Double) -> Void = { _ in }
  ) throws {
    var units: [String: String] = [:]
    self = try Self.read(source, layout, &units, progress)
    try giveOneClock(layout, isConverted: !source.converter.isEmpty)
    try dropIncompleteRows(layout)
    try checkStamps()
    convertUnits(layout, units)
  }

  /// The rows as they stand, whatever clocks they have, and the units that the file states.
  ///
  /// Throws: `LogError`.
  static func asItStands(
    _ source: LogSource, _ layout: LogLayout
  ) throws -> (file: LogFile, units: [String: String]) {
    var units: [String: String] = [:]
    return (try read(source, layout, &units) { _ in }, units)
  }

  private static func read(
    _ source: LogSource, _ layout: LogLayout, _ units: inout [String: String],
    _ progress: (Double) -> Void
  ) throws -> LogFile {
    let isConverted = !source.converter.isEmpty
    return try source.read { stream in
      let reader = try CSVReader(stream)
      let wanted = LogColumns.wanted(by: layout)
      let head = try LogHead(
        of: reader, wanted: wanted + (layout.timeColumn.map { [$0] } ?? []), given: source.header,
        habits: stream.habits)
      var rows = try LogRows(reader, head, layout, isConverted: isConverted)
      try rows.readAll(progress)
      var file = LogFile(reader.name, head, rows)
      units = head.units
      if !rows.hasStamps {
        file.setTimeUnit(
          layout, stated: units[file.timeColumn].flatMap(TimeUnit.init(word:)),
          isConverted: isConverted)
      }
      return file
    }
  }

  private init(_ path: String, _ head: LogHead, _ rows: LogRows) {
    (self.path, header, timeColumn) = (path, head.names, rows.columns.names[0])
    (lines, notes, habits) = (rows.lines, rows.notes, rows.habits)
    columns = Dictionary(uniqueKeysWithValues: zip(rows.columns.names, rows.values))
  }

  /// The values of a column of the layout [rows]; NaN where a reward is not known.
  package func column(_ name: String) -> [Double] { columns[name] ?? [] }

  /// The time stamps, s.
  package var times: [Double] { column(timeColumn) }

  /// Names of the columns that were read.
  var columnNames: [String] { columns.keys.sorted() }

  mutating func replace(_ name: String, _ values: [Double]) { columns[name] = values }

  mutating func keepLines(_ rows: [Int]) { lines = rows.map { lines[$0] } }

  /// Turns the file's units into the task's, where a channel says which; notes those that the file states and the task calls
  /// otherwise.
  ///
  /// - Parameter stated: in the row of units, by column.
  private mutating func convertUnits(_ layout: LogLayout, _ stated: [String: String]) {
    var done: Set<String> = []
    for channel in layout.states + layout.exogenous
    where channel.source == .column && done.insert(channel.column).inserted {
      if let conversion = channel.conversion {
        replace(channel.column, column(channel.column).map { conversion($0) })
        habits.append(
          "'\(shortened(channel.column))' from \(channel.loggedUnits ?? "") to \(channel.units)")
        continue
      }
      let unit = stated[channel.column] ?? Self.unit(ofName: channel.column)
      guard let unit, channel.loggedUnits == nil,
        let conversion = UnitConversion(from: unit, to: channel.units), !conversion.isIdentity
      else { continue }
      notes.append(
        "\(path), column '\(shortened(channel.column))': is in \(unit) in the file, but in \(channel.units) in the task; set "
          + "`from: \(unit)` beside its units if the file is right")
    }
  }

  /// "deg" of "boom angle [deg]" and "boom angle (deg)".
  package static func unit(ofName name: String) -> String? {
    guard let match = name.firstMatch(of: #/[\[(]([^\[\]()]+)[\])]$/#), Int(match.1) == nil else {
      return nil
    }
    return String(match.1)
  }
}
