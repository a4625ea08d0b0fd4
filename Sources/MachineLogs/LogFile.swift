// SPDX-License-Identifier: Apache-2.0
// CSV text -> named columns of finite numbers. SwiftCSV does the parsing (quotes, delimiters): it is
// the one Swift CSV library that is kept and has no dependencies. In: a path. Out: columns, and the
// line of each row for messages.

import Foundation
import SwiftCSV

/// The numbers of one log file.
public struct LogFile: Sendable {
  public let path: String
  public let header: [String]
  /// [rows][columns], all finite in the columns asked for.
  let rows: [[String]]
  /// 1-based line of each row.
  let lines: [Int]
  /// What was left out, in words for people.
  public let notes: [String]

  /// Reads and splits a file. Throws: `LogError` for a missing, unreadable or empty file.
  public init(path: String) throws {
    self.path = path
    guard FileManager.default.fileExists(atPath: path) else {
      throw LogError(file: path, "no such file")
    }
    guard FileManager.default.isReadableFile(atPath: path) else {
      throw LogError(file: path, "cannot be read: permission denied")
    }
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue {
      throw LogError(file: path, "is a folder, not a CSV file")
    }
    var text: String
    do {
      text = try String(contentsOfFile: path, encoding: .utf8)
    } catch {
      throw LogError(file: path, "cannot be read as UTF-8 text")
    }
    notes = Self.dropTornLine(&text, path)
    do {
      let table = try CSV<Enumerated>(
        string: text, delimiter: CSVDelimiter.guessed(string: text), loadColumns: false)
      header = table.header.map { $0.trimmingCharacters(in: .whitespaces) }
      let numbered = table.rows.enumerated().filter { !$1.allSatisfy(\.isEmpty) }
      rows = numbered.map(\.element)
      lines = numbered.map { $0.offset + 2 }
    } catch {
      throw LogError(file: path, "is not a CSV table: \(error)")
    }
    if header.allSatisfy(\.isEmpty) {
      throw LogError(file: path, line: 1, "is empty; expected a line of column names")
    }
    let repeated = Dictionary(grouping: header, by: { $0 }).first { $0.value.count > 1 }
    if let repeated {
      throw LogError(file: path, line: 1, "two columns are called '\(repeated.key)'")
    }
  }

  /// Drops a last line without its end: a number that was cut in the middle reads as another number.
  private static func dropTornLine(_ text: inout String, _ path: String) -> [String] {
    guard let last = text.last, !last.isNewline, let end = text.lastIndex(where: \.isNewline),
      text[..<end].contains(where: \.isNewline)
    else { return [] }
    let line = text.count { $0.isNewline } + 1
    text = String(text[...end])
    return ["\(path):\(line): the last line has no end of line; it may be cut and is left out"]
  }

  /// The values of a column [rows].
  ///
  /// - Parameters:
  ///   - name: as in the header.
  ///   - mayBeEmpty: empty cells are NaN.
  /// - Throws: `LogError` for a name that does not exist and for anything else that is not a finite number.
  public func column(_ name: String, mayBeEmpty: Bool = false) throws -> [Double] {
    guard let index = header.firstIndex(of: name) else {
      let hint = nearest(to: name, among: header).map { "; did you mean '\($0)'?" } ?? ""
      throw LogError(
        file: path, line: 1,
        "has no column '\(name)'; its columns are \(header.joined(separator: ", "))\(hint)")
    }
    return try zip(rows, lines).map { row, line in
      guard index < row.count else {
        throw LogError(
          file: path, line: line, column: name,
          "the row has \(row.count) fields, the header \(header.count)")
      }
      let text = row[index].trimmingCharacters(in: .whitespaces)
      if mayBeEmpty && text.isEmpty { return .nan }
      guard let value = Double(text) else {
        throw LogError(
          file: path, line: line, column: name,
          text.isEmpty ? "is empty; expected a number" : "'\(text)' is not a number")
      }
      guard value.isFinite else {
        throw LogError(file: path, line: line, column: name, "'\(text)' is not a finite number")
      }
      return value
    }
  }

  /// The time stamps (s), which must increase. `name` nil: the first usual name.
  func times(_ name: String?) throws -> [Double] {
    guard let column = name ?? LogLayout.usualTimeColumns.first(where: header.contains) else {
      throw LogError(
        file: path, line: 1,
        "has no time column (\(LogLayout.usualTimeColumns.joined(separator: ", "))); its columns are "
          + header.joined(separator: ", "))
    }
    let times = try self.column(column)
    for index in times.indices.dropFirst() where times[index] <= times[index - 1] {
      throw LogError(
        file: path, line: lines[index], column: column,
        "time does not go forward: \(times[index]) after \(times[index - 1])")
    }
    return times
  }
}
