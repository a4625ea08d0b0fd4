// SPDX-License-Identifier: Apache-2.0
// The one owner of the number of threads with which OpenBLAS computes a product. The number is the process's, so everybody who wants
// fewer asks here: while several ask at once, the smallest number holds; after the last one, the usual number is back.
//
// The last bits of a product depend on the number. So a share (`inParallel`) inside another one changes nothing. Two computations
// that ask for different numbers at the same time do not have the same bits every time; with OPENBLAS_NUM_THREADS=1, as tests
// run, they have.

import CBLAS
import Synchronization

enum BLASThreads {
  /// OpenBLAS's number of threads; Accelerate has none to tell.
  static var current: Int32 {
    #if os(macOS)
      1
    #else
      openblas_get_num_threads()
    #endif
  }

  private struct State {
    /// Of the process while nobody asks for fewer.
    var usual: Int32 = 0
    /// What is asked for now.
    var limits: [Int32] = []

    func apply() {
      #if os(macOS)
        // Of the calling thread, and from macOS 15 on.
        BLASSetThreading(
          limits.contains(1) ? BLAS_THREADING_SINGLE_THREADED : BLAS_THREADING_MULTI_THREADED)
      #else
        openblas_set_num_threads(limits.min() ?? usual)
      #endif
    }
  }
  private static let state = Mutex(State())

  /// Runs `body` with an equal share of the threads for each of `count` tasks that it runs at once.
  static func shared(among count: Int, _ body: () -> Void) {
    limited(body) { state in state.limits.isEmpty ? max(1, state.usual / Int32(count)) : nil }
  }

  /// Runs `body` with OpenBLAS on the calling threads only.
  static func one<T>(_ body: () -> T) -> T { limited(body) { _ in 1 } }

  /// - Parameter limit: called while nobody else changes the number; nil changes nothing.
  private static func limited<T>(_ body: () -> T, _ limit: (State) -> Int32?) -> T {
    let own = state.withLock { state -> Int32? in
      if state.limits.isEmpty { state.usual = current }
      guard let own = limit(state) else { return nil }
      state.limits.append(own)
      state.apply()
      return own
    }
    defer {
      if let own {
        state.withLock { state in
          if let index = state.limits.firstIndex(of: own) { state.limits.remove(at: index) }
          state.apply()
        }
      }
    }
    return body()
  }
}

/// Runs `body` with OpenBLAS on the calling threads only.
package func withOneBLASThread<T>(_ body: () -> T) -> T { BLASThreads.one(body) }
