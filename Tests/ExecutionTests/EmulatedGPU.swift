// SPDX-License-Identifier: Apache-2.0
// The emulated GPU of Tests/EmulatedCUDA as a device: compiled once a run; every caller gets its own copy of the
// library, so that failures asked for in one test are not met in another.

import Execution
import Foundation
import Programs
import TestSupport

enum EmulatedGPU {
  private static let library: Result<String, any Error> = Result {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("EmulatedCUDA").path
    setenv("EMULATED_DEVICE_HEADER", folder + "/emulated_device.h", 1)
    let object = Scratch.path("emulated-cuda.so")
    let compiler = Process()
    setenv("EMULATED_CLANG", try HostCompiler.find().path, 1)
    compiler.executableURL = URL(fileURLWithPath: try HostCompiler.find().path)
    compiler.arguments = [
      "-O1", "-fPIC", "-shared", "-w", "-o", object, folder + "/emulated_cuda.c", "-ldl",
    ]
    try compiler.run()
    compiler.waitUntilExit()
    guard compiler.terminationStatus == 0 else {
      throw ExecutionError.loading(path: object, reason: "the emulated GPU does not compile")
    }
    return object
  }

  /// A path of its own for the library.
  static func ownLibrary() throws -> String {
    let copy = Scratch.path("emulated-cuda.so")
    try FileManager.default.copyItem(atPath: library.get(), toPath: copy)
    return copy
  }

  /// A device and its compiler.
  static func open() throws -> (device: CUDADevice, compiler: RuntimeCompiler, library: String) {
    let path = try ownLibrary()
    return (try CUDADevice(libraries: [path]), try RuntimeCompiler(libraries: [path]), path)
  }

  static func executor(
    _ program: RolloutProgram, data: [String: [Double]], schedule: CUDASchedule? = nil,
    tape: TapePolicy = .expensiveValues, tapeBudget: Int = CUDAMemoryPlan.defaultBudget
  ) throws -> CUDAExecutor {
    let gpu = try open()
    return try CUDAExecutor(
      program, data: data, device: gpu.device, compiler: gpu.compiler,
      schedule: schedule, tape: tape, tapeBudget: tapeBudget, cache: cache)
  }

  /// One cache for all tests of a run.
  static let cache = KernelCache(folder: Scratch.path("kernels"))
}
