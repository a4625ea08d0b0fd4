// SPDX-License-Identifier: Apache-2.0
// What can go wrong between a kernel's text and its numbers. Failed calls of a GPU's driver are `CUDAFailure`.

/// A kernel that cannot be compiled, loaded or given memory, or a GPU whose libraries are not there.
public enum ExecutionError: Error, CustomStringConvertible {
  case noCompiler(searched: [String])
  case compilation(log: String, source: String)
  case cache(path: String, reason: String)
  case loading(path: String, reason: String)
  case outOfMemory(bytes: Int)
  /// With what each candidate said.
  case noDriver(searched: [String])
  case noRuntimeCompiler(searched: [String])
  case deviceCompilation(log: String, lines: String, compiler: String)
  case policyTooWide(width: Int, largest: Int)

  public var description: String {
    switch self {
    case .noCompiler(let searched):
      """
      no clang found to compile the rollout kernel; looked for \(searched.joined(separator: ", ")).
      Install clang (Debian, Ubuntu: apt-get install clang; macOS: xcode-select --install), name one \
      with BAGEL_CLANG=/path/to/clang, or use the slow interpreter: --device interpreter
      """
    case .compilation(let log, let source):
      "the emitted kernel \(source) does not compile; this is a bug in BAGEL. clang says:\n\(log)"
    case .cache(let path, let reason): "kernel cache \(path): \(reason)"
    case .loading(let path, let reason): "cannot load \(path): \(reason)"
    case .outOfMemory(let bytes):
      "no memory for a buffer of \(bytes) bytes; use fewer particles or a shorter horizon"
    case .noDriver(let searched):
      """
      no GPU driver found; looked for \(searched.joined(separator: ", ")).
      Install NVIDIA's driver, name its library with BAGEL_CUDA_DRIVER=/path/to/libcuda.so.1, or use the \
      CPU: --device host
      """
    case .noRuntimeCompiler(let searched):
      """
      no CUDA run-time compiler (NVRTC) found; looked for \(searched.joined(separator: ", ")).
      Install one (pip install nvidia-cuda-nvrtc, in an active environment, or the CUDA toolkit), name it with \
      BAGEL_NVRTC=/path/to/libnvrtc.so, or use the CPU: --device host
      """
    case .deviceCompilation(let log, let lines, let compiler):
      "the emitted CUDA kernel does not compile; this is a bug in BAGEL. \(compiler) says:\n\(log)\n\(lines)"
    case .policyTooWide(let width, let largest):
      "a layer of \(width) neurons or inputs; on a GPU in this layout at most \(largest) fit into shared memory."
        + " --device host takes it"
    }
  }
}
