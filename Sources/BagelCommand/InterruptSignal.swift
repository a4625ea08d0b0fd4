// SPDX-License-Identifier: Apache-2.0
// Signals as a flag that loops look at. While a machine may hold a live action no signal ends the process: repeats are ignored
// until the safe action and `close` are written. A third, two seconds after the first, tries once more without waiting and
// ends it. (The handlers are C: CProcessGuard.)

import CProcessGuard
import Foundation

package enum InterruptSignal {
  package static var wasRaised: Bool { guard_signal() != 0 }

  /// First in main: a closed pipe is an error of write from now on.
  static func prepare() { guard_prepare() }

  /// From now on signals set the flag instead of ending the process.
  ///
  /// - Parameter isDriving: a machine is moved; neither a key nor a crash ends the process before the safe action is sent.
  package static func watch(isDriving: Bool = false) {
    guard_watch(isDriving ? 1 : 0)
    if isDriving { guard_sharpen_sleeps() }
  }

  /// Runs `body` beside the work, a moment after a signal: for what does not stop by itself in time.
  ///
  /// - Parameters:
  ///   - isWanted: asked until then; false ends the waiting.
  ///   - body: what ends the process, if it is still to be ended.
  static func afterwards(
    while isWanted: @escaping @Sendable () -> Bool, _ body: @escaping @Sendable () -> Void
  ) {
    Thread.detachNewThread {
      while !wasRaised {
        guard isWanted() else { return }
        usleep(20_000)
      }
      usleep(300_000)
      body()
    }
  }

  /// From now on they end the process again.
  static func unwatch() { guard_unwatch() }
}
