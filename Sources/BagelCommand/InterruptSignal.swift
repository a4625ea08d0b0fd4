// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a flag that loops look at.

import Foundation
import Synchronization

enum InterruptSignal {
  private static let raised = Atomic<Bool>(false)

  static var wasRaised: Bool { raised.load(ordering: .relaxed) }

  private static let usual = [SIGINT, SIGTERM, SIGHUP]
  /// Ctrl-\\ and Ctrl-Z: a machine would keep its last action while this process is gone or stopped.
  private static let whileDriving = [SIGQUIT, SIGTSTP]

  /// From now on Ctrl-C, a polite kill and a closed terminal set the flag instead of ending the process; a second one
  /// ends it. (A parent may have left the signals blocked.)
  ///
  /// - Parameter isDriving: a machine is moved; no key leaves it alone with its last action.
  static func watch(isDriving: Bool = false) {
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in usual + (isDriving ? whileDriving : []) {
      sigaddset(&watched, number)
      let before = signal(number) { number in
        InterruptSignal.raised.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
      // nohup: a closed terminal is not to matter.
      if number == SIGHUP, isIgnoring(before) { signal(number, SIG_IGN) }
    }
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }

  /// From now on they end the process again.
  static func unwatch() {
    for number in usual + whileDriving {
      let before = signal(number, SIG_DFL)
      if number == SIGHUP, isIgnoring(before) { signal(number, SIG_IGN) }
    }
  }

  /// Handlers cannot be compared in Swift but by their bits.
  private static func isIgnoring(_ handler: sighandler_t?) -> Bool {
    unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN as sighandler_t?, to: Int.self)
  }
}
