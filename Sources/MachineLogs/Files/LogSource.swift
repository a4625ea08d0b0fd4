// SPDX-License-Identifier: Apache-2.0
// Where a log comes from: a CSV file, or another file and the program that turns it into CSV. In: a path. Out: a `TextStream`.
//
// A converter is started with the file's absolute path as its last argument and writes CSV to its standard output: a header, perhaps a row
// of units, then rows. Signals with clocks of their own share a row only where they have a sample at its stamp; the other cells are
// empty, and rows of different clocks may come in any order.

import Foundation
import SafeText

/// A log to be read.
public struct LogSource: Hashable, Sendable, ExpressibleByStringLiteral {
  /// "-" is standard input.
  public var path: String
  /// A program and its first arguments; empty where the file is CSV itself.
  public var converter: [String] = []
  /// Where the converter runs.
  public var folder = "."
  /// Names of the columns in place of the file's own; nil for those.
  public var header: [String]?

  public init(_ path: String) { self.path = path }
  public init(stringLiteral path: String) { self.init(path) }

  /// As messages name it.
  public var name: String {
    let file = path == "-" ? "standard input" : path
    return converter.isEmpty ? file : "\(file), through '\(converter.joined(separator: " "))'"
  }

  /// Throws: `LogError`.
  func open() throws -> OpenLog {
    if converter.isEmpty { return OpenLog(stream: try TextStream(path: path), program: nil) }
    guard path != "-" else {
      throw LogError(file: path, "a converter program reads a file, not standard input")
    }
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw LogError(
        file: path,
        errno == ENOENT ? "no such file" : "cannot be read: \(String(cString: strerror(errno)))")
    }
    let program = try ConverterProgram(self)
    do {
      return OpenLog(
        stream: try TextStream(descriptor: program.takeOutput(), name: name), program: program)
    } catch {
      // What it prints is nothing, or no text; why it says on standard error.
      try program.checkEnd()
      throw error
    }
  }
}

/// A log that is being read.
struct OpenLog {
  let stream: TextStream
  /// What writes it; nil of a file.
  let program: ConverterProgram?
}

/// A program that turns a file into CSV.
final class ConverterProgram {
  private let process = Process()
  private let output = Pipe()
  private let complaints: URL
  private let name: String

  /// Starts it. Throws: `LogError`.
  init(_ source: LogSource) throws {
    name = source.name
    complaints = FileManager.default.temporaryDirectory
      .appendingPathComponent("bagel-converter-\(UUID().uuidString)")
    _ = FileManager.default.createFile(atPath: complaints.path, contents: nil)
    // env finds a program on PATH.
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments =
      source.converter + [URL(fileURLWithPath: source.path).standardizedFileURL.path]
    process.currentDirectoryURL = URL(fileURLWithPath: source.folder)
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    do {
      process.standardError = try FileHandle(forWritingTo: complaints)
      try process.run()
    } catch {
      throw LogError(file: name, "cannot be started: \(error.localizedDescription)")
    }
    try? output.fileHandleForWriting.close()
  }

  deinit {
    if process.isRunning { process.terminate() }
    try? FileManager.default.removeItem(at: complaints)
  }

  /// Its standard output, open for reading.
  func takeOutput() -> Int32 { dup(output.fileHandleForReading.fileDescriptor) }

  /// Waits for its end. Throws: `LogError` with its last words where it failed.
  func checkEnd() throws {
    process.waitUntilExit()
    guard process.terminationReason != .exit || process.terminationStatus != 0 else { return }
    let how =
      process.terminationReason == .exit
      ? "ended with exit code \(process.terminationStatus)"
      : "was ended by signal \(process.terminationStatus)"
    let words = lastWords
    throw LogError(
      file: name,
      "the program \(how)"
        + (words.isEmpty ? " and said nothing" : ": \(shortened(words, to: 160))"))
  }

  /// The last line of its standard error that is not blank.
  private var lastWords: String {
    guard let file = try? FileHandle(forReadingFrom: complaints) else { return "" }
    let end = (try? file.seekToEnd()) ?? 0
    try? file.seek(toOffset: end > 4_096 ? end - 4_096 : 0)
    let text = String(decoding: (try? file.readToEnd()) ?? Data(), as: UTF8.self)
    let lines = text.split(whereSeparator: \.isNewline).filter { !$0.allSatisfy(\.isWhitespace) }
    return lines.last.map { $0.trimmingCharacters(in: .whitespaces) } ?? ""
  }
}
