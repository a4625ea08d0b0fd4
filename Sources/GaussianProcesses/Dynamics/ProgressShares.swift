// SPDX-License-Identifier: Apache-2.0
// Progress of tasks that run side by side.

import Synchronization

/// The mean of several tasks' progress, from any thread.
final class ProgressShares: Sendable {
  private let done: Mutex<[Double]>
  private nonisolated(unsafe) let progress: (Double) -> Void

  init(_ count: Int, _ progress: @escaping (Double) -> Void) {
    done = Mutex(Array(repeating: 0, count: count))
    self.progress = progress
  }

  func report(_ fraction: Double, from task: Int) {
    done.withLock { all in
      all[task] = fraction
      progress(all.reduce(0, +) / Double(all.count))
    }
  }
}
