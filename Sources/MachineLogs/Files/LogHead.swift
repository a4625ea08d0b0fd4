// SPDX-License-Identifier: Apache-2.0
// The first records of a CSV text -> its format: what separates its fields, which line has the names of its
// columns, whether a row of units follows, where the rows begin. An ambiguous format is refused with a message.

import Faults
import Foundation
import SafeText

/// What was understood of a file before its rows.
struct LogHead {
  /// Names of the columns, in the file's order.
  private(set) var names: [String] = []
  /// Line of the names; of the first row where the user gave them.
  private(set) var line = 1
  /// By column, from the row of units, without brackets; empty without one.
  private(set) var units: [String: String] = [:]
  /// Records from here on are rows.
  private(set) var firstRowLine = 1
  /// What is other than a header, commas and UTF-8, in words.
  private(set) var habits: [String]

  /// Looks at the first records; the reader stays where it is, but for its separator.
  ///
  /// - Parameters:
  ///   - reader: at the beginning of its text.
  ///   - wanted: names of columns, by which the header is known.
  ///   - given: names in place of the file's own; nil for the file's.
  ///   - habits: what is known already of how it is written.
  /// - Throws: `LogError` where there is no header.
  init(
    of reader: CSVReader, wanted: [String], given: [String]? = nil, habits: [String] = []
  ) throws {
    self.habits = habits
    let separatorLines = setSeparator(reader)
    var records: [Record] = []
    reader.forEachAhead(Self.mostRecords) { records.append(Record($0)) }
    records.removeAll { $0.line <= separatorLines }
    guard let first = records.first else {
      if try !reader.next() || reader.line <= separatorLines {
        throw LogError(
          file: reader.name, line: 1, "is empty; expected a line of column names")
      }
      throw LogError(
        file: reader.name, line: 1,
        "the row that begins here is over \(CSVReader.longestRecord) bytes long; is a quote not closed, or is the file not text?"
      )
    }
    if let given {
      let row = records.first { $0.isRow && !$0.isComment }
      (names, line) = (given, row?.line ?? first.line)
      firstRowLine = line
      self.habits.append("the columns' names as you gave them")
      return
    }
    let header = try Self.header(among: records, wanted: Set(wanted), file: reader.name)
    names = header.names
    line = header.line
    if !header.isUnicode { self.habits.append("Windows-1252 (Latin-1)") }
    if header.isComment { self.habits.append("the columns' names in a comment line") }
    let before = records.prefix { $0.line < header.line }
    let skipped = before.count { $0.isComment }
    if skipped > 0 {
      self.habits.append("\(counted(skipped, "comment line")) above the columns' names")
    }
    if before.count > skipped {
      self.habits.append(
        "\(counted(before.count - skipped, "line")) above the columns' names left out")
    }
    firstRowLine = header.line + 1
    let below = records.filter { $0.line > header.line && !$0.isComment }
    if let next = below.first, next.isRowOfUnits(below: header) {
      for (name, unit) in zip(names, next.texts) where units[name] == nil {
        let bare = unit.trimmingCharacters(in: CharacterSet(charactersIn: "[]() "))
        if !bare.isEmpty { units[name] = bare }
      }
      firstRowLine = next.line + 1
      self.habits.append("units below the columns' names")
    }
  }

  private static let mostRecords = 200

  // MARK: separator

  /// Finds what stands between fields; the lines that say it, which are no records.
  private mutating func setSeparator(_ reader: CSVReader) -> Int {
    let lines = reader.firstLines(Self.mostRecords)
    let first = lines.first { !$0.allSatisfy(\.isWhitespace) } ?? ""
    let word = first.filter { $0 != "\"" }
    if word.lowercased().hasPrefix("sep="), word.count == 5,
      let separator = word.last?.asciiValue
    {
      reader.delimiter = separator
      habits.append("'\(shortened(String(word)))' of Excel")
      return (lines.firstIndex(of: first) ?? 0) + 1
    }
    reader.delimiter = Self.separator(of: lines)
    if let name = Self.separators.first(where: { $0.byte == reader.delimiter })?.name {
      habits.append(name)
    }
    return 0
  }

  private static let separators: [(byte: UInt8, name: String?)] = [
    (UInt8(ascii: ";"), "semicolons"), (UInt8(ascii: "\t"), "tabs"), (UInt8(ascii: ","), nil),
    (UInt8(ascii: "|"), "bars"),
  ]

  /// The mark that stands in most of the lines, and equally often in most of those: commas of decimals and of notes differ
  /// from line to line.
  private static func separator(of lines: [Substring]) -> UInt8 {
    func agreeing(_ mark: UInt8) -> Int {
      var counts: [Int: Int] = [:]
      for line in lines {
        var (count, isInside) = (0, false)
        for byte in line.utf8 {
          if byte == UInt8(ascii: "\"") { isInside.toggle() }
          if byte == mark && !isInside { count += 1 }
        }
        if count > 0 { counts[count, default: 0] += 1 }
      }
      return counts.values.max() ?? 0
    }
    let agreements = separators.map { (mark: $0.byte, lines: agreeing($0.byte)) }
    let most = agreements.map(\.lines).max() ?? 0
    return agreements.first { $0.lines == most && most > 0 }?.mark ?? UInt8(ascii: ",")
  }

  // MARK: header

  /// One of the first records.
  private struct Record {
    let line: Int
    let texts: [String]
    let isComment: Bool
    let isUnicode: Bool

    init(_ reader: CSVReader) {
      line = reader.line
      texts = reader.texts
      isComment = reader.isComment
      isUnicode = (0..<reader.count).allSatisfy(reader.isUnicode)
    }

    /// As column names: without empty ones at the end, and a comment's without its mark unless a column is wanted with it.
    func names(wanted: Set<String>) -> [String] {
      var names = texts.map { $0.trimmingCharacters(in: .whitespaces) }
      while names.count > 1, names[names.count - 1].isEmpty { names.removeLast() }
      if isComment, !wanted.contains(names[0]) {
        let bare = names[0].drop { "#%/ ".contains($0) }
        if !bare.isEmpty { names[0] = String(bare) } else if names.count > 1 { names.removeFirst() }
      }
      return names
    }

    /// Whether it holds numbers or times, more than words.
    var isRow: Bool {
      let filled = texts.filter { !$0.isEmpty }
      let values = filled.count { Cell.isNumber($0) || StampReader.isStamp($0) }
      return values > 0 && 2 * values >= filled.count
    }

    /// A 1 is the unit of what has none.
    var hasNoNumber: Bool {
      texts.allSatisfy { $0 == "1" || !Cell.isNumber($0) && !StampReader.isStamp($0) }
    }

    /// Short words, no number or time among them, and not only marks of missing values.
    func isRowOfUnits(below header: Header) -> Bool {
      (texts.count == header.names.count || texts.count == header.fieldCount) && hasNoNumber
        && texts.allSatisfy { $0.count <= 24 }
        && !texts.allSatisfy { $0 == "1" || Cell.marksMissing($0) }
    }
  }

  private struct Header {
    var names: [String]
    var line: Int
    var isComment: Bool
    var isUnicode: Bool
    /// With empty names at the end.
    var fieldCount: Int
  }

  /// The record with most of the wanted names; where none has one, the last before the rows.
  private static func header(
    among records: [Record], wanted: Set<String>, file: String
  ) throws -> Header {
    // Rows are alike; a line above them may hold a number too.
    let counts = Dictionary(grouping: records.map(\.texts.count), by: { $0 }).mapValues(\.count)
    let usual = counts.max { ($0.value, $0.key) < ($1.value, $1.key) }?.key
    let firstRow =
      records.firstIndex { $0.isRow && !$0.isComment && $0.texts.count == usual }
      ?? records.firstIndex { $0.isRow && !$0.isComment } ?? records.count
    func found(_ record: Record) -> Int {
      let names = record.names(wanted: wanted)
      let time = LogColumns.timeColumn(of: names, besides: []).map { wanted.contains($0) ? 0 : 1 }
      return 2 * wanted.intersection(names).count + (time ?? 0)
    }
    let most = records.map(found).max() ?? 0
    let named =
      most == 0
      ? nil
      : records.first { found($0) == most && !$0.isComment } ?? records.first { found($0) == most }
    let above = records[..<firstRow]
    // Without the names that are wanted: the line of names that its message is to list.
    let likely =
      above.last { !$0.isComment && $0.texts.count == usual && firstRow < records.count }
      ?? above.first { !$0.isComment }
      ?? above.last { $0.texts.count > 1 && $0.texts.count == usual && firstRow < records.count }
    guard let record = named ?? likely else {
      let line = records[0].line
      if records[0].isComment {
        throw LogError(
          file: file, line: line,
          "is a comment, and no line of column names follows it; add one, such as t,angle,valve")
      }
      throw LogError(
        file: file, line: line,
        "the first line is numbers; add a line of column names above it, such as t,angle,valve",
        remedy: .header(example: "t,angle,valve"))
    }
    // A mark alone is a column's name where rows have a field for it: "#,t,x" above "1,0.0,0.5".
    let namesColumn =
      record.isComment && record.texts.count == usual
      && record.texts[0].trimmingCharacters(in: .whitespaces).count == 1
    return Header(
      names: namesColumn
        ? record.texts.map { $0.trimmingCharacters(in: .whitespaces) }
        : record.names(wanted: wanted), line: record.line,
      isComment: record.isComment && !namesColumn, isUnicode: record.isUnicode,
      fieldCount: record.texts.count)
  }
}
