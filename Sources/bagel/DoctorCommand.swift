// SPDX-License-Identifier: Apache-2.0
// bagel doctor: what was found on this machine, and what to do about what was not.

import ArgumentParser
import Bagel
import Foundation

struct DoctorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "doctor",
    abstract: "Show the compiler, BLAS, CPU and tools found, and what is missing.")

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(json: common.json)
    let blas = BLASConfiguration.current
    let features = cpuFeatures()
    let lanes = features.contains("avx512f") ? 16 : features.contains("avx") ? 8 : 4
    var result: [String: Any] = [
      "blas": blas.library, "blasCore": blas.coreType, "blasThreads": blas.threads,
      "vectorLanes": lanes, "cores": ProcessInfo.processInfo.activeProcessorCount,
      "cache": KernelCache.standard.folder,
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
      console.say("compiler:  none. \(error)")
      result["compiler"] = NSNull()
    }
    console.say("kernels:   cached in \(KernelCache.standard.folder)")
    let gnuplot = Report.gnuplotPath
    console.say(
      "gnuplot:   \(gnuplot ?? "not found; reports have no pictures (apt-get install gnuplot-nox)")"
    )
    result["gnuplot"] = gnuplot ?? NSNull()
    console.say("GPU:       not used by this version")
    try console.finish(result)
  }
}
