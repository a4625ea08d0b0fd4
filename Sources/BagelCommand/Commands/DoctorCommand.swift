// SPDX-License-Identifier: Apache-2.0
// bagel doctor: the tools and devices found on this machine, and how to install those that are missing.

import ArgumentParser
import Bagel
import Execution
import ExecutorChecks
import Foundation
import LinearAlgebra

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show the compiler, BLAS, CPU, GPUs and tools found, and what is missing.")

  @Option(
    help:
      "Also compare this device's kernels with the interpreter, in every supported layout.")
  var check: ExecutionDevice?
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let check, check != .host && check != .cuda {
      throw ValidationError("--check must be host or cuda")
    }
  }

  func run() throws {
    let console = Console(common)
    let blas = BLASConfiguration.current
    let features = cpuFeatures()
    let lanes = features.contains("avx512f") ? 16 : features.contains("avx") ? 8 : 4
    var result: [String: Any] = [
      "blas": blas.library, "blasCore": blas.coreType, "blasThreads": blas.threads,
      "vectorLanes": lanes, "cores": ProcessInfo.processInfo.activeProcessorCount,
    ]
    console.say("cores:     \(ProcessInfo.processInfo.activeProcessorCount)")
    console.say("vectors:   \(lanes) single-precision lanes")
    console.say(
      "BLAS:      \(blas.library.split(separator: " ").prefix(2).joined(separator: " ")), "
        + "core type \(blas.coreType), \(blas.threads) threads")
    if let advice = blas.advice {
      console.say("           \(advice)")
      result["blasAdvice"] = advice
    }
    do {
      let compiler = try HostCompiler.find()
      let version = try compiler.version()
      console.say("compiler:  \(compiler.path) (\(version))")
      result["compiler"] = compiler.path
      result["compilerVersion"] = version
    } catch {
      console.say("compiler:  none. \(words(of: error))")
      result["compiler"] = NSNull()
    }
    let canCompile = describeCache(console, &result)
    let gnuplot = Report.gnuplotPath
    console.say(
      "gnuplot:   \(gnuplot ?? "not found; reports have no pictures (apt-get install gnuplot-nox)")"
    )
    result["gnuplot"] = gnuplot ?? NSNull()
    result.merge(describeGPUs(console)) { $1 }
    try check?.checkAvailable()
    let passes = check.map { runChecks($0, console, &result) } ?? true
    try console.finish(result)
    if !passes || !canCompile { throw ExitCode.failure }
  }

  /// Where compiled kernels are kept, and why there. False where they cannot be kept: every command that compiles one fails
  /// then. The folder is made if it is missing, for only so it shows whether it can be.
  private func describeCache(_ console: Console, _ result: inout [String: Any]) -> Bool {
    do {
      let (folder, notes) = try KernelCache.standard.location()
      console.say("kernels:   cached in \(folder)")
      for note in notes { console.say("           since \(note)") }
      result.merge(["cache": folder, "cacheNotes": notes]) { $1 }
      return true
    } catch {
      console.say("kernels:   cannot be compiled: \(words(of: error))")
      result.merge(["cache": NSNull(), "cacheNotes": ["\(words(of: error))"]]) { $1 }
      return false
    }
  }

  /// GPUs and compiler, or where they were looked for.
  private func describeGPUs(_ console: Console) -> [String: Any] {
    var result: [String: Any] = [:]
    do {
      let devices = try CUDADevice.all()
      console.say("GPUs:      \(devices.isEmpty ? "none (the driver reports none)" : "")")
      for device in devices {
        console.say(
          "           \(device.name), compute capability \(device.architecture / 10).\(device.architecture % 10), "
            + "\(device.multiprocessors) multiprocessors, \(number(Double(device.memoryBytes) / 1e9)) GB, driver for CUDA "
            + "\(device.driverVersion) (\(device.libraryPath))")
      }
      result["gpus"] = devices.map(\.name)
    } catch {
      console.say("GPUs:      none. \(words(of: error))")
      result["gpus"] = [String]()
    }
    do {
      let compiler = try RuntimeCompiler()
      console.say("NVRTC:     \(compiler.version) (\(compiler.path))")
      result["nvrtc"] = compiler.version
    } catch {
      console.say("NVRTC:     none. \(words(of: error))")
      result["nvrtc"] = NSNull()
    }
    return result
  }

  /// Every executor check on one device; true if all pass.
  private func runChecks(
    _ device: ExecutionDevice, _ console: Console, _ result: inout [String: Any]
  ) -> Bool {
    let checks = ExecutorCheck.device(device) { done in
      for failure in done where !failure.passes { Console.error("\(failure)") }
    }
    let failures = checks.filter { !$0.passes }
    console.say(
      "checks:    \(checks.count - failures.count) of \(checks.count) pass on \(device.rawValue)")
    result["checks"] = checks.count
    result["checkFailures"] = failures.map(\.description)
    return failures.isEmpty
  }
}
