// SPDX-License-Identifier: Apache-2.0
// Ctrl-C as a flag that loops look at.

import Foundation
import Synchronization

enum InterruptSignal {
  private static let raised = Atomic<Bool>(false)

  static var wasRaised: Bool { raised.load(ordering: .relaxed) }

  /// From now on Ctrl-C and a polite kill set the flag instead of ending the process.
  static func watch() {
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in InterruptSignal.raised.store(true, ordering: .relaxed) }
    }
  }
}
