// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a flag that loops look at.

import Foundation
import Synchronization

enum InterruptSignal {
  private static let raised = Atomic<Bool>(false)

  static var wasRaised: Bool { raised.load(ordering: .relaxed) }

  /// From now on Ctrl-C, a polite kill and a closed terminal set the flag instead of ending the process; a second one ends it.
  /// (A parent may have left the signals blocked.)
  static func watch() {
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in [SIGINT, SIGTERM, SIGHUP] {
      sigaddset(&watched, number)
      signal(number) { number in
        InterruptSignal.raised.store(true, ordering: .relaxed)
        signal(number, SIG_DFL)
      }
    }
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }

  /// From now on they end the process again.
  static func unwatch() {
    for number in [SIGINT, SIGTERM, SIGHUP] { signal(number, SIG_DFL) }
  }
}
