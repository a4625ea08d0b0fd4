// SPDX-License-Identifier: Apache-2.0
// CUDA kernels without a GPU: run by the emulated one under every schedule, compiled by NVRTC where it is
// installed, and what the driver's failures become.

import Execution
import ExecutorChecks
import Foundation
import Programs
import Testing

@Suite("CUDA")
struct CUDATests {
  static let schedules = [
    CUDASchedule(lanes: 1), CUDASchedule(lanes: 4), CUDASchedule(lanes: 32),
    CUDASchedule(lanes: 32, particlesPerLane: 4),
    CUDASchedule(lanes: 32, particlesPerLane: 2, warps: 2),
  ]

  @Test("agrees with the interpreter", arguments: RolloutFixture.all, schedules)
  func agreement(fixture: RolloutFixture, schedule: CUDASchedule) throws {
    let checks = try ExecutorCheck.all(fixture, particles: 13, horizon: 7) {
      try EmulatedGPU.executor(fixture.program, data: fixture.data, schedule: schedule)
    }
    for check in checks { #expect(check.passes, "\(schedule): \(check)") }
  }
}

/// Machine code by the real NVRTC; skipped, and said so, where it is not installed.
@Suite("NVRTC", .enabled(if: (try? RuntimeCompiler()) != nil, "NVRTC is not installed"))
struct RuntimeCompilerTests {
  @Test(
    "every kernel compiles", arguments: RolloutFixture.all,
    CUDATests.schedules)
  func compiles(fixture: RolloutFixture, schedule: CUDASchedule) throws {
    let compiler = try RuntimeCompiler()
    let text = KernelSource(fixture.program, target: .cuda(schedule)).text
    for target in ["sm_80", "sm_90"] {
      let (code, log) = try compiler.compile(text, target: target)
      #expect(code.count > 1_000)
      print(fixture, schedule, target, log)
    }
  }
}
