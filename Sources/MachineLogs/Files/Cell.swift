// SPDX-License-Identifier: Apache-2.0
// Cells of a log -> numbers, with a decimal point or, where commas cannot separate fields, a decimal comma; and what a cell
// that is no number probably is, in words.

import Faults
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

  /// What helps where a value is missing.
  static func remedy(_ text: String) -> Remedy? {
    if text.isEmpty {
      return .either([.text("remove the row"), .text("fill in the number"), .missing("drop")])
    }
    return marksMissing(text) ? .either([.text("remove the row"), .missing("drop")]) : nil
  }

  /// What a cell that is no number probably is.
  static func problem(_ text: String) -> String {
    let shown = shortened(text)
    if text.isEmpty {
      return "is empty"
    }
    if marksMissing(text) {
      return
        "'\(shown)' marks a missing value"
    }
    if text.wholeMatch(of: #/[+-]?[1-9][0-9]{0,2},[0-9]{3}/#) != nil {
      return
        "'\(shown)' has a comma, which may be a decimal mark or a separator of thousands; write plain numbers with points"
    }
    if text.contains("\u{2212}") {
      return "'\(shown)' has a typographic minus sign (U+2212); write -"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]*,[0-9]+([eE][+-]?[0-9]+)?/#) != nil {
      return
        "'\(shown)' has a decimal comma, but others have points; write all decimals with points"
    }
    if text.wholeMatch(of: #/[+-]?[0-9]{1,3}([,.' \u{A0}\u{202F}’][0-9]{3})+([.,][0-9]*)?/#) != nil
    {
      return "'\(shown)' has separators of thousands; write plain decimal numbers"
    }
    if StampReader.isStamp(text)
      || text.wholeMatch(of: #/[0-9]{1,4}[-/.][0-9]{1,2}[-/.][0-9]{1,4}([ T].*)?/#) != nil
      || text.wholeMatch(of: #/[0-9]{1,2}:[0-9]{2}(:[0-9.,]+)?.*/#) != nil
    {
      return "'\(shown)' is a date or a time of day; a number is needed"
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
  private var doubtful: Place?
  private var isCertain = false
  /// What each column tells of points, until one is certain.
  private var columns: [PointsOfColumn] = []
  private var pointIsCertain = false

  private struct Place {
    var line: Int
    var index: Int
    var text: String
  }

  /// "2.300" beside "992": no format of numbers writes both, unless the point stands between thousands.
  private struct PointsOfColumn {
    /// Whether there is a whole number below 1,000, and one of more digits without a mark.
    var hasFewDigits = false
    var hasPlainThousands = false
    /// The first number that could be thousands, and ends with a zero.
    var doubtful: Place?
  }

  private static let point = UInt8(ascii: ".")
  private static let comma = UInt8(ascii: ",")

  var isComma: Bool { mark == Self.comma }

  /// The number in a field of the reader's record; nil where there is none.
  mutating func number(_ reader: CSVReader, _ index: Int) -> Double? {
    guard let cell = reader.cell(index) else { return nil }
    if pointIsCertain { return decimalNumber(cell) }
    if mark != Self.comma {
      if let value = decimalNumber(cell) {
        judgePoint(reader, index, cell)
        return value
      }
      guard mark == nil, reader.delimiter != Self.comma || reader.isQuoted(index) else {
        return nil
      }
    }
    guard let value = decimalNumber(cell, point: Self.comma) else { return nil }
    if !isCertain, cell.contains(Self.comma) {
      mark = Self.comma
      judgeComma(reader, index)
    }
    return value
  }

  /// "1,234" may be a thousand and more; "0,234" and "1,23" may not.
  private mutating func judgeComma(_ reader: CSVReader, _ index: Int) {
    let text = reader.text(index)
    if text.wholeMatch(of: #/[+-]?[1-9][0-9]{0,2},[0-9]{3}/#) == nil {
      isCertain = true
    } else if doubtful == nil {
      doubtful = Place(line: reader.line, index: index, text: text)
    }
  }

  /// The same of points, and what whole numbers tell of them.
  @inline(never)
  private mutating func judgePoint(
    _ reader: CSVReader, _ index: Int, _ cell: UnsafeBufferPointer<UInt8>
  ) {
    let digits =
      cell.first == UInt8(ascii: "-") || cell.first == UInt8(ascii: "+")
      ? cell.dropFirst() : cell[...]
    while columns.count <= index { columns.append(PointsOfColumn()) }
    guard let place = digits.firstIndex(of: Self.point) else {
      if digits.count > 3 {
        columns[index].hasPlainThousands = true
      } else {
        columns[index].hasFewDigits = true
      }
      return
    }
    mark = Self.point
    let (whole, fraction) = (digits[..<place], digits[(place + 1)...])
    let zero = UInt8(ascii: "0")
    guard (1...3).contains(whole.count), whole.first != zero, fraction.count == 3,
      fraction.allSatisfy({ (zero...UInt8(ascii: "9")).contains($0) })
    else {
      (pointIsCertain, columns) = (true, [])
      return
    }
    if fraction.last == zero, columns[index].doubtful == nil {
      columns[index].doubtful = Place(line: reader.line, index: index, text: reader.text(index))
    }
  }

  /// Throws: `LogError` where no cell says what its commas or points are.
  func check(file: String, header: [String]) throws {
    let ofPoints = columns.first { $0.hasFewDigits && !$0.hasPlainThousands && $0.doubtful != nil }
    let ofCommas = isCertain ? nil : doubtful
    guard let place = isComma ? ofCommas : ofPoints?.doubtful else { return }
    throw LogError(
      file: file, line: place.line, column: header[place.index],
      "'\(place.text)': is the \(isComma ? "comma" : "point") a decimal mark or a separator of thousands? No cell of the file shows it; write "
        + (isComma ? "points" : "numbers without separators of thousands")
    )
  }
}
