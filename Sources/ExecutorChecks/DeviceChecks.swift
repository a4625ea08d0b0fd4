// SPDX-License-Identifier: Apache-2.0
// Every check of one device: all fixtures as the device would run them, and on a GPU under every layout, with all
// steps kept and with few. What throws is a check that failed, so that one failure does not hide the others.

import Execution

extension ExecutorCheck {
  /// - Parameter progress: called with the checks of every fixture and layout as they are done.
  package static func device(
    _ device: ExecutionDevice, progress: ([ExecutorCheck]) -> Void = { _ in }
  ) -> [ExecutorCheck] {
    var checks: [ExecutorCheck] = []
    func check(
      _ fixture: RolloutFixture, _ layout: String, particles: Int = 21,
      make: () throws -> any RolloutExecutor
    ) {
      var found: [ExecutorCheck]
      do {
        found = try all(fixture, try make(), particles: particles)
      } catch {
        found = [ExecutorCheck(name: "\(fixture): \(error)", error: .nan, bound: 0)]
      }
      for i in found.indices { found[i].name += " (\(layout))" }
      checks += found
      progress(found)
    }
    for fixture in RolloutFixture.all {
      for particles in [21, 300] {
        check(fixture, "\(particles) particles", particles: particles) {
          try device.makeExecutor(
            fixture.program, data: fixture.data, particles: particles)
        }
      }
    }
    for schedule in device == .cuda ? CUDASchedule.all : [] {
      for fixture in RolloutFixture.all where schedule.suits(fixture.program) {
        for (words, budget) in [("all steps kept", CUDAMemoryPlan.defaultBudget), ("few", 1)] {
          check(fixture, "\(schedule), \(words)") {
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
