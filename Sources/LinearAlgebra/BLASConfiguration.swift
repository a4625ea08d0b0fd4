// SPDX-License-Identifier: Apache-2.0
// Which kernels OpenBLAS runs. It chooses them when it is loaded, before main, by the CPU or by
// OPENBLAS_CORETYPE. A variable left over from elsewhere costs a factor of two: on an AVX-512 machine
// OpenBLAS 0.3.21 runs Cooperlake kernels at 420-450 GFLOP/s (single precision, 2 cores), but 225-240 under
// OPENBLAS_CORETYPE=Haswell. Rejected: replacing the choice from inside the process (possible through
// OpenBLAS's private gotoblas_dynamic_init); who sets the variable wants those bits.

import COpenBLAS
import Foundation

/// What OpenBLAS is doing.
public struct BLASConfiguration: Sendable {
  /// "OpenBLAS 0.3.21 ..." as the library describes itself.
  public let library: String
  /// The core type whose kernels run.
  public let coreType: String
  public let threads: Int
  /// Something that makes it slow, and what to do about it.
  public let advice: String?

  public static var current: BLASConfiguration {
    let coreType = String(cString: openblas_get_corename())
    let forced = ProcessInfo.processInfo.environment["OPENBLAS_CORETYPE"]
    let older = ["Haswell", "Zen", "Sandybridge", "Excavator", "Prescott", "Core2", "Nehalem"]
    var advice: String?
    if older.contains(coreType), cpuFeatures().isSuperset(of: ["avx512f", "avx512bw", "avx512vl"]) {
      advice =
        forced == nil
        ? "this CPU has AVX-512 and OpenBLAS did not see it; set OPENBLAS_CORETYPE=SkylakeX"
        : "OPENBLAS_CORETYPE=\(coreType) is set, but this CPU has AVX-512; unset it (up to 2 x faster)"
    }
    return BLASConfiguration(
      library: String(cString: openblas_get_config()), coreType: coreType,
      threads: Int(openblas_get_num_threads()), advice: advice)
  }
}

/// The CPU's feature flags as Linux names them; empty elsewhere.
public func cpuFeatures() -> Set<String> {
  let line = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
    .split(separator: "\n").first { $0.hasPrefix("flags") }
  return Set((line ?? "").split(separator: " ").map(String.init))
}

/// Seconds of one single-precision product of two square matrices: the machine's peak for benchmarks.
public func singlePrecisionProductSeconds(size n: Int) -> Double {
  let a = [Float](repeating: 0.5, count: n * n)
  var c = [Float](repeating: 0, count: n * n)
  let start = ContinuousClock.now
  cblas_sgemm(
    CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(n), blasint(n), blasint(n), 1, a,
    blasint(n), a, blasint(n), 0, &c, blasint(n))
  let elapsed = start.duration(to: .now).components
  return Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18
}

/// Keeps freed memory in the process, for programs that fit models.
///
/// A fit allocates and frees matrices of 40 MB many times. By default glibc maps and unmaps each, at 10,000
/// page faults a matrix; kept in the heap, a fit of two outputs on 2,200 points takes 2.4 s instead of 3.0 s.
public func keepFreedMemory() {
  #if os(Linux)
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, Int32.max)
  #endif
}
