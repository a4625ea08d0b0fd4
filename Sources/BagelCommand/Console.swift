// SPDX-License-Identifier: Apache-2.0
// What a person sees: sentences, and the JSON line.

import Bagel
import Foundation
import SafeText

/// Writes for people to standard output (standard error under --json), JSON to standard output.
package struct Console {
  let json: Bool
  private let isQuiet: Bool

  package init(_ options: CommonOptions) {
    (json, isQuiet) = (options.json, options.quiet)
    if isQuiet { ProgressBar.silence() }
  }

  /// One line for people; with --quiet only what warns.
  package func say(_ line: String) {
    let line = printable(line, keeping: "\n\t")
    if isQuiet {
      if Self.warnings.contains(where: line.contains) { Console.error(line) }
      return
    }
    if json { Console.error(line) } else { Console.write(line + "\n", to: .standardOutput) }
  }

  /// What a line has that nobody may miss: a warning, or a safe action that was not delivered.
  private static let warnings = ["warning:", "NOT"]

  /// One line to standard error.
  package static func error(_ line: String) { write(line + "\n", to: .standardError) }

  /// Lines of an error, at most; a compiler says more.
  private static let mostLines = 40
  /// Characters; a plant's failure quotes its answer and says what became of the machine, input errors are shorter
  /// (`longestMessage`).
  private static let longestLine = 1_000

  /// What ended the command, to standard error: lines that a terminal shows as they are, none of them endless.
  static func failure(_ text: String) {
    let lines = text.prefix(1 << 16).split(separator: "\n", omittingEmptySubsequences: false)
    let shown = lines.prefix(mostLines).map { shortenedInside(String($0), to: longestLine) }
    error((shown + (lines.count > mostLines ? ["\u{2026}"] : [])).joined(separator: "\n"))
  }

  /// The last line of standard output under --json. Numbers that are not finite become null.
  package func finish(_ result: [String: Any]) throws {
    guard json else { return }
    let data = try JSONSerialization.data(
      withJSONObject: Console.finite(result), options: [.sortedKeys, .withoutEscapingSlashes])
    do {
      try FileHandle.standardOutput.write(contentsOf: data + Data("\n".utf8))
    } catch {
      throw OutputError(path: "the result to standard output", error)
    }
  }

  private static func finite(_ value: Any) -> Any {
    switch value {
    case let number as Double: number.isFinite ? number : NSNull()
    case let list as [Any]: list.map(finite)
    case let object as [String: Any]: object.mapValues(finite)
    default: value
    }
  }

  private static func write(_ text: String, to handle: FileHandle) {
    try? handle.write(contentsOf: Data(text.utf8))
  }
}

/// Largest resident memory of this process so far, bytes.
package func peakMemoryBytes() -> Int {
  var usage = rusage()
  #if os(Linux)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1_024
  #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
  #endif
}

/// Keys of a result together, with the process's peak memory.
package func resultJSON(_ parts: [String: Any]...) -> [String: Any] {
  parts.reduce(["peakMemoryBytes": peakMemoryBytes()]) { $0.merging($1) { $1 } }
}
