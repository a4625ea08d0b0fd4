// SPDX-License-Identifier: Apache-2.0
// What can go wrong between a kernel's text and its numbers. Failed calls of a GPU's driver are `CUDAFailure`.

import Faults
import Foundation

/// A kernel that cannot be compiled, loaded or given memory, or a GPU whose libraries are not there.
package enum ExecutionError: Fault {
  case noCompiler(searched: [String])
  case compilation(log: String, source: String)
  /// A compiler that could not be started, or that somebody ended.
  case compilerFailed(compiler: String, reason: String)
  /// A folder of the cache that is not safe or cannot be used.
  case cache(path: String, reason: String, remedy: String)
  case loading(path: String, reason: String)
  case outOfMemory(bytes: Int)
  /// With what each candidate said.
  case noDriver(searched: [String])
  case noRuntimeCompiler(searched: [String])
  case deviceCompilation(log: String, lines: String, compiler: String)
  case policyTooWide(width: Int, largest: Int)

  package var origin: FaultOrigin { .surroundings }

  package var remedy: Remedy? {
    switch self {
    case .noCompiler: .either([.text(Self.clang), .device("interpreter")])
    case .noDriver: .either([.text(Self.driver), .device("host")])
    case .noRuntimeCompiler: .either([.text(Self.runtimeCompiler), .device("host")])
    case .policyTooWide: .device("host")
    case .cache(_, _, let remedy): .text(remedy)
    case .outOfMemory: .text("use fewer particles or a shorter horizon")
    case .compilation, .compilerFailed, .loading, .deviceCompilation: nil
    }
  }

  private static let clang =
    "install clang (Debian, Ubuntu: apt-get install clang; macOS: xcode-select --install), set its path with "
    + "BAGEL_CLANG=/path/to/clang"
  private static let driver =
    "install NVIDIA's driver, set its library with BAGEL_CUDA_DRIVER=/path/to/libcuda.so.1"
  private static let runtimeCompiler =
    "install one (pip install nvidia-cuda-nvrtc, in an active environment, or the CUDA toolkit), set its path with "
    + "BAGEL_NVRTC=/path/to/libnvrtc.so"

  package var statement: String {
    switch self {
    case .noCompiler(let searched):
      "no clang found to compile the rollout kernel; looked for \(searched.joined(separator: ", "))"
    case .compilation(let log, let source):
      """
      an emitted kernel does not compile; this is a bug in BAGEL. Please report it with the kernel's text, which is \
      kept in \(source). The compiler's message:
      \(log)
      """
    case .compilerFailed(let compiler, let reason):
      "the compiler \(compiler) did not finish a kernel: \(reason)"
    case .cache(let path, let reason, _):
      "kernel cache, \(path): \(reason)"
    case .loading(let path, let reason): "cannot load \(path): \(reason)"
    case .outOfMemory(let bytes):
      "no memory for a buffer of \(bytes) bytes"
    case .noDriver(let searched):
      "no GPU driver found; looked for \(searched.joined(separator: ", "))"
    case .noRuntimeCompiler(let searched):
      "no CUDA run-time compiler (NVRTC) found; looked for \(searched.joined(separator: ", "))"
    case .deviceCompilation(let log, let lines, let compiler):
      "the emitted CUDA kernel does not compile; this is a bug in BAGEL. Message of \(compiler):\n\(log)\n\(lines)"
    case .policyTooWide(let width, let largest):
      "a layer of \(width) neurons or inputs; on a GPU in this layout at most \(largest) fit into shared memory"
    }
  }
}

extension ExecutionError {
  /// A file or folder of the cache that could not be written.
  static func unwritten(_ path: String, _ errorNumber: Int32) -> ExecutionError {
    let isFull = errorNumber == ENOSPC || errorNumber == EDQUOT
    return .cache(
      path: path, reason: "it cannot be written: \(systemReason(errorNumber))",
      remedy: (isFull ? "free some space, or " : "") + "set XDG_CACHE_HOME=/other/folder")
  }

  /// What a compiler's failure means: a full disk, a compiler that was ended, or a kernel that is wrong.
  static func failed(
    _ compiler: String, status: Int, log: String, folder: String, source: () -> String
  ) -> ExecutionError {
    if log.contains("No space left on device") || log.contains("Disk quota exceeded") {
      return .unwritten(folder, log.contains("quota") ? EDQUOT : ENOSPC)
    }
    switch status {
    case 126, 127: return .compilerFailed(compiler: compiler, reason: "it cannot be run. \(log)")
    case 129...192:
      return .compilerFailed(
        compiler: compiler,
        reason: "it was ended by signal \(status - 128); is there enough memory? \(log)")
    default: return .compilation(log: log, source: source())
    }
  }

  /// Of a folder that cannot hold kernels.
  init(_ refusal: FolderRefusal) {
    switch refusal {
    case .unsafe(let path, let reason, let remedy):
      self = .cache(path: path, reason: reason, remedy: remedy)
    case .unusable(let path, let errorNumber): self = .unwritten(path, errorNumber)
    }
  }
}
