// SPDX-License-Identifier: Apache-2.0
// What people's tools write in place of a CSV file with a header, commas, decimal points and seconds: each is refused with a
// message that says which habit it is, or read with the right numbers.

import Bagel
import Draws
import Foundation
import MachineLogs
import SafeText
import TestSupport
import Testing

private let layout = LogLayout(
  states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)

private func write(_ text: String) throws -> String {
  let path = Scratch.path("log.csv")
  try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  return path
}

/// Rows t, x, u with what stands in each cell.
private func table(
  header: String = "t,x,u", separator: String = ",", end: String = "\n",
  _ cell: (Int, Int) -> String = { row, column in
    [String(format: "%.1f", 0.1 * Double(row)), "\(row * row).5", "\(row % 3)"][column]
  }
) -> String {
  let rows = (0..<30).map { row in (0..<3).map { cell(row, $0) }.joined(separator: separator) }
  return ([header] + rows).joined(separator: end) + end
}

private func problem(_ text: String) throws -> String {
  do {
    _ = try layout.episodes(from: [try write(text)])
    return "read"
  } catch let error as LogError {
    #expect("\(error)".count <= 300 && !"\(error)".contains("\n"))
    return "\(error)"
  }
}

/// The table as BAGEL wants it, read.
private func plain() throws -> Episode { try layout.episodes(from: [try write(table())])[0] }

@Suite("dialects of logs")
struct LogDialectTests {
  @Test(
    "other separators, line ends, marks and trailing commas give the same numbers",
    arguments: [
      table(header: "t;x;u", separator: ";"), table(header: "t\tx\tu", separator: "\t"),
      table(end: "\r\n"), table(end: "\r"), "\u{FEFF}" + table(),
      "\u{FEFF}" + table(header: "\"t\",\"x\",\"u\""), table(header: "t,x,u,"),
      table(header: " t , x , u "), table(end: ",\n"), table(end: "\n\n"),
      table { row, column in
        "\"" + [String(format: "%.1f", 0.1 * Double(row)), "\(row * row).5", "\(row % 3)"][column]
          + "\""
      },
    ])
  func equal(text: String) throws {
    let episode = try layout.episodes(from: [try write(text)])[0]
    #expect(try episode.states == plain().states && episode.actions == plain().actions)
  }

  @Test(
    "a note with commas, quotes and line breaks is skipped, and lines are counted as an editor does"
  )
  func notes() throws {
    let note = "\"a, \"\"b\"\"\nsecond line\""
    var rows = (0..<30).map { "\(0.1 * Double($0)),\($0 * $0).5,\(note),\($0 % 3)" }
    let text = "t,x,note,u\n" + rows.joined(separator: "\n") + "\n"
    #expect(try layout.episodes(from: [try write(text)])[0].states == plain().states)
    rows[9] = "0.9,oops,\(note),0"
    // Nine rows of two lines stand above it.
    #expect(
      try problem("t,x,note,u\n" + rows.joined(separator: "\n") + "\n")
        .contains(":20, column 'x': 'oops' is not a number"))
  }

  @Test("what cannot be read says which habit it is")
  func messages() throws {
    func replacing(_ cell: String) -> String {
      table { row, column in
        row == 4 && column == 1
          ? cell : ["\(0.1 * Double(row))", "\(row * row)", "\(row % 3)"][column]
      }
    }
    for mark in ["NaN", "NA", "#N/A", "null", "-", "None"] {
      #expect(
        try problem(replacing(mark)).contains(":6, column 'x': '\(mark)' marks a missing value"))
    }
    #expect(try problem(replacing("0x1F")).contains("'0x1F' is hexadecimal"))
    #expect(try problem(replacing("inf")).contains("'inf' is not a finite number"))
    #expect(try problem(replacing("1e308")).contains(":6, column 'x': '1e308' is too large"))
    #expect(
      try problem(replacing("1,234,567")).contains(":6: the row has 5 fields, but the header has 3")
    )
    #expect(try problem(replacing("\"1,5\"")).contains("'1,5' has a decimal comma"))
    #expect(try problem(replacing("\"1,234.5\"")).contains("separators of thousands"))
    #expect(try problem(replacing("12 mm")).contains("is 'mm' a unit?"))
    #expect(
      try problem(replacing("2026-03-29T01:59:50Z")).contains(
        "is a date or a time of day; a number")
    )
    #expect(
      try problem(replacing(String(repeating: "z", count: 50_000))).contains("is not a number"))
    #expect(try problem(replacing("1\u{1B}[31m\u{202E}2")).contains("\\u{1B}"))
    #expect(try problem("# logger 4, serial 17\n").contains(":1: is a comment, and no line of"))
    #expect(
      try problem(table().split(separator: "\n").dropFirst().joined(separator: "\n") + "\n")
        .contains("the first line is numbers"))
    #expect(try problem(table(header: "t x u", separator: "  ")).contains("separated by blanks"))
    #expect(try problem(table(header: "T,X,U")).contains("no column 'x' (did you mean 'X'?)"))
    #expect(try problem(table(header: "t_plc,x,u")).contains("set the time column to 't_plc'"))
    #expect(try problem(table(header: "t,x,u,a,b")).contains("has 3 fields, but the header has 5"))
    #expect(try problem(table(header: "t,x,x")).contains("no column 'u'"))
    #expect(
      try problem(table(header: "t,x,u,x", end: ",1\n")).contains("two columns are called 'x'"))
    #expect(
      try problem(replacing("1").replacingOccurrences(of: "0.2,", with: "0.1,"))
        .contains("two rows have the time stamp 0.1"))
    #expect(try problem(replacing("\"1")).contains("a quote not closed") == false)
  }

  @Test("bytes that are not UTF-8 text say what they are")
  func bytes() throws {
    func problem(_ bytes: [UInt8]) throws -> String {
      let path = Scratch.path("log.csv")
      try Data(bytes).write(to: URL(fileURLWithPath: path))
      do {
        _ = try layout.episodes(from: [path])
        return "read"
      } catch let error as LogError {
        return "\(error)"
      }
    }
    let wide = Array(table().utf16.flatMap { [UInt8($0 & 0xFF), UInt8($0 >> 8)] })
    #expect(try problem([0xFF, 0xFE] + wide) == "read")
    #expect(try problem(wide) == "read")
    #expect(try problem(Array(table().utf8) + [0, 0, 0]).contains("is binary, not text"))
    #expect(try problem([0x50, 0x4B, 0x03, 0x04, 0, 0]).contains(".xlsx"))
    #expect(try problem([0x1F, 0x8B, 8, 0]).contains("ends in the middle of the gzip data"))
    #expect(
      try problem([0x1F, 0x8B, 8, 0] + Array(repeating: 7, count: 100)).contains("is damaged"))
    #expect(
      try problem(Array("t,x,u\n0,\"1".utf8) + Array(repeating: 65, count: 3_000_000))
        .contains(":2: the row that begins here is over"))
  }

  @Test("decimal numbers are read to the last bit")
  func numbers() throws {
    let key = DrawKey(seed: 5)
    let values = (0..<2_000).map { row -> Double in
      let z = key.normals(particle: 0, step: row, count: 2)
      return z[0] * pow(10, (12 * z[1]).rounded())
    }
    let rows = values.enumerated().map { "\($0),\($1),\(String(format: "%.6f", $1))" }
    let path = try write("t,x,u\n" + rows.joined(separator: "\n") + "\n")
    let log = try LogFile(path: path, layout: layout)
    #expect(log.column("x") == values)
    #expect(log.column("u") == values.map { Double(String(format: "%.6f", $0)) })
  }

  @Test("a pipe is read, and a torn last line left out")
  func pipe() throws {
    let path = Scratch.path("pipe.csv")
    #expect(mkfifo(path, 0o600) == 0)
    let text = table() + "3.0,12"
    let writer = Thread {
      try? Data(text.utf8).write(to: URL(fileURLWithPath: path))
    }
    writer.start()
    let episode = try layout.episodes(from: [path])[0]
    #expect(try episode.states == plain().states)
    #expect(episode.notes.contains { $0.contains(":32: the last line has no end of line") })
  }
}
