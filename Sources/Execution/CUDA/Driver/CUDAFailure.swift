// SPDX-License-Identifier: Apache-2.0
// A failed call of the driver, in words: what was asked for, what the code means, what to try.

import Faults

/// A failed call of the driver.
package struct CUDAFailure: Fault {
  /// The driver's function.
  package let call: String
  /// CUresult
  package let code: Int32
  /// The driver's name of the code, such as CUDA_ERROR_OUT_OF_MEMORY.
  package let name: String
  package let device: String
  /// What was asked for, in words.
  package let request: String

  static let outOfMemory: Int32 = 2

  package var origin: FaultOrigin { .surroundings }

  package var statement: String {
    "\(device): \(call) failed with \(name) (\(code))\(request.isEmpty ? "" : ", asked for \(request)")"
  }

  package var remedy: Remedy? {
    // CUresult of cuda.h: 3 NOT_INITIALIZED, 35 INSUFFICIENT_DRIVER, 803 SYSTEM_DRIVER_MISMATCH, 804 COMPAT_NOT_SUPPORTED;
    // 100 NO_DEVICE, 101 INVALID_DEVICE; 200 INVALID_IMAGE, 209 NO_BINARY_FOR_GPU, 218 INVALID_PTX, 222
    // UNSUPPORTED_PTX_VERSION; 700 ILLEGAL_ADDRESS, 716 MISALIGNED_ADDRESS, 718 INVALID_PC, 719 LAUNCH_FAILED; 701
    // LAUNCH_OUT_OF_RESOURCES; 702 LAUNCH_TIMEOUT.
    switch code {
    case Self.outOfMemory:
      .text(
        "use fewer particles, or leave the GPU to this process (nvidia-smi shows other processes on it)"
      )
    case 3, 35, 803, 804:
      .text(
        "the driver does not match its library: restart the machine after a driver update, or update the driver"
      )
    case 100, 101: .text("the driver reports no such GPU (check nvidia-smi, CUDA_VISIBLE_DEVICES)")
    case 200, 209, 218, 222:
      .text(
        "the driver is too old for the kernels of the run-time compiler: update the driver, or give an "
          + "older compiler with BAGEL_NVRTC=/path/to/libnvrtc.so")
    case 700, 716, 718, 719:
      .either([.text("report the bug in BAGEL that broke the kernel"), .device("host")])
    case 701:
      .text(
        "the kernel needs more registers or shared memory than the GPU has: use a smaller policy")
    case 702:
      .text("the system's watchdog stopped the kernel: use fewer particles or a shorter horizon")
    default: nil
    }
  }
}
