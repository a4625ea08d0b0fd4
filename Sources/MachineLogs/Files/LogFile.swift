// SPDX-License-Identifier: Apache-2.0
// A log's CSV file -> the columns that are wanted, as finite numbers, and the line of each row for messages. In one pass, so
// that only these columns are ever in memory. What is no number is refused with its place; in `LogDialect` stands what it
// probably is.

import Foundation

/// The numbers of one log file.
public struct LogFile: Sendable {
  /// As messages name it.
  public let path: String
  public let header: [String]
  /// Name of the time column.
  public let timeColumn: String
  /// 1-based line of each row.
  let lines: [UInt32]
  private let columns: [String: [Double]]
  /// What was left out, in words for people.
  public let notes: [String]

  /// Most rows of a file: time and two columns of so many take half a gigabyte.
  public static let mostRows = 20_000_000
  /// Larger numbers would overflow when they are squared and summed.
  public static let largestNumber = 1e100

  /// Reads the columns of a layout.
  ///
  /// - Parameters:
  ///   - path: a file or pipe, or "-" for standard input.
  ///   - layout: names the columns; cells of its reward column may be empty (NaN).
  /// - Throws: `LogError` for a file that cannot be read, a missing column, a row that does not fit the header, anything that
  ///   is not a finite decimal number, and stamps that do not go forward.
  public init(path: String, layout: LogLayout) throws {
    let reader = try CSVReader(path: path)
    let dialect = LogDialect(reader.name)
    guard try reader.next() else {
      throw LogError(file: reader.name, line: 1, "is empty; expected a line of column names")
    }
    let header = try dialect.header(reader)
    let wanted = try dialect.columns(of: layout, in: header, line: reader.line)
    var values = wanted.map { _ in [Double]() }
    var lines: [UInt32] = []
    var notes: [String] = []
    while try reader.next() {
      if lines.isEmpty, let size = reader.size {
        // A tenth more than rows of the first one's length would be; arrays that grow hold up to three times their content.
        let estimate = min(size / reader.recordLength * 11 / 10 + 16, Self.mostRows)
        for index in values.indices { values[index].reserveCapacity(estimate) }
        lines.reserveCapacity(estimate)
      }
      guard !reader.isUnclosed else {
        throw LogError(
          file: reader.name, line: reader.line,
          "a quote that begins in this row is not closed; close or remove it")
      }
      guard reader.isTerminated || lines.isEmpty else {
        // A number that was cut in the middle reads as another number.
        notes.append(
          "\(reader.name):\(reader.line): the last line has no end of line; it may be cut and is left out"
        )
        break
      }
      try dialect.checkLength(of: reader, header: header)
      for (column, index) in wanted.enumerated() {
        values[column].append(
          try dialect.number(
            reader, index, of: header, isFirstRow: lines.isEmpty,
            mayBeEmpty: header[index] == layout.rewardColumn))
      }
      lines.append(UInt32(truncatingIfNeeded: reader.line))
      guard lines.count <= Self.mostRows else {
        throw LogError(
          file: reader.name, line: reader.line,
          "has more than \(Self.mostRows) rows; cut the log, or keep every n-th row")
      }
    }
    self.path = reader.name
    self.header = header
    self.lines = lines
    self.notes = notes
    timeColumn = header[wanted[0]]
    columns = Dictionary(uniqueKeysWithValues: zip(wanted.map { header[$0] }, values))
    try checkStamps()
  }

  /// The values of a column of the layout [rows]; NaN where a reward is not known.
  public func column(_ name: String) -> [Double] { columns[name] ?? [] }

  /// The time stamps, s.
  public var times: [Double] { column(timeColumn) }

  private func checkStamps() throws {
    let times = self.times
    for index in times.indices.dropFirst() where times[index] <= times[index - 1] {
      let (before, now) = (times[index - 1], times[index])
      let spacing = index > 1 ? before - times[index - 2] : 1
      let problem =
        now == before
        ? "two rows have the stamp \(now); remove one, or write stamps with more digits"
        : before - now > 100 * spacing
          ? "time starts again: \(now) after \(before); two logs in one file? Cut it in two"
          : "time does not go forward: \(now) after \(before)"
      throw LogError(file: path, line: Int(lines[index]), column: timeColumn, problem)
    }
  }
}
