// SPDX-License-Identifier: Apache-2.0
// The one owner of the number of threads with which OpenBLAS computes a product. The number is the process's, so everybody who wants
// fewer asks here: while several ask at once, the smallest number holds; after the last one, the usual number is back. A share
// (`inParallel`) inside another one asks for no fewer.
//
// The last bits of a product depend on the number. So two computations that ask for different numbers at the same time do not have the
// same bits every time, nor have siblings of a task of `inParallel` that asks for one thread, if their own share is larger. With
// OPENBLAS_NUM_THREADS=1, as tests run, they have. (Accelerate's number is of the calling thread; not tried.)

import CBLAS
import Synchronization

enum BLASThreads {
  /// Runs `body` with an equal share of the threads for each of `count` tasks that it runs at once.
  static func shared(among count: Int, _ body: () -> Void) {
    #if os(macOS)
      body()
    #else
      limited(body) { $0.limits.min() ?? max(1, $0.usual / Int32(count)) }
    #endif
  }

  /// Runs `body` with BLAS on the calling threads only.
  static func one<T>(_ body: () -> T) -> T {
    #if os(macOS)
      let before = BLASGetThreading()
      BLASSetThreading(BLAS_THREADING_SINGLE_THREADED)
      defer { BLASSetThreading(before) }
      return body()
    #else
      limited(body) { _ in 1 }
    #endif
  }

  #if !os(macOS)
    private struct State {
      /// Of the process while nobody asks for fewer.
      var usual: Int32 = 0
      /// What is asked for now.
      var limits: [Int32] = []

      func apply() { openblas_set_num_threads(limits.min() ?? usual) }
    }
    private static let state = Mutex(State())

    /// - Parameter limit: called while nobody else changes the number.
    private static func limited<T>(_ body: () -> T, _ limit: (State) -> Int32) -> T {
      let own = state.withLock { state -> Int32 in
        if state.limits.isEmpty { state.usual = openblas_get_num_threads() }
        let own = limit(state)
        state.limits.append(own)
        state.apply()
        return own
      }
      defer {
        state.withLock { state in
          if let index = state.limits.firstIndex(of: own) { state.limits.remove(at: index) }
          state.apply()
        }
      }
      return body()
    }
  #endif
}

/// Runs `body` with BLAS on the calling threads only.
package func withOneBLASThread<T>(_ body: () -> T) -> T { BLASThreads.one(body) }
