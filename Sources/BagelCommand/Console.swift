// SPDX-License-Identifier: Apache-2.0
// What a person sees: sentences, a progress bar on a terminal, and the JSON line.

import Bagel
import Foundation
import Synchronization

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
      throw OutputError(description: "cannot write the result to standard output")
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

/// A bar on standard error, drawn only on a terminal and only after half a second. For any thread.
final class ProgressBar: Sendable {
  private let title: String
  private let start = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1
  /// When the bar was last drawn; nil while it has not been.
  private let drawn = Mutex<ContinuousClock.Instant?>(nil)

  init(_ title: String) { self.title = title }

  /// `fraction` 0 ... 1, and a word about the present value.
  func update(_ fraction: Double, _ detail: String = "") {
    guard isTerminal, start.duration(to: .now).seconds > 0.5 else { return }
    drawn.withLock { last in
      if let last, last.duration(to: .now).seconds < 0.1 { return }
      last = .now
      let width = 30
      let filled = Int((min(max(fraction, 0), 1) * Double(width)).rounded())
      let bar =
        String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
      write("\r\u{1B}[K\(title) [\(bar)] \(detail)\(timeLeft(fraction))")
    }
  }

  /// "  2 min left", after a few seconds of what takes a while.
  private func timeLeft(_ fraction: Double) -> String {
    let elapsed = start.duration(to: .now).seconds
    guard elapsed > 5, fraction > 0.02, fraction < 1 else { return "" }
    let left = elapsed / fraction - elapsed
    return left > 90
      ? "  \(Int((left / 60).rounded())) min left" : "  \(Int(left.rounded())) s left"
  }

  /// Wipes the bar.
  func finish() {
    drawn.withLock { last in
      if last != nil { write("\r\u{1B}[K") }
      last = nil
    }
  }

  private func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
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
