// SPDX-License-Identifier: Apache-2.0
// Bytes of a CSV text (RFC 4180: quotes, doubled quotes, line breaks within quotes) -> its records, one after another,
// for files of any size. In: a `TextStream`. Out: the fields of the present record, and the line, as an editor counts, on which it
// begins.
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

  private let stream: TextStream
  private let buffer: UnsafeMutablePointer<UInt8>
  /// What has been read and not yet handed out: from `start` to `end`.
  private var start = 0
  private var end = 0
  private var isAtEnd = false
  /// Between two fields.
  var delimiter = UInt8(ascii: ",")
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

  /// Throws: `LogError` where the stream cannot be read.
  init(_ stream: TextStream) throws {
    self.stream = stream
    buffer = .allocate(capacity: Self.capacity)
    try fill()
  }

  deinit { buffer.deallocate() }

  var name: String { stream.name }

  /// Bytes of the file, or nil of a pipe.
  var size: Int? { stream.size }

  /// The part of the file that was read, 0 to 1; nil of a pipe.
  var fractionRead: Double? { size.map { Double(stream.bytesRead) / Double(max($0, 1)) } }

  var count: Int { fields.count }

  /// Goes to the next record that is not blank; false at the end of the file. Throws: `LogError`.
  func next() throws -> Bool {
    while try read() {
      if !isBlankRecord { return true }
    }
    return false
  }

  /// The first lines that have been read already, without their ends: at most so many, blank ones among them.
  func firstLines(_ most: Int) -> [Substring] {
    let head = UnsafeBufferPointer(start: buffer + start, count: min(end - start, 1 << 16))
    let text = decoded(head)
    let lines = text.split(
      maxSplits: most, omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    // The last one may not have been read to its end.
    return lines.count > 1 && !(isAtEnd && end - start == head.count) ? lines.dropLast() : lines
  }

  /// Looks at the next records without going to them: at most so many beside comments, those that have been read already.
  func forEachAhead(_ most: Int, _ look: (CSVReader) -> Void) {
    let now = (start, linesBefore, line, isTerminated, isUnclosed, recordLength, fields)
    var records = 0
    while records < most, !(start == end && isAtEnd), scan() {
      if isBlankRecord { continue }
      // Comments above a header may be many.
      if !isComment { records += 1 }
      look(self)
    }
    (start, linesBefore, line, isTerminated, isUnclosed, recordLength, fields) = now
  }

  /// A field without surrounding blanks and quotes.
  func text(_ index: Int) -> String {
    let field = fields[index]
    let range = field.isQuoted ? field.bytes : trimmed(field.bytes)
    let text = decoded(bytes(range))
    return field.isQuoted ? text.replacingOccurrences(of: "\"\"", with: "\"") : text
  }

  /// The fields of the present record, as `text` gives them.
  var texts: [String] { (0..<count).map(text) }

  /// Whether a field's bytes are UTF-8.
  func isUnicode(_ index: Int) -> Bool {
    String(validating: bytes(fields[index].bytes), as: UTF8.self) != nil
  }

  func isEmpty(_ index: Int) -> Bool { trimmed(fields[index].bytes).isEmpty }

  func isQuoted(_ index: Int) -> Bool { fields[index].isQuoted }

  /// Whether the record begins with a mark that CSV files have before comments.
  var isComment: Bool {
    guard let first = fields.first, !first.isQuoted else { return false }
    return Self.beginsComment(bytes(trimmed(first.bytes)))
  }

  /// `#`, `%` and `//`.
  private static func beginsComment(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    guard let first = bytes.first else { return false }
    let slash = UInt8(ascii: "/")
    return first == UInt8(ascii: "#") || first == UInt8(ascii: "%")
      || first == slash && bytes.count > 1 && bytes[1] == slash
  }

  /// The bytes of a field without surrounding blanks and quotes; nil where something follows its closing quote.
  func cell(_ index: Int) -> UnsafeBufferPointer<UInt8>? {
    fields[index].isMalformed ? nil : bytes(trimmed(fields[index].bytes))
  }

  private func bytes(_ range: Range<Int>) -> UnsafeBufferPointer<UInt8> {
    UnsafeBufferPointer(start: buffer + range.lowerBound, count: range.count)
  }

  /// Text that is not UTF-8 is taken as Windows-1252, which holds Latin-1: what programs write that know no other.
  private func decoded(_ bytes: UnsafeBufferPointer<UInt8>) -> String {
    String(validating: bytes, as: UTF8.self)
      ?? String(data: Data(bytes), encoding: .windowsCP1252)
      ?? String(decoding: bytes, as: UTF8.self)
  }

  private func trimmed(_ range: Range<Int>) -> Range<Int> {
    var (from, to) = (range.lowerBound, range.upperBound)
    while from < to, isBlank(buffer[from]) { from += 1 }
    while to > from, isBlank(buffer[to - 1]) { to -= 1 }
    guard from < to, buffer[from] == 0xC2 || buffer[to - 1] == 0xA0 else { return from..<to }
    return trimmedOfNoBreakSpaces(from..<to)
  }

  /// Without U+00A0 (C2 A0), which spreadsheets and web pages have around numbers, and the blanks among them.
  @inline(never)
  private func trimmedOfNoBreakSpaces(_ range: Range<Int>) -> Range<Int> {
    func isWide(_ place: Int) -> Bool { buffer[place] == 0xC2 && buffer[place + 1] == 0xA0 }
    var (from, to) = (range.lowerBound, range.upperBound)
    while from < to, isBlank(buffer[from]) || from + 1 < to && isWide(from) {
      from += isBlank(buffer[from]) ? 1 : 2
    }
    while to > from, isBlank(buffer[to - 1]) || to - 1 > from && isWide(to - 2) {
      to -= isBlank(buffer[to - 1]) ? 1 : 2
    }
    return from..<to
  }

  private var isBlankRecord: Bool {
    fields.allSatisfy { !$0.isQuoted && trimmed($0.bytes).isEmpty }
  }

  /// The next record, blank or not.
  private func read() throws -> Bool {
    while true {
      if start == end && isAtEnd { return false }
      if scan() { return true }
      guard end - start < Self.longestRecord else {
        throw LogError(
          file: name, line: linesBefore + 1,
          "the row that begins here is over \(Self.longestRecord) bytes long; is a quote not closed, or is the file not text?"
        )
      }
      try fill()
    }
  }

  /// The record at `start`; false where its end has not been read yet.
  private func scan() -> Bool {
    // In a local array while it grows: each access of a class's property is checked.
    var found: [Field] = []
    swap(&found, &fields)
    defer { swap(&found, &fields) }
    found.removeAll(keepingCapacity: true)
    let (bytes, end, delimiter) = (buffer, self.end, self.delimiter)
    var (index, fieldStart, fieldEnd) = (start, start, -1)
    var (breaks, isQuoted, isInside) = (0, false, false)
    // What a comment quotes does not run over its line.
    var first = start
    while first < end, isBlank(bytes[first]) { first += 1 }
    let isComment = Self.beginsComment(
      UnsafeBufferPointer(start: bytes + first, count: min(2, end - first)))
    func finishField(at position: Int) {
      let end = fieldEnd >= 0 ? fieldEnd : position
      let rest = fieldEnd >= 0 ? trimmed(fieldEnd + 1..<position) : 0..<0
      found.append(
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
      let byte = bytes[index]
      if isInside {
        if byte == carriageReturn && isComment {
          isInside = false
          continue
        }
        if byte == quote {
          if index + 1 == end && !isAtEnd { return false }
          if index + 1 < end && bytes[index + 1] == quote {
            index += 1
          } else {
            (isInside, fieldEnd) = (false, index)
          }
        } else if byte == newline {
          if isComment {
            finishRecord(at: index, next: index + 1, isTerminated: true)
            return true
          }
          breaks += 1
        }
      } else if byte == delimiter {
        finishField(at: index)
      } else if byte == newline {
        finishRecord(at: index, next: index + 1, isTerminated: true)
        return true
      } else if byte == carriageReturn {
        if index + 1 == end && !isAtEnd { return false }
        let isPair = index + 1 < end && bytes[index + 1] == newline
        finishRecord(at: index, next: index + (isPair ? 2 : 1), isTerminated: true)
        return true
      } else if byte == quote && !isQuoted && trimmed(fieldStart..<index).isEmpty {
        (isInside, isQuoted, fieldStart) = (true, true, index + 1)
      }
      index += 1
    }
    guard isAtEnd else { return false }
    isUnclosed = isInside && !isComment
    finishRecord(at: end, next: end, isTerminated: false)
    return true
  }

  private func fill() throws {
    if start > 0 {
      buffer.update(from: buffer + start, count: end - start)
      (start, end) = (0, end - start)
    }
    while !isAtEnd && Self.capacity - end >= TextStream.leastRoom {
      let count = try stream.read(into: buffer + end, atMost: Self.capacity - end)
      end += count
      isAtEnd = count == 0
    }
  }
}

private let quote = UInt8(ascii: "\"")
private let newline = UInt8(ascii: "\n")
private let carriageReturn = UInt8(ascii: "\r")

private func isBlank(_ byte: UInt8) -> Bool {
  byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t")
}
