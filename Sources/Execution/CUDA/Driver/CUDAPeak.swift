// SPDX-License-Identifier: Apache-2.0
// The peak rates of a GPU, measured in the same run as the kernels that are compared with it: bytes per second of
// a large copy (read and written), multiply-adds per second in single precision from registers.

import Foundation

/// The measured ceilings of a GPU.
package struct CUDAPeak: Sendable {
  /// Bytes read and written a second.
  package let bytesPerSecond: Double
  /// Single-precision operations per second, a multiply-add counting two.
  package let flopPerSecond: Double

  private static let chains = 8
  private static let turns = 2_048

  /// CUDA C++ of the two kernels.
  package static let text = """
    typedef long int64_t;
    struct work { float4 *from, *to; int64_t count; };
    extern "C" __global__ void copy(const __grid_constant__ struct work w) {
      for (int64_t i = blockIdx.x * (int64_t)blockDim.x + threadIdx.x; i < w.count; i += gridDim.x * (int64_t)blockDim.x)
        w.to[i] = w.from[i];
    }
    extern "C" __global__ void multiply_add(const __grid_constant__ struct work w) {
      float x[\(chains)], factor = 0.999f + 1e-6f * threadIdx.x;
      #pragma unroll
      for (int c = 0; c < \(chains); ++c) x[c] = (float)c;
      for (int turn = 0; turn < \(turns); ++turn) {
        #pragma unroll
        for (int c = 0; c < \(chains); ++c) x[c] = x[c] * factor + 0.5f;
      }
      float sum = 0.f;
      #pragma unroll
      for (int c = 0; c < \(chains); ++c) sum += x[c];
      if (sum == -1.f) w.to[0].x = sum;  // never: keeps the work alive
    }
    """

  /// Measures, the best of ten of each.
  ///
  /// - Parameters:
  ///   - device: whose peak is measured.
  ///   - compiler: CUDA C -> cubin.
  ///   - bytes: of the copied array, several times the second-level cache.
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package init(
    _ device: CUDADevice, _ compiler: RuntimeCompiler, bytes: Int = 1 << 30
  ) throws {
    let code = try compiler.compile(
      Self.text, target: compiler.target(for: device.architecture)
    ).code
    let module = try device.load(code)
    let (copy, multiply) = (
      try device.kernel("copy", of: module), try device.kernel("multiply_add", of: module)
    )
    let from = try DeviceBuffer(device, bytes: bytes)
    let to = try DeviceBuffer(device, bytes: bytes)
    try device.clear(from.address, bytes: bytes)
    let argument = [from.address, to.address, UInt64(bytes / 16)]
    func seconds(_ kernel: CUDADevice.Kernel, blocks: Int) throws -> Double {
      var best = Double.infinity
      for _ in 0..<10 {
        try device.synchronize()
        let start = ContinuousClock.now
        try device.launch(kernel, blocks: blocks, threads: 256, argument: argument)
        try device.synchronize()
        best = min(best, start.duration(to: .now).seconds)
      }
      return best
    }
    let blocks = 8 * device.multiprocessors
    bytesPerSecond = 2 * Double(bytes) / (try seconds(copy, blocks: blocks))
    let work = 2.0 * Double(Self.chains * Self.turns) * Double(64 * blocks * 256)
    flopPerSecond = work / (try seconds(multiply, blocks: 64 * blocks))
  }
}
