// SPDX-License-Identifier: Apache-2.0
// Page-aligned single-precision memory that kernels read and write.

import Foundation

/// Owned memory for `count` floats, aligned to a page, initially zero.
final class FloatBuffer {
  /// Large matrices are read in columns; with pages of 4 kB every row would be another one.
  private static let hugePage = 1 << 21

  let start: UnsafeMutablePointer<Float>
  let count: Int

  /// Throws: `ExecutionError.outOfMemory`.
  init(count: Int) throws {
    var memory: UnsafeMutableRawPointer?
    let bytes = max(count, 1) * MemoryLayout<Float>.size
    let isLarge = bytes >= Self.hugePage
    guard posix_memalign(&memory, isLarge ? Self.hugePage : 4_096, bytes) == 0, let memory else {
      throw ExecutionError.outOfMemory(bytes: bytes)
    }
    #if os(Linux)
      if isLarge { madvise(memory, bytes, MADV_HUGEPAGE) }
    #endif
    start = memory.bindMemory(to: Float.self, capacity: max(count, 1))
    start.initialize(repeating: 0, count: count)
    self.count = count
  }

  /// The values rounded to single precision.
  convenience init(_ values: [Double]) throws {
    try self.init(count: values.count)
    for (i, value) in values.enumerated() { start[i] = Float(value) }
  }

  deinit { free(start) }

  var bytes: Int { count * MemoryLayout<Float>.size }

  var elements: UnsafeBufferPointer<Float> { UnsafeBufferPointer(start: start, count: count) }
  var doubles: [Double] { elements.map(Double.init) }
}
