// SPDX-License-Identifier: Apache-2.0
// Bytes of a CSV file (RFC 4180: quotes, doubled quotes, line breaks within quotes) -> its records, one after another,
// whatever the size of the file. In: a path, a pipe, or "-" for standard input. Out: the fields of the present record, and
// the line, as an editor counts, on which it begins.
//
// Own code, because SwiftCSV, the one Swift package for CSV, holds the whole file as strings (five times its size), counts
// records in place of lines, and cannot read a pipe.

import Foundation

/// Reads one record at a time.
final class CSVReader {
  private struct Field {
    /// Within quotes, if there are any.
    var bytes: Range<Int>
    var isQuoted: Bool
    /// Whether something follows the closing quote.
    var isMalformed: Bool
  }

  let name: String
  private let file: Int32
  private let buffer: UnsafeMutablePointer<UInt8>
  /// What has been read and not yet handed out: from `start` to `end`.
  private var start = 0
  private var end = 0
  private var isAtEnd = false
  private(set) var delimiter = UInt8(ascii: ",")
  private var fields: [Field] = []
  /// Line breaks before the next record.
  private var linesBefore = 0
  /// 1-based line on which the present record begins.
  private(set) var line = 0
  /// Whether the present record ended with a line break.
  private(set) var isTerminated = true
  /// Whether a quote that began in it was not closed before the end of the file.
  private(set) var isUnclosed = false
  /// Bytes of the present record, for an estimate of how many there are.
  private(set) var recordLength = 0

  /// No row of numbers is longer; where one is, a quote was not closed.
  static let longestRecord = 1 << 20
  private static let capacity = 2 * longestRecord

  /// Throws: `LogError` where the file cannot be opened or is not text in UTF-8.
  init(path: String) throws {
    name = path == "-" ? "standard input" : path
    var status = stat()
    if path != "-" {
      guard stat(path, &status) == 0 else {
        throw LogError(
          file: path,
          errno == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(errno)))")
      }
      if status.st_mode & S_IFMT == S_IFDIR {
        throw LogError(file: path, "is a folder, not a CSV file")
      }
    }
    file = path == "-" ? dup(STDIN_FILENO) : open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else {
      throw LogError(file: path, "cannot be read: \(String(cString: strerror(errno)))")
    }
    buffer = .allocate(capacity: Self.capacity)
    try fill()
    try checkText()
    skipByteOrderMark()
    delimiter = guessedDelimiter()
  }

  deinit {
    buffer.deallocate()
    close(file)
  }

  /// Bytes of the file, or nil of a pipe.
  var size: Int? {
    var status = stat()
    guard fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
    return Int(status.st_size)
  }

  var count: Int { fields.count }

  /// Goes to the next record that is not blank; false at the end of the file. Throws: `LogError`.
  func next() throws -> Bool {
    while try read() {
      if !fields.allSatisfy({ trimmed($0.bytes).isEmpty && !$0.isQuoted }) { return true }
    }
    return false
  }

  /// A field without surrounding blanks and quotes.
  func text(_ index: Int) -> String {
    let field = fields[index]
    let range = field.isQuoted ? field.bytes : trimmed(field.bytes)
    let bytes = UnsafeBufferPointer(start: buffer + range.lowerBound, count: range.count)
    let text = String(decoding: bytes, as: UTF8.self)
    return field.isQuoted ? text.replacingOccurrences(of: "\"\"", with: "\"") : text
  }

  /// Whether a field's bytes are UTF-8.
  func isUnicode(_ index: Int) -> Bool {
    let range = fields[index].bytes
    let bytes = UnsafeBufferPointer(start: buffer + range.lowerBound, count: range.count)
    return String(validating: bytes, as: UTF8.self) != nil
  }

  func isEmpty(_ index: Int) -> Bool { trimmed(fields[index].bytes).isEmpty }

  /// The decimal number in a field, or nil.
  func number(_ index: Int) -> Double? {
    if fields[index].isMalformed { return nil }
    let range = trimmed(fields[index].bytes)
    return decimalNumber(UnsafeBufferPointer(start: buffer + range.lowerBound, count: range.count))
  }

  private func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (from, to) = (range.lowerBound, range.upperBound)
    while from < to, isBlank(buffer[from]) { from += 1 }
    while to > from, isBlank(buffer[to - 1]) { to -= 1 }
    return from..<to
  }

  /// The next record, blank or not.
  private func read() throws -> Bool {
    while true {
      if start == end && isAtEnd { return false }
      if scan() { return true }
      guard end - start < Self.longestRecord else {
        throw LogError(
          file: name, line: linesBefore + 1,
          "the row that begins here is over \(Self.longestRecord) bytes long; is a quote not closed, or is this no text?"
        )
      }
      try fill()
    }
  }

  /// The record at `start`; false where its end has not been read yet.
  private func scan() -> Bool {
    fields.removeAll(keepingCapacity: true)
    let (quote, newline, carriageReturn) = (
      UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(ascii: "\r")
    )
    var (index, fieldStart, fieldEnd) = (start, start, -1)
    var (breaks, isQuoted, isInside) = (0, false, false)
    func finishField(at position: Int) {
      let end = fieldEnd >= 0 ? fieldEnd : position
      let rest = fieldEnd >= 0 ? trimmed(fieldEnd + 1..<position) : 0..<0
      fields.append(
        Field(bytes: fieldStart..<end, isQuoted: isQuoted, isMalformed: !rest.isEmpty))
      (fieldStart, fieldEnd, isQuoted) = (position + 1, -1, false)
    }
    func finishRecord(at position: Int, next: Int, isTerminated: Bool) {
      finishField(at: position)
      line = linesBefore + 1
      linesBefore += breaks + (isTerminated ? 1 : 0)
      self.isTerminated = isTerminated
      recordLength = next - start
      start = next
    }
    while index < end {
      let byte = buffer[index]
      if isInside {
        if byte == quote {
          if index + 1 == end && !isAtEnd { return false }
          if index + 1 < end && buffer[index + 1] == quote {
            index += 1
          } else {
            (isInside, fieldEnd) = (false, index)
          }
        } else if byte == newline {
          breaks += 1
        }
      } else if byte == delimiter {
        finishField(at: index)
      } else if byte == newline {
        finishRecord(at: index, next: index + 1, isTerminated: true)
        return true
      } else if byte == carriageReturn {
        if index + 1 == end && !isAtEnd { return false }
        let isPair = index + 1 < end && buffer[index + 1] == newline
        finishRecord(at: index, next: index + (isPair ? 2 : 1), isTerminated: true)
        return true
      } else if byte == quote && !isQuoted && trimmed(fieldStart..<index).isEmpty {
        (isInside, isQuoted, fieldStart) = (true, true, index + 1)
      }
      index += 1
    }
    guard isAtEnd else { return false }
    isUnclosed = isInside
    finishRecord(at: end, next: end, isTerminated: false)
    return true
  }

  private func fill() throws {
    if start > 0 {
      buffer.update(from: buffer + start, count: end - start)
      (start, end) = (0, end - start)
    }
    while !isAtEnd && end < Self.capacity {
      let count = Foundation.read(file, buffer + end, Self.capacity - end)
      if count > 0 {
        end += count
      } else if count == 0 {
        isAtEnd = true
      } else if errno != EINTR {
        throw LogError(file: name, "cannot be read: \(String(cString: strerror(errno)))")
      }
    }
  }

  /// What people give in place of CSV text.
  private func checkText() throws {
    let head = UnsafeBufferPointer(start: buffer, count: end)
    if head.starts(with: [0xFF, 0xFE]) || head.starts(with: [0xFE, 0xFF]) {
      throw LogError(file: name, "is text in UTF-16; save it in UTF-8")
    }
    if head.starts(with: [0x50, 0x4B, 0x03, 0x04]) {
      throw LogError(file: name, "is a ZIP archive or a workbook (.xlsx); export the table as CSV")
    }
    if head.starts(with: [0x1F, 0x8B]) {
      throw LogError(file: name, "is compressed (gzip); unpack it first")
    }
    if head.prefix(4_096).contains(0) {
      throw LogError(file: name, "is binary, or text in UTF-16; a CSV file in UTF-8 is wanted")
    }
  }

  private func skipByteOrderMark() {
    if UnsafeBufferPointer(start: buffer, count: end).starts(with: [0xEF, 0xBB, 0xBF]) {
      start = 3
    }
  }

  /// The most frequent of comma, semicolon and tab in the first line, outside quotes; a comma where there is none.
  private func guessedDelimiter() -> UInt8 {
    var counts: [UInt8: Int] = [:]
    var isInside = false
    for index in start..<end {
      let byte = buffer[index]
      if byte == UInt8(ascii: "\"") { isInside.toggle() }
      if isInside { continue }
      if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\r") {
        // Blank lines above the header.
        if counts.isEmpty { continue }
        break
      }
      counts[byte, default: 0] += 1
    }
    let candidates = [UInt8(ascii: ","), UInt8(ascii: ";"), UInt8(ascii: "\t")]
    let best = candidates.max { counts[$0, default: 0] < counts[$1, default: 0] }
    return best.flatMap { counts[$0] == nil ? nil : $0 } ?? UInt8(ascii: ",")
  }
}

private func isBlank(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
}

/// A number in decimal notation: sign, digits with at most one point, perhaps an exponent; nil for all else (hexadecimal,
/// nan, inf, decimal commas). Beyond the range of Double it is infinite or zero.
func decimalNumber(_ bytes: UnsafeBufferPointer<UInt8>) -> Double? {
  var index = 0
  func digit() -> UInt64? {
    guard index < bytes.count, (48...57).contains(bytes[index]) else { return nil }
    return UInt64(bytes[index] - 48)
  }
  func take(_ characters: String) -> UInt8? {
    guard index < bytes.count, characters.utf8.contains(bytes[index]) else { return nil }
    index += 1
    return bytes[index - 1]
  }
  let isNegative = take("+-") == UInt8(ascii: "-")
  var (mantissa, digits, exponent, significant) = (UInt64(0), 0, 0, 0)
  func takeDigits(after point: Bool) {
    while let value = digit() {
      // Up to 19 digits fit.
      if significant < 19 { mantissa = 10 * mantissa + value }
      if significant > 0 || value > 0 { significant += 1 }
      if point { exponent -= 1 }
      digits += 1
      index += 1
    }
  }
  takeDigits(after: false)
  if take(".") != nil { takeDigits(after: true) }
  guard digits > 0 else { return nil }
  if take("eE") != nil {
    let isBelow = take("+-") == UInt8(ascii: "-")
    var (power, hasDigits) = (0, false)
    while let value = digit() {
      power = min(10 * power + Int(value), 100_000)
      hasDigits = true
      index += 1
    }
    guard hasDigits else { return nil }
    exponent += isBelow ? -power : power
  }
  guard index == bytes.count else { return nil }
  // Exact where mantissa and power of ten are (Clinger 1990); otherwise the system's correctly rounded conversion.
  if significant <= 19 && mantissa <= 1 << 53 && abs(exponent) <= 22 {
    let value =
      exponent < 0
      ? Double(mantissa) / exactPowers[-exponent] : Double(mantissa) * exactPowers[exponent]
    return isNegative ? -value : value
  }
  return strtod(String(decoding: bytes, as: UTF8.self), nil)
}

/// 10^0 to 10^22, all exact.
private let exactPowers = Array(sequence(first: 1.0) { 10 * $0 }.prefix(23))
