// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a flag that loops look at.

import Foundation
import Synchronization

enum InterruptSignal {
  private static let raised = Atomic<Bool>(false)

  static var wasRaised: Bool { raised.load(ordering: .relaxed) }

  /// From now on Ctrl-C and a polite kill set the flag instead of ending the process.
  /// (A parent may have left the signals blocked.)
  static func watch() {
    var watched = sigset_t()
    sigemptyset(&watched)
    for number in [SIGINT, SIGTERM] {
      sigaddset(&watched, number)
      signal(number) { _ in InterruptSignal.raised.store(true, ordering: .relaxed) }
    }
    pthread_sigmask(SIG_UNBLOCK, &watched, nil)
  }
}
