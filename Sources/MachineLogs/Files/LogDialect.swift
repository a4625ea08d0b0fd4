// SPDX-License-Identifier: Apache-2.0
// The first lines and the cells of a CSV file that are not as BAGEL wants them (a header, commas between fields, decimal
// points, seconds) -> errors that say which habit of which tool they probably are.

import Foundation
import SafeText

/// What messages say about one file.
struct LogDialect {
  let file: String

  init(_ file: String) { self.file = file }

  // MARK: the header

  /// The names of the columns. Throws: `LogError` where the first line cannot be a header.
  func header(_ reader: CSVReader) throws -> [String] {
    let (texts, line) = ((0..<reader.count).map(reader.text), reader.line)
    if let index = (0..<reader.count).first(where: { !reader.isUnicode($0) }) {
      throw LogError(
        file: file, line: line,
        "column name \(index + 1) is not UTF-8 (Latin-1, as older programs write?); save the file in UTF-8"
      )
    }
    let first = texts[0]
    if first.lowercased().hasPrefix("sep=") {
      throw LogError(
        file: file, line: line,
        "'sep=' is Excel's mark for a separator, no column name; remove this line")
    }
    if texts.count == 1, ["#", "//", "%"].contains(where: first.hasPrefix) {
      throw commentLine(line)
    }
    if texts.allSatisfy({ isNumber($0) || $0.isEmpty }) {
      throw LogError(
        file: file, line: line,
        "the first line is numbers; a line of column names is wanted above it, such as t,angle,valve"
      )
    }
    var names = texts.map { $0.trimmingCharacters(in: .whitespaces) }
    while names.count > 1, names[names.count - 1].isEmpty { names.removeLast() }
    return names
  }

  private func commentLine(_ line: Int) -> LogError {
    LogError(
      file: file, line: line,
      "is a comment, not the line of column names; remove the comment lines above the header")
  }

  /// Where the columns of a layout stand: time first, then states, actions, disturbances, reward, each once.
  ///
  /// Throws: `LogError` for those that are missing or stand twice, all in one message.
  func columns(of layout: LogLayout, in header: [String], line: Int) throws -> [Int] {
    var wanted = layout.measuredColumns
    for name in layout.exogenous.map(\.column) + (layout.rewardColumn.map { [$0] } ?? [])
    where !wanted.contains(name) {
      wanted.append(name)
    }
    let time = layout.timeColumn ?? LogLayout.usualTimeColumns.first(where: header.contains)
    let missing = wanted.filter { !header.contains($0) }
    if let time, header.contains(time), missing.isEmpty {
      let all = [time] + wanted.filter { $0 != time }
      if let twice = all.first(where: { name in header.count { $0 == name } > 1 }) {
        throw LogError(
          file: file, line: line, "two columns are called '\(shortened(twice))'; rename one of them"
        )
      }
      return all.compactMap { header.firstIndex(of: $0) }
    }
    if header[0].hasPrefix("#") && missing.count == wanted.count { throw commentLine(line) }
    if header.count == 1, header[0].contains("|") {
      throw LogError(
        file: file, line: line, "has bars between its fields; commas, semicolons or tabs are wanted"
      )
    }
    if header.count == 1, header[0].split(whereSeparator: \.isWhitespace).count > 1 {
      throw LogError(
        file: file, line: line,
        "has one column, '\(shortened(header[0]))'; are blanks between its fields? Commas, semicolons or tabs are wanted"
      )
    }
    var problems = missing.map { name in
      "no column '\(shortened(name))'" + hint(near(name, header))
    }
    if time.map(header.contains) != true {
      let guess = header.first(where: looksLikeTime)
      problems.append(
        layout.timeColumn.map { "no time column '\(shortened($0))'" + hint(guess) }
          ?? "no time column (\(LogLayout.usualTimeColumns.joined(separator: ", ")))"
          + (guess.map {
            ": is '\(shortened($0))' in seconds? Say --time-column '\(shortened($0))' (in a task: timeColumn)"
          } ?? "; name it with --time-column (in a task: timeColumn)"))
    }
    let list = header.map { shortened($0) }.joined(separator: ", ")
    throw LogError(
      file: file, line: line,
      "has " + problems.prefix(3).joined(separator: ", ") + ". Its columns: "
        + shortened(list, to: 100))
  }

  /// One letter is near to any other; it is meant only in another case.
  private func near(_ name: String, _ header: [String]) -> String? {
    name.count > 1
      ? nearest(to: name, among: header)
      : header.first { $0.lowercased() == name.lowercased() }
  }

  private func hint(_ name: String?) -> String {
    name.map { " (did you mean '\(shortened($0))'?)" } ?? ""
  }

  /// "Time [s]", "%time", "T", "timestamp_ms".
  private func looksLikeTime(_ name: String) -> Bool {
    let word = name.lowercased().filter { $0.isLetter || $0 == "_" }
    return word.contains("time") || word.contains("zeit") || word.hasPrefix("t_") || word == "t"
      || word == "ts" || word.hasPrefix("sec")
  }

  // MARK: rows

  /// A row has the fields of the header, and after them only empty ones. Throws: `LogError`.
  func checkLength(of reader: CSVReader, header: [String]) throws {
    let count = reader.count
    if count == header.count { return }
    if count > header.count && (header.count..<count).allSatisfy(reader.isEmpty) { return }
    if ["#", "//", "%"].contains(where: reader.text(0).hasPrefix) {
      throw LogError(file: file, line: reader.line, "is a comment; remove this line")
    }
    let isPaired = count == 2 * header.count || count == 2 * header.count - 1
    throw LogError(
      file: file, line: reader.line,
      "the row has \(counted(count, "field")), the header \(header.count)"
        + (isPaired && reader.delimiter == UInt8(ascii: ",")
          ? "; are its decimals commas? Write them with points" : ""))
  }

  /// A finite decimal number, or NaN for an empty cell that may be so. Throws: `LogError`.
  func number(
    _ reader: CSVReader, _ index: Int, of header: [String], isFirstRow: Bool, mayBeEmpty: Bool
  ) throws -> Double {
    if let value = reader.number(index) {
      if abs(value) <= LogFile.largestNumber { return value }
      throw LogError(
        file: file, line: reader.line, column: header[index],
        "'\(shortened(reader.text(index)))' is too large; numbers up to \(LogFile.largestNumber) are possible"
      )
    }
    if mayBeEmpty && reader.isEmpty(index) { return .nan }
    let texts = (0..<reader.count).map(reader.text)
    if isFirstRow, texts.allSatisfy({ !isNumber($0) && $0.first?.isNumber != true }) {
      throw LogError(
        file: file, line: reader.line,
        "holds words ('\(shortened(texts.joined(separator: ", ")))'): a line of units? Numbers follow the header; remove it"
      )
    }
    throw LogError(
      file: file, line: reader.line, column: header[index],
      problem(reader.text(index).trimmingCharacters(in: .whitespaces)))
  }

  /// What a cell that is no number probably is.
  private func problem(_ text: String) -> String {
    let shown = shortened(text)
    if text.isEmpty { return "is empty; remove the row, or fill in the number" }
    if Self.missingMarks.contains(text.lowercased()) {
      return "'\(shown)' marks a missing value; remove the row, or fill in the number"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?/#) != nil {
      return
        "'\(shown)' has a decimal comma; write decimals with a point (export in English format)"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]{1,3}([,.' ][0-9]{3})+([.,][0-9]*)?/#) != nil {
      return "'\(shown)' has marks between thousands; write plain decimal numbers"
    }
    if text.wholeMatch(of: #/[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?/#) != nil
      || text.wholeMatch(of: #/[0-9]{1,2}:[0-9]{2}(:[0-9.,]+)?.*/#) != nil
    {
      return
        "'\(shown)' is a date or a time of day; seconds are wanted, such as those since the first row"
    }
    if text.lowercased().hasPrefix("0x") {
      return "'\(shown)' is hexadecimal; write decimal numbers"
    }
    if ["inf", "-inf", "+inf", "infinity", "-infinity"].contains(text.lowercased()) {
      return "'\(shown)' is not a finite number"
    }
    if let value = text.firstMatch(of: #/^[+-]?[0-9.]+(e[+-]?[0-9]+)?/#.ignoresCase()),
      isNumber(String(text[value.range])), value.range.upperBound < text.endIndex
    {
      let unit = text[value.range.upperBound...].trimmingCharacters(in: .whitespaces)
      return "'\(shown)' is not a number; is '\(shortened(unit))' a unit? Remove it from the cells"
    }
    return "'\(shown)' is not a number"
  }

  private static let missingMarks: Set<String> = [
    "nan", "na", "n/a", "#n/a", "#na", "null", "none", "nil", "-", "--", "?", "missing", "#value!",
    "#div/0!", "#ref!", "#num!", "nd", "-nan", "1.#qnan", "-1.#ind",
  ]

  private func isNumber(_ text: String) -> Bool {
    var text = text.trimmingCharacters(in: .whitespaces)
    return text.withUTF8 { decimalNumber($0) } != nil
  }
}
