// SPDX-License-Identifier: Apache-2.0
// Which kernels OpenBLAS runs. OpenBLAS 0.3.21 (Debian 12) does not know AMD's Zen 4 and Zen 5 and takes
// them for Haswell, at half the speed. Its choice is made when the library is loaded, before main, so
// setting OPENBLAS_CORETYPE in main is too late; but in builds with run-time dispatch the two functions
// that make and unmake the choice are exported, and calling them before the first product works.
// Measured on such a machine, single precision: 240 -> 460 GFLOP/s.

import COpenBLAS
import Foundation

/// What OpenBLAS is doing.
public struct BLASConfiguration: Sendable {
  /// "OpenBLAS 0.3.21 ..." as the library describes itself.
  public let library: String
  /// The core type whose kernels run.
  public let coreType: String
  /// The core type OpenBLAS took by itself, if BAGEL changed it.
  public let replacedCoreType: String?
  public let threads: Int

  /// Chooses AVX-512 kernels where the CPU has them, OpenBLAS has them, and OpenBLAS did not take them.
  /// Runs once; every entry point that uses BLAS heavily reads it first.
  public static let current: BLASConfiguration = {
    let taken = String(cString: openblas_get_corename())
    let replaced = useAVX512Kernels(insteadOf: taken) ? taken : nil
    return BLASConfiguration(
      library: String(cString: openblas_get_config()),
      coreType: String(cString: openblas_get_corename()), replacedCoreType: replaced,
      threads: Int(openblas_get_num_threads()))
  }()

  private static func useAVX512Kernels(insteadOf taken: String) -> Bool {
    #if os(Linux) && arch(x86_64)
      let olderCores = ["Haswell", "Zen", "Sandybridge", "Excavator", "Prescott", "Core2", "Nehalem"]
      guard olderCores.contains(taken), getenv("OPENBLAS_CORETYPE") == nil, hasAVX512(),
        let quit = dlsym(nil, "gotoblas_dynamic_quit"),
        let initialize = dlsym(nil, "gotoblas_dynamic_init")
      else { return false }
      typealias Function = @convention(c) () -> Void
      unsafeBitCast(quit, to: Function.self)()
      setenv("OPENBLAS_CORETYPE", "SkylakeX", 1)
      unsafeBitCast(initialize, to: Function.self)()
      unsetenv("OPENBLAS_CORETYPE")
      return true
    #else
      return false
    #endif
  }

  private static func hasAVX512() -> Bool {
    let flags = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
      .split(separator: "\n").first { $0.hasPrefix("flags") }?.split(separator: " ") ?? []
    return ["avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512cd"].allSatisfy {
      flags.contains(Substring($0))
    }
  }
}
