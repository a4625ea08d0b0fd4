// SPDX-License-Identifier: Apache-2.0
// Large independent tasks (the outputs of a model, blocks of points) side by side, each with its share of OpenBLAS's
// threads: what is not a matrix product then runs on all cores too, and no product waits for another thread. Two fits of
// 2,200 points on two cores take 2.5 s so, 3.1 s one after the other.
//
// The number of threads is the process's, and the last bits of a product depend on it: callers that compute from several
// threads of their own at once do not get the same bits every time. (The tests run one after the other for that.)

import COpenBLAS
import Dispatch
import Synchronization

/// Results of `task(0)` ... `task(count - 1)` in order, run side by side; throws the first error by number.
package func inParallel<T: Sendable>(_ count: Int, _ task: (Int) throws -> T) throws -> [T] {
  try inParallel(count) { index in Result { try task(index) } }.map { try $0.get() }
}

/// Results of `task(0)` ... `task(count - 1)` in order, run side by side.
package func inParallel<T: Sendable>(_ count: Int, _ task: (Int) -> T) -> [T] {
  if count <= 1 { return (0..<count).map(task) }
  // The setting is the process's: only the outermost call changes it.
  let isOutermost = depth.wrappingAdd(1, ordering: .sequentiallyConsistent).oldValue == 0
  let threads = openblas_get_num_threads()
  if isOutermost { openblas_set_num_threads(max(1, threads / Int32(count))) }
  defer {
    if isOutermost { openblas_set_num_threads(threads) }
    depth.wrappingSubtract(1, ordering: .sequentiallyConsistent)
  }
  let results = Mutex<[Int: T]>([:])
  withoutActuallyEscaping(task) { task in
    // Tasks change nothing that they share.
    nonisolated(unsafe) let task = task
    DispatchQueue.concurrentPerform(iterations: count) { index in
      let result = task(index)
      results.withLock { $0[index] = result }
    }
  }
  return results.withLock { found in (0..<count).compactMap { found[$0] } }
}

/// Calls of `inParallel` that are running.
private let depth = Atomic<Int>(0)
