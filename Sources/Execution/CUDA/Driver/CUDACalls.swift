// SPDX-License-Identifier: Apache-2.0
// The C signatures of the driver's functions, found in its library by name (CUDA driver API, cuda.h).

/// The driver's functions; handles are opaque pointers, device addresses 64-bit numbers, results CUresult.
struct CUDACalls {
  typealias Handle = UnsafeMutablePointer<OpaquePointer?>
  typealias Number = UnsafeMutablePointer<Int32>
  let initialize: @convention(c) (UInt32) -> Int32
  let driverVersion: @convention(c) (Number) -> Int32
  let deviceCount: @convention(c) (Number) -> Int32
  let device: @convention(c) (Number, Int32) -> Int32
  let deviceName: @convention(c) (UnsafeMutablePointer<CChar>, Int32, Int32) -> Int32
  let attribute: @convention(c) (Number, Int32, Int32) -> Int32
  let totalMemory: @convention(c) (UnsafeMutablePointer<Int>, Int32) -> Int32
  let retainContext: @convention(c) (Handle, Int32) -> Int32
  let setContext: @convention(c) (OpaquePointer?) -> Int32
  let createStream: @convention(c) (Handle, UInt32) -> Int32
  let loadModule: @convention(c) (Handle, UnsafeRawPointer?) -> Int32
  let function: @convention(c) (Handle, OpaquePointer?, UnsafePointer<CChar>) -> Int32
  let functionAttribute: @convention(c) (Number, Int32, OpaquePointer?) -> Int32
  let launch:
    @convention(c) (
      OpaquePointer?, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, UInt32, OpaquePointer?,
      UnsafeMutablePointer<UnsafeMutableRawPointer?>, UnsafeRawPointer?
    ) -> Int32
  let synchronize: @convention(c) (OpaquePointer?) -> Int32
  let memoryInformation:
    @convention(c) (UnsafeMutablePointer<Int>, UnsafeMutablePointer<Int>) -> Int32
  let allocate: @convention(c) (UnsafeMutablePointer<UInt64>, Int) -> Int32
  let free: @convention(c) (UInt64) -> Int32
  let clear: @convention(c) (UInt64, UInt8, Int, OpaquePointer?) -> Int32
  let copyToDevice: @convention(c) (UInt64, UnsafeRawPointer?, Int, OpaquePointer?) -> Int32
  let copyToHost: @convention(c) (UnsafeMutableRawPointer?, UInt64, Int, OpaquePointer?) -> Int32
  let errorName: @convention(c) (Int32, UnsafeMutablePointer<UnsafePointer<CChar>?>) -> Int32

  init(_ library: DynamicLibrary) throws {
    initialize = try library.function("cuInit")
    driverVersion = try library.function("cuDriverGetVersion")
    deviceCount = try library.function("cuDeviceGetCount")
    device = try library.function("cuDeviceGet")
    deviceName = try library.function("cuDeviceGetName")
    attribute = try library.function("cuDeviceGetAttribute")
    totalMemory = try library.function("cuDeviceTotalMem_v2")
    retainContext = try library.function("cuDevicePrimaryCtxRetain")
    setContext = try library.function("cuCtxSetCurrent")
    createStream = try library.function("cuStreamCreate")
    loadModule = try library.function("cuModuleLoadData")
    function = try library.function("cuModuleGetFunction")
    functionAttribute = try library.function("cuFuncGetAttribute")
    launch = try library.function("cuLaunchKernel")
    synchronize = try library.function("cuStreamSynchronize")
    memoryInformation = try library.function("cuMemGetInfo_v2")
    allocate = try library.function("cuMemAlloc_v2")
    free = try library.function("cuMemFree_v2")
    clear = try library.function("cuMemsetD8Async")
    copyToDevice = try library.function("cuMemcpyHtoDAsync_v2")
    copyToHost = try library.function("cuMemcpyDtoHAsync_v2")
    errorName = try library.function("cuGetErrorName")
  }
}
