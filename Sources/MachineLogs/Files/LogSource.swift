// SPDX-License-Identifier: Apache-2.0
// Where a log comes from: a CSV file, or another file and the program that turns it into CSV. In: a path. Out: a `TextStream`.
//
// A converter is started with the file's absolute path as its last argument and writes CSV to its standard output: a header, perhaps a row
// of units, then rows. Signals with clocks of their own share a row only where they have a sample at its stamp; the other cells are
// empty, and rows of different clocks may come in any order.

import Foundation
import SafeText

/// A log to be read.
package struct LogSource: Hashable, Sendable, ExpressibleByStringLiteral {
  /// "-" is standard input.
  package var path: String
  /// A program and its first arguments; empty where the file is CSV itself.
  package var converter: [String] = []
  /// Where the converter runs.
  package var folder = "."
  /// Names of the columns in place of the file's own; nil for those.
  package var header: [String]?

  package init(_ path: String) { self.path = path }
  package init(stringLiteral path: String) { self.init(path) }

  /// As messages name it.
  package var name: String {
    let file = path == "-" ? "standard input" : path
    return converter.isEmpty ? file : "\(file), through '\(converter.joined(separator: " "))'"
  }

  /// Reads it: hands its bytes to `body`. A program that fails writes too little, and the reason is its own words.
  ///
  /// Throws: `LogError`.
  func read<Content>(_ body: (TextStream) throws -> Content) throws -> Content {
    guard !converter.isEmpty else { return try body(try TextStream(path: path)) }
    guard path != "-" else {
      throw LogError(file: path, "a converter program reads a file, not standard input")
    }
    try TextStream.checkFile(path)
    let program = try ConverterProgram(self)
    defer { program.end() }
    let stream = try TextStream(descriptor: program.output, name: name)
    let result = Result { try body(stream) }
    // One that is still writing did not fail; what it wrote did.
    if stream.isAtEnd { try program.checkEnd() }
    do {
      return try result.get()
    } catch let error as LogError {
      let words = program.lastWords
      // What is wrong in a column has its own cause.
      if words.isEmpty || error.column != nil { throw error }
      throw LogError(
        file: error.file, line: error.line, character: error.character,
        "\(error.problem); the converter's last words: \(shortened(words, to: 160))",
        remedy: error.remedy)
    }
  }
}
