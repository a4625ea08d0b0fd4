// SPDX-License-Identifier: Apache-2.0
// Signals as a flag that loops look at. While a machine may hold a live action no signal ends the process: repeats are ignored
// until the safe action and `close` are written. A third, two seconds after the first, tries once more without waiting and
// ends it. (The handlers are C: CProcessGuard.)

import CProcessGuard

enum InterruptSignal {
  static var wasRaised: Bool { guard_signal() != 0 }

  /// First in main: a closed pipe is an error of write from now on.
  static func prepare() { guard_prepare() }

  /// From now on signals set the flag instead of ending the process.
  ///
  /// - Parameter isDriving: a machine is moved; no key, and no crash, leaves it alone with its last action.
  static func watch(isDriving: Bool = false) {
    guard_watch(isDriving ? 1 : 0)
    if isDriving { guard_sharpen_sleeps() }
  }

  /// From now on they end the process again.
  static func unwatch() { guard_unwatch() }
}
