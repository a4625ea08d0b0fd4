// SPDX-License-Identifier: Apache-2.0
// The first visible GPU and its compiler, opened once per process (CUDA_VISIBLE_DEVICES chooses among several).

import Synchronization

package enum CUDASystem {
  private static let opened = Mutex<Result<(CUDADevice, RuntimeCompiler), any Error>?>(nil)

  /// - Throws: `ExecutionError.noDriver`, `ExecutionError.noRuntimeCompiler`, `CUDAFailure`.
  package static func first() throws -> (device: CUDADevice, compiler: RuntimeCompiler) {
    try opened.withLock { opened in
      if let opened { return try opened.get() }
      let result = Result { (try CUDADevice(), try RuntimeCompiler()) }
      opened = result
      return try result.get()
    }
  }
}
