// SPDX-License-Identifier: Apache-2.0
// Every check of one device: all fixtures as the device would run them, and on a GPU under every layout, with all
// steps kept and with few. What throws is a check that failed, so that one failure does not hide the others.

import Execution

extension ExecutorCheck {
  /// - Parameter progress: called after every fixture with what has been checked.
  public static func device(
    _ device: ExecutionDevice, progress: ([ExecutorCheck]) -> Void = { _ in }
  ) -> [ExecutorCheck] {
    var checks: [ExecutorCheck] = []
    func check(
      _ fixture: RolloutFixture, _ layout: String, particles: Int = 21,
      make: () throws -> any RolloutExecutor
    ) {
      do {
        checks += try all(fixture, particles: particles, make: make)
      } catch {
        checks.append(
          ExecutorCheck(name: "\(fixture), \(layout): \(error)", error: .nan, bound: 0))
      }
      progress(checks)
    }
    for fixture in RolloutFixture.all {
      for particles in [21, 300] {
        check(fixture, "\(particles) particles", particles: particles) {
          try device.makeExecutor(
            fixture.program, data: fixture.data, particles: particles, horizon: 12)
        }
      }
    }
    for schedule in device == .cuda ? CUDASchedule.all : [] {
      for fixture in RolloutFixture.all where schedule.suits(fixture.program) {
        for budget in [CUDAMemoryPlan.defaultBudget, 1] {
          check(fixture, "\(schedule)") {
            let gpu = try CUDASystem.first()
            return try CUDAExecutor(
              fixture.program, data: fixture.data, device: gpu.device, compiler: gpu.compiler,
              schedule: schedule, tapeBudget: budget)
          }
        }
      }
    }
    return checks
  }
}
