// SPDX-License-Identifier: Apache-2.0
// What a person sees: sentences, and the JSON line.

import Bagel
import Foundation

/// Writes for people to standard output (standard error under --json), JSON to standard output.
struct Console {
  let json: Bool

  /// One line for people.
  func say(_ line: String) {
    if json { Console.error(line) } else { Console.write(line + "\n", to: .standardOutput) }
  }

  /// One line to standard error.
  static func error(_ line: String) { write(line + "\n", to: .standardError) }

  /// The last line of standard output under --json. Numbers that are not finite become null.
  func finish(_ result: [String: Any]) throws {
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
func peakMemoryBytes() -> Int {
  var usage = rusage()
  #if os(Linux)
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    return usage.ru_maxrss * 1_024
  #else
    getrusage(RUSAGE_SELF, &usage)
    return usage.ru_maxrss
  #endif
}
