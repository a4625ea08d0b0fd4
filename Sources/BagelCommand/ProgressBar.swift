// SPDX-License-Identifier: Apache-2.0
// How far a long computation is, on standard error: a bar on a terminal, elsewhere a plain line every few seconds, also while
// the computation says nothing for long.

import Bagel
import Foundation
import Synchronization

/// Progress of one computation. For any thread.
package final class ProgressBar: Sendable {
  private struct State {
    var fraction = 0.0
    var detail: String
    /// When something was last written; nil while nothing was.
    var written: ContinuousClock.Instant?
    var isFinished = false
  }

  private static let isSilent = Mutex(false)

  /// From now on no bar is shown.
  static func silence() { isSilent.withLock { $0 = true } }

  private let title: String
  private let start = ContinuousClock.now
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let state: Mutex<State>
  /// Seconds before the first bar, between bars, and between lines.
  private static let firstBar = 0.5
  private static let bars = 0.1
  private static let lines = 5.0

  /// - Parameter detail: what is being done until the first update.
  package init(_ title: String, _ detail: String = "") {
    self.title = title
    state = Mutex(State(detail: detail, isFinished: Self.isSilent.withLock(\.self)))
    if isTerminal { return }
    Thread.detachNewThread { [weak self] in
      while let bar = self, bar.tick() {
        usleep(100_000)
      }
    }
  }

  /// `fraction` 0 ... 1, and a word about the present value.
  package func update(_ fraction: Double, _ detail: String = "") {
    state.withLock { state in
      (state.fraction, state.detail) = (fraction, detail)
      guard isTerminal, !state.isFinished, elapsed > Self.firstBar else { return }
      if let last = state.written, last.duration(to: .now).seconds < Self.bars { return }
      state.written = .now
      let width = 30
      let filled = Int((min(max(fraction, 0), 1) * Double(width)).rounded())
      let bar =
        String(repeating: "#", count: filled) + String(repeating: ".", count: width - filled)
      write("\r\u{1B}[K\(title) [\(bar)] \(detail)\(timeLeft(fraction))")
    }
  }

  /// Wipes the bar; nothing is written any more.
  package func finish() {
    state.withLock { state in
      if isTerminal && state.written != nil { write("\r\u{1B}[K") }
      state.isFinished = true
    }
  }

  private var elapsed: Double { start.duration(to: .now).seconds }

  /// Writes a line if it is time; false when there is nothing more to say.
  private func tick() -> Bool {
    state.withLock { state in
      if state.isFinished { return false }
      guard (state.written ?? start).duration(to: .now).seconds > Self.lines else { return true }
      state.written = .now
      let detail = state.detail.isEmpty ? "" : ": \(state.detail)"
      write("\(title), \(Int(elapsed)) s\(detail)\(timeLeft(state.fraction))\n")
      return true
    }
  }

  /// "  2 min left", after a few seconds of what takes a while.
  private func timeLeft(_ fraction: Double) -> String {
    guard elapsed > 5, fraction > 0.02, fraction < 1 else { return "" }
    let left = elapsed / fraction - elapsed
    return left > 90
      ? "  \(Int((left / 60).rounded())) min left" : "  \(Int(left.rounded())) s left"
  }

  private func write(_ text: String) {
    try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
  }
}
