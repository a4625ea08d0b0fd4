// SPDX-License-Identifier: Apache-2.0
// The records below a log's head -> one array of numbers per needed column, and the line of each row. A row that does not fit the
// header, and a cell that is not a number, are refused with their place.

import Faults
import Foundation
import SafeText

/// Reads the rows of one log.
struct LogRows {
  let columns: LogColumns
  /// [column][row], in the order of `columns.names`, as they stand in the file; NaN where a value is missing and may be.
  private(set) var values: [[Double]]
  private(set) var lines: [UInt32] = []
  private(set) var notes: [String] = []
  private(set) var habits: [String]

  private let reader: CSVReader
  private let head: LogHead
  /// Whether a program writes them: then empty cells are no samples, and nothing may be torn.
  private let isConverted: Bool
  /// What is done with a missing value of each column.
  private let missing: [MissingValues]
  private var marks = DecimalMarks()
  private var stamps = StampReader()
  /// Whether the time column has dates or times of day; nil before the first row.
  private var stampsAreWords: Bool?
  /// Whether times are seconds already: read from dates and times of day.
  var hasStamps: Bool { stampsAreWords == true }
  private var comments = 0

  init(
    _ reader: CSVReader, _ head: LogHead, _ layout: LogLayout, isConverted: Bool
  ) throws {
    (self.reader, self.head, self.isConverted) = (reader, head, isConverted)
    habits = head.habits
    columns = try LogColumns(of: layout, in: head.names, line: head.line, file: reader.name)
    habits += columns.choice.map { [$0] } ?? []
    values = columns.names.map { _ in [] }
    let channels = layout.states + layout.exogenous
    missing = columns.names.map { name in
      if name == layout.rewardColumn || isConverted { return .hold }
      return channels.first { $0.column == name && $0.source == .column }?.missing ?? .refuse
    }
  }

  /// Reads to the end. Throws: `LogError`.
  mutating func readAll(_ progress: (Double) -> Void) throws {
    while try reader.next() {
      if reader.line < head.firstRowLine { continue }
      if reader.isComment {
        comments += 1
        continue
      }
      if lines.isEmpty { reserve() }
      guard !reader.isUnclosed else {
        throw error("a quote that begins in this row is not closed; close or remove it")
      }
      guard reader.isTerminated || lines.isEmpty else {
        // A number that was cut in the middle reads as another number.
        guard !isConverted else {
          throw error("the program's last line has no end of line; was the output cut off?")
        }
        notes.append(
          "\(reader.name):\(reader.line): the last line has no end of line; it may be cut and is left out"
        )
        break
      }
      if reader.count != head.names.count { try checkLength() }
      try readRow()
      guard lines.count <= LogFile.mostRows else {
        throw error("has more than \(LogFile.mostRows) rows; cut the log, or keep every n-th row")
      }
      if lines.count % 100_000 == 0, let fraction = reader.fractionRead { progress(fraction) }
    }
    if lines.isEmpty, comments > 0 {
      throw LogError(
        file: reader.name,
        "has \(counted(comments, "row")), but each begins with a comment mark (#, %, //), so no row is left"
      )
    }
    try marks.check(file: reader.name, header: head.names)
    if marks.isComma { habits.append("decimal commas") }
    habits += stamps.habits.map { "time ('\(shortened(columns.names[0]))'): \($0)" }
    if comments > 0 {
      habits.append("\(counted(comments, "comment line")) among the rows left out")
    }
  }

  /// A tenth more than rows of the first one's length would be; arrays that grow hold up to three times their content.
  private mutating func reserve() {
    guard let size = reader.size else { return }
    let estimate = min(size / reader.recordLength * 11 / 10 + 16, LogFile.mostRows)
    for index in values.indices { values[index].reserveCapacity(estimate) }
    lines.reserveCapacity(estimate)
  }

  private func error(
    _ problem: String, column index: Int? = nil, remedy: Remedy? = nil
  ) -> LogError {
    LogError(
      file: reader.name, line: reader.line, column: index.map { head.names[$0] }, problem,
      remedy: remedy)
  }

  /// A row has the fields of the header, and after them only empty ones.
  private func checkLength() throws {
    let (count, names) = (reader.count, head.names.count)
    if count > names && (names..<count).allSatisfy(reader.isEmpty) { return }
    let isPaired = count == 2 * names || count == 2 * names - 1
    throw error(
      "the row has \(counted(count, "field")), but the header has \(names)"
        + (isPaired && reader.delimiter == UInt8(ascii: ",")
          ? "; are its decimals commas? Write them with points" : ""))
  }

  private mutating func readRow() throws {
    let time = try time()
    for (column, index) in columns.indices.enumerated() {
      guard column > 0 else {
        values[0].append(time)
        continue
      }
      values[column].append(try number(index, missing[column]))
    }
    lines.append(UInt32(truncatingIfNeeded: reader.line))
  }

  /// A stamp: a number in whatever unit, or seconds since the first row of dates and times.
  private mutating func time() throws -> Double {
    let index = columns.time
    if stampsAreWords != true, let value = marks.number(reader, index) {
      stampsAreWords = false
      guard abs(value) <= LogFile.largestNumber else { throw tooLarge(index) }
      return value
    }
    let text = reader.text(index)
    if text == head.names[index], reader.texts == head.names {
      throw error("the column names are repeated here; two logs in one file? Split it")
    }
    guard stampsAreWords != false else { throw error(timeProblem(text), column: index) }
    do {
      let date = columns.date.map(reader.text)
      guard let seconds = try stamps.seconds(text, date: date, isConverted: isConverted) else {
        throw error(
          stampsAreWords == true && Cell.isNumber(text)
            ? "'\(shortened(text))' is a number, but the rows above have dates or times of day"
            : timeProblem(text), column: index)
      }
      stampsAreWords = true
      return seconds
    } catch let found as StampReader.Problem {
      throw error(found.words, column: index)
    }
  }

  /// A finite decimal number, or NaN where it is missing and may be.
  private mutating func number(_ index: Int, _ missing: MissingValues) throws -> Double {
    if let value = marks.number(reader, index) {
      guard abs(value) <= LogFile.largestNumber else { throw tooLarge(index) }
      return value
    }
    if missing != .refuse, Cell.marksMissing(reader.text(index)) { return .nan }
    let text = reader.text(index)
    throw error(
      problem(text), column: index,
      remedy: Cell.remedy(text.trimmingCharacters(in: .whitespaces)))
  }

  private func tooLarge(_ index: Int) -> LogError {
    error(
      "'\(shortened(reader.text(index)))' is too large; the limit is \(LogFile.largestNumber)",
      column: index)
  }

  /// What a cell of the time column probably is.
  private func timeProblem(_ text: String) -> String {
    if Cell.marksMissing(text) {
      return "a row needs a time; remove the row"
    }
    if stampsAreWords == false, StampReader.isStamp(text) {
      return "'\(shortened(text))' is a date or a time of day, but the rows above have numbers"
    }
    return text.contains(where: \.isNumber) && text.contains(where: { ":-/.".contains($0) })
      && !Cell.isNumber(text)
      ? "'\(shortened(text))' is a time in an unknown format; write 2026-03-29 01:59:50.125, or seconds"
      : problem(text)
  }

  private func problem(_ text: String) -> String {
    let text = text.trimmingCharacters(in: .whitespaces)
    if marks.isComma, Cell.isNumber(text) {
      return
        "'\(shortened(text))' has a decimal point, but others have commas; write all in one way"
    }
    return Cell.problem(text)
  }
}

/// What is done with a row where a channel has no value.
package enum MissingValues: String, CaseIterable, Hashable, Sendable, Codable {
  /// The log is refused.
  case refuse
  /// The row is left out; a long hole ends an episode.
  case drop
  /// The channel has a clock of its own: its last value stands, but no longer than three of its own spacings (a state), or its mean over
  /// the row (a command).
  case hold
}
