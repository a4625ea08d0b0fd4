// SPDX-License-Identifier: Apache-2.0
// Cells of a log -> numbers, with a decimal point or, where commas cannot separate fields, a decimal comma; and what a cell
// that is no number probably is, in words.

import Foundation
import SafeText

/// What a cell's text may be.
enum Cell {
  /// Whether it is a number, with a point or a comma.
  static func isNumber(_ text: String) -> Bool {
    var text = text.trimmingCharacters(in: .whitespaces)
    return text.withUTF8 {
      decimalNumber($0) != nil || decimalNumber($0, point: UInt8(ascii: ",")) != nil
    }
  }

  /// Whether it says that there is no value, or is empty.
  static func marksMissing(_ text: String) -> Bool {
    let word = text.trimmingCharacters(in: .whitespaces).lowercased()
    return word.isEmpty || missingMarks.contains(word)
  }

  private static let missingMarks: Set<String> = [
    "nan", "na", "n/a", "#n/a", "#na", "null", "none", "nil", "-", "--", "?", "missing", "#value!",
    "#div/0!", "#ref!", "#num!", "nd", "-nan", "+nan", "1.#qnan", "-1.#ind", "nan(ind)",
    "-nan(ind)",
    "#nv", "#wert!", "#zahl!", "nat", "<na>", "\\n", "n.a.", "k.a.", "---", "...",
    "bad input",
    "no data",
  ]

  /// What a cell that is no number probably is.
  static func problem(_ text: String) -> String {
    let shown = shortened(text)
    if text.isEmpty {
      return "is empty; remove the row, fill in the number, or leave such rows out (--missing drop)"
    }
    if marksMissing(text) {
      return
        "'\(shown)' marks a missing value; remove the row, or leave such rows out (--missing drop)"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?/#) != nil {
      return
        "'\(shown)' has a decimal comma, and others have points; write all decimals with points"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]{1,3}([,.' ][0-9]{3})+([.,][0-9]*)?/#) != nil {
      return "'\(shown)' has marks between thousands; write plain decimal numbers"
    }
    if StampReader.isStamp(text)
      || text.wholeMatch(of: #/[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?/#) != nil
      || text.wholeMatch(of: #/[0-9]{1,2}:[0-9]{2}(:[0-9.,]+)?.*/#) != nil
    {
      return "'\(shown)' is a date or a time of day; a number is wanted"
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
}

/// The decimal mark of one file, as its cells show it one after another.
struct DecimalMarks {
  /// nil until a cell has one.
  private var mark: UInt8?
  /// Where a comma was taken that could also stand between thousands, and whether another comma could not.
  private var doubtful: (line: Int, index: Int, text: String)?
  private var isCertain = false

  private static let point = UInt8(ascii: ".")
  private static let comma = UInt8(ascii: ",")

  var isComma: Bool { mark == Self.comma }

  /// The number in a field of the reader's record; nil where there is none.
  mutating func number(_ reader: CSVReader, _ index: Int) -> Double? {
    guard let cell = reader.cell(index) else { return nil }
    if mark == Self.point { return decimalNumber(cell) }
    if mark == nil {
      if let value = decimalNumber(cell) {
        if cell.contains(Self.point) { mark = Self.point }
        return value
      }
      guard reader.delimiter != Self.comma || reader.isQuoted(index) else { return nil }
    }
    guard let value = decimalNumber(cell, point: Self.comma) else { return nil }
    if cell.contains(Self.comma) {
      mark = Self.comma
      if !isCertain { judge(reader, index) }
    }
    return value
  }

  /// "1,234" may be a thousand and more; "0,234" and "1,23" may not.
  private mutating func judge(_ reader: CSVReader, _ index: Int) {
    let text = reader.text(index)
    if text.wholeMatch(of: #/[+-]?[1-9][0-9]{0,2},[0-9]{3}/#) == nil {
      isCertain = true
    } else if doubtful == nil {
      doubtful = (reader.line, index, text)
    }
  }

  /// Throws: `LogError` where no cell says what its commas are.
  func check(file: String, header: [String]) throws {
    guard isComma, !isCertain, let doubtful else { return }
    throw LogError(
      file: file, line: doubtful.line, column: header[doubtful.index],
      "'\(doubtful.text)': is the comma a decimal mark, or does it stand between thousands? No cell of the file tells; write points"
    )
  }
}
