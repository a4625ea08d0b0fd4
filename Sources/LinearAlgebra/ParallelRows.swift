// SPDX-License-Identifier: Apache-2.0
// Row loops on all cores. Rows are dealt in blocks as threads come free; what a row computes must not
// depend on other rows, so results have the same bits for any number of threads.

import Dispatch

/// Calls `body` for blocks of rows that together cover 0 ..< count, from several threads.
package func forEachRowBlock(
  count: Int, block: Int = 32, _ body: @Sendable (Range<Int>) -> Void
) {
  let blocks = (count + block - 1) / block
  if blocks <= 1 {
    if count > 0 { body(0..<count) }
    return
  }
  DispatchQueue.concurrentPerform(iterations: blocks) { index in
    body(index * block..<min((index + 1) * block, count))
  }
}
