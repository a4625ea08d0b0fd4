// SPDX-License-Identifier: Apache-2.0
// Which kernels OpenBLAS runs. It chooses them when it is loaded, before main, by the CPU or by OPENBLAS_CORETYPE. A CPU that is newer
// than the library gets the oldest kernels there are: on an Intel of model 207 OpenBLAS 0.3.21 runs Prescott's (SSE3), and a search of four
// inputs took 102 s instead of 45 s. So a program restarts with the variable set where the kernels are older than the CPU. A
// variable left over from elsewhere costs a factor of two: on an AVX-512 machine Cooperlake kernels do 420-450 GFLOP/s (single
// precision, 2 cores), but 225-240 under OPENBLAS_CORETYPE=Haswell; who sets it wants those bits. Rejected: replacing the choice from
// inside the process (possible through OpenBLAS's private gotoblas_dynamic_init).

import CBLAS
import Foundation

/// What OpenBLAS is doing.
package struct BLASConfiguration: Sendable {
  /// "OpenBLAS 0.3.21 ..." as the library describes itself.
  package let library: String
  /// The core type whose kernels run.
  package let coreType: String
  package let threads: Int
  /// Something that makes it slow, and what to do about it.
  package let advice: String?

  package static var current: BLASConfiguration {
    #if os(macOS)
      BLASConfiguration(library: "Accelerate", coreType: "Apple's own", threads: 1, advice: nil)
    #else
      openBLAS
    #endif
  }

  #if !os(macOS)
    private static var openBLAS: BLASConfiguration {
      let coreType = String(cString: openblas_get_corename())
      let forced = ProcessInfo.processInfo.environment[variable]
      let advice = newerCoreType(than: coreType).map { newer in
        forced == nil
          ? "OpenBLAS uses kernels of an older CPU than this one; set \(variable)=\(newer)"
          : "\(variable)=\(coreType) is set, but this CPU supports faster kernels; unset it (\(newer) is up to 2 x faster)"
      }
      return BLASConfiguration(
        library: String(cString: openblas_get_config()), coreType: coreType,
        threads: Int(openblas_get_num_threads()), advice: advice)
    }
  #endif

  private static let variable = "OPENBLAS_CORETYPE"
  /// Set while a process begins again.
  private static let marker = "BAGEL_CORETYPE_FOUND"
  /// Core types with AVX2 and without AVX-512, and those without either.
  private static let older: Set = ["Haswell", "Zen", "Excavator"]
  private static let oldest: Set = [
    "Generic", "Prescott", "Core2", "Penryn", "Dunnington", "Nehalem", "Atom", "Nano", "Katmai",
    "Coppermine", "Northwood", "Banias", "Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat",
    "Sandybridge", "Bulldozer", "Piledriver", "Steamroller",
  ]

  /// The core type that this CPU's features allow in place of an older one; nil where none is newer.
  private static func newerCoreType(than coreType: String) -> String? {
    let features = cpuFeatures()
    let names = older.union(oldest)
    if names.contains(coreType), features.isSuperset(of: ["avx512f", "avx512bw", "avx512vl"]) {
      return "SkylakeX"
    }
    return oldest.contains(coreType) && features.isSuperset(of: ["avx2", "fma"]) ? "Haswell" : nil
  }

  /// First in main: begins the process again, as the same one to everybody else, where OpenBLAS did not know the CPU and nobody told it
  /// which kernels to run.
  package static func restartWhereCPUIsUnknown() {
    #if os(Linux)
      if getenv(marker) != nil {
        // The choice is made; programs that BAGEL starts make their own.
        unsetenv(marker)
        unsetenv(variable)
        return
      }
      guard getenv(variable) == nil,
        String(cString: openblas_get_config()).contains("DYNAMIC_ARCH"),
        let newer = newerCoreType(than: String(cString: openblas_get_corename())),
        // By its own path: it goes on under its own name.
        let path = try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      else { return }
      setenv(variable, newer, 1)
      setenv(marker, "1", 1)
      _ = execv(path, CommandLine.unsafeArgv)
      // It does not return, unless it failed: then kernels are slow and right.
      unsetenv(variable)
      unsetenv(marker)
    #endif
  }
}

/// The CPU's feature flags as Linux names them; empty elsewhere.
package func cpuFeatures() -> Set<String> {
  let line = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
    .split(separator: "\n").first { $0.hasPrefix("flags") }
  return Set((line ?? "").split(separator: " ").map(String.init))
}

/// Seconds of one single-precision product of two square matrices: the machine's peak for benchmarks.
package func singlePrecisionProductSeconds(size n: Int) -> Double {
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
package func keepFreedMemory() {
  #if os(Linux)
    mallopt(M_MMAP_THRESHOLD, 1 << 30)
    mallopt(M_TRIM_THRESHOLD, Int32.max)
  #endif
}
