// SPDX-License-Identifier: Apache-2.0
// The few calls of NVIDIA's driver (libcuda) that rollouts need: one device, one stream, modules, memory,
// launches. In: a device number. Out: `CUDADevice`. Every call's code is checked; what a code means and what
// to try is said in `CUDAFailure`.

import Foundation

/// An opened GPU.
///
/// @unchecked: executors are used by one thread at a time, and every call makes the GPU that thread's own.
package final class CUDADevice: @unchecked Sendable {
  package let name: String
  /// Compute capability, such as 90 for 9.0.
  package let architecture: Int
  package let multiprocessors: Int
  package let memoryBytes: Int
  /// Highest CUDA version of the driver, such as "13.0".
  package let driverVersion: String
  package let libraryPath: String

  private let library: DynamicLibrary
  private let calls: CUDACalls
  private var context: OpaquePointer?
  private var stream: OpaquePointer?

  /// - Parameters:
  ///   - index: which of the visible GPUs.
  ///   - libraries: candidates for the driver's library.
  /// - Throws: `ExecutionError.noDriver`, `CUDAFailure`.
  package init(_ index: Int = 0, libraries: [String] = CUDALibraryPaths.driver) throws {
    library = try DynamicLibrary(firstOf: libraries) { .noDriver(searched: $0) }
    libraryPath = library.path
    let calls = try CUDACalls(library)
    self.calls = calls
    let check = Check(calls: calls, device: "the GPU driver \(library.path)")
    try check("cuInit", calls.initialize(0))
    var (version, count, device): (Int32, Int32, Int32) = (0, 0, 0)
    try check("cuDriverGetVersion", calls.driverVersion(&version))
    driverVersion = "\(version / 1_000).\(version % 1_000 / 10)"
    try check("cuDeviceGetCount", calls.deviceCount(&count))
    guard index < count else {
      throw CUDAFailure(
        call: "cuDeviceGet", code: 101, name: "CUDA_ERROR_INVALID_DEVICE",
        device: "the GPU driver \(library.path)", request: "GPU \(index) of \(count)")
    }
    try check("cuDeviceGet", calls.device(&device, Int32(index)))
    var text = [CChar](repeating: 0, count: 256)
    try check("cuDeviceGetName", calls.deviceName(&text, 256, device))
    name = String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    func attribute(_ which: Int32) throws -> Int {
      var value: Int32 = 0
      try check("cuDeviceGetAttribute", calls.attribute(&value, which, device))
      return Int(value)
    }
    multiprocessors = try attribute(16)  // CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT
    // CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR, _MINOR
    architecture = 10 * (try attribute(75)) + (try attribute(76))
    var bytes = 0
    try check("cuDeviceTotalMem", calls.totalMemory(&bytes, device))
    memoryBytes = bytes
    try check("cuDevicePrimaryCtxRetain", calls.retainContext(&context, device))
    try check("cuCtxSetCurrent", calls.setContext(context))
    try check("cuStreamCreate", calls.createStream(&stream, 1))
  }

  /// All GPUs that the driver sees.
  ///
  /// - Throws: `ExecutionError.noDriver`, `CUDAFailure`.
  package static func all() throws -> [CUDADevice] {
    var devices: [CUDADevice] = []
    while true {
      do {
        devices.append(try CUDADevice(devices.count))
      } catch let error as CUDAFailure where error.code == 100 || error.code == 101 {
        return devices
      }
    }
  }

  private func check(
    _ call: String, _ code: @autoclosure () -> Int32, _ request: @autoclosure () -> String = ""
  ) throws {
    let check = Check(calls: calls, device: name)
    try check("cuCtxSetCurrent", calls.setContext(context))
    let code = code()
    if code != 0 { try check(call, code, request()) }
  }

  // MARK: Kernels

  /// A kernel of a loaded module.
  struct Kernel: @unchecked Sendable {
    fileprivate let function: OpaquePointer?
    let name: String
    /// Registers per thread, and bytes per thread that did not fit into them.
    let registers: Int
    let localBytes: Int
  }

  /// Loads machine code (or PTX). Modules stay loaded until the process ends.
  func load(_ code: Data) throws -> OpaquePointer? {
    var module: OpaquePointer?
    try code.withUnsafeBytes { bytes in
      try check(
        "cuModuleLoadData", calls.loadModule(&module, bytes.baseAddress),
        "a kernel of \(code.count) bytes for compute capability \(architecture / 10).\(architecture % 10)"
      )
    }
    return module
  }

  func kernel(_ name: String, of module: OpaquePointer?) throws -> Kernel {
    var function: OpaquePointer?
    try check("cuModuleGetFunction", calls.function(&function, module, name), name)
    func attribute(_ which: Int32) throws -> Int {
      var value: Int32 = 0
      try check("cuFuncGetAttribute", calls.functionAttribute(&value, which, function))
      return Int(value)
    }
    // CU_FUNC_ATTRIBUTE_NUM_REGS, CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES
    return Kernel(
      function: function, name: name, registers: try attribute(4), localBytes: try attribute(3))
  }

  /// Puts a kernel behind what was launched before; does not wait for it.
  ///
  /// - Parameter argument: the bytes of its one argument.
  func launch(_ kernel: Kernel, blocks: Int, threads: Int, argument: [UInt64]) throws {
    try argument.withUnsafeBytes { bytes in
      var arguments: [UnsafeMutableRawPointer?] = [
        UnsafeMutableRawPointer(mutating: bytes.baseAddress)
      ]
      try check(
        "cuLaunchKernel",
        calls.launch(
          kernel.function, UInt32(blocks), 1, 1, UInt32(threads), 1, 1, 0, stream, &arguments, nil),
        "\(kernel.name) on \(blocks) blocks of \(threads) threads")
    }
  }

  /// Waits for everything launched, and reports what went wrong in it.
  func synchronize() throws { try check("cuStreamSynchronize", calls.synchronize(stream)) }

  // MARK: Memory

  var freeBytes: Int {
    get throws {
      var (free, total) = (0, 0)
      try check("cuMemGetInfo", calls.memoryInformation(&free, &total))
      return free
    }
  }

  func allocate(_ bytes: Int) throws -> UInt64 {
    var address: UInt64 = 0
    try check(
      "cuMemAlloc", calls.allocate(&address, bytes),
      "\(bytes) bytes of \((try? freeBytes) ?? 0) that are free")
    return address
  }

  func release(_ address: UInt64) {
    _ = calls.setContext(context)
    _ = calls.free(address)
  }

  func clear(_ address: UInt64, bytes: Int) throws {
    try check("cuMemsetD8Async", calls.clear(address, 0, bytes, stream))
  }

  func copy(_ bytes: UnsafeRawBufferPointer, to address: UInt64) throws {
    if bytes.isEmpty { return }
    try check(
      "cuMemcpyHtoDAsync", calls.copyToDevice(address, bytes.baseAddress, bytes.count, stream))
    try synchronize()
  }

  func copy(from address: UInt64, to bytes: UnsafeMutableRawBufferPointer) throws {
    if bytes.isEmpty { return }
    try check(
      "cuMemcpyDtoHAsync", calls.copyToHost(bytes.baseAddress, address, bytes.count, stream))
    try synchronize()
  }

  /// Turns a call's code into an error.
  private struct Check {
    let calls: CUDACalls
    let device: String

    func callAsFunction(_ call: String, _ code: Int32, _ request: String = "") throws {
      if code == 0 { return }
      var text: UnsafePointer<CChar>?
      _ = calls.errorName(code, &text)
      throw CUDAFailure(
        call: call, code: code, name: text.map { String(cString: $0) } ?? "error \(code)",
        device: device, request: request)
    }
  }
}
