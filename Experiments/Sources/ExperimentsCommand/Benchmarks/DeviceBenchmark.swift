// SPDX-License-Identifier: Apache-2.0
// bagel benchmark device: the ceilings of the GPU that the other benchmarks are compared with.

import ArgumentParser
import Bagel
import BagelCommand
import Execution
import Foundation

struct DeviceBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "device", abstract: "Measure what the GPU reaches at best.")

  @Option(help: "Megabytes to copy.") var megabytes = 1_024
  @OptionGroup var common: CommonOptions

  func validate() throws {
    if megabytes < 1 { throw ValidationError("--megabytes must be at least 1") }
  }

  func run() throws {
    let console = Console(common)
    let gpu = try CUDASystem.first()
    let peak = try CUDAPeak(gpu.device, gpu.compiler, bytes: megabytes << 20)
    console.say(
      "\(gpu.device.name): copies \(number(1e-9 * peak.bytesPerSecond)) GB/s, multiplies and adds "
        + "\(number(1e-9 * peak.flopPerSecond)) GFLOP/s in single precision")
    try console.finish([
      "device": gpu.device.name, "driver": gpu.device.driverVersion, "nvrtc": gpu.compiler.version,
      "bytesPerSecond": peak.bytesPerSecond, "flopPerSecond": peak.flopPerSecond,
      "multiprocessors": gpu.device.multiprocessors, "memoryBytes": gpu.device.memoryBytes,
    ])
  }
}
