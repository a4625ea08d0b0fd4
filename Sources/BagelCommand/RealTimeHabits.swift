// SPDX-License-Identifier: Apache-2.0
// What a process that must not be late asks of the system: locked memory and real-time priority. Both are
// refused to ordinary users of most systems; that is said, and the run goes on without.

import ArgumentParser
import Bagel
import CProcessGuard
import Foundation
import TensorFiles

/// --realtime, of commands that drive a machine.
struct RealTimeOptions: ParsableArguments {
  @Flag(
    help:
      "Lock memory and request real-time priority (SCHED_FIFO), also for the plant's program. A refusal by the system is reported."
  )
  var realtime = false

  private static let priority: Int32 = 50

  /// Asks, if wanted, and says what was refused.
  func apply(_ console: Console) {
    guard realtime else { return }
    let locking = guard_lock_memory()
    if locking != 0 {
      console.say(
        "--realtime: memory is not locked: \(systemReason(locking)) (ulimit -l unlimited)")
    }
    let priority = guard_take_priority(Self.priority)
    if priority != 0 {
      console.say(
        "--realtime: no real-time priority: \(systemReason(priority)) (ulimit -r \(Self.priority))")
    }
  }
}
