// SPDX-License-Identifier: Apache-2.0
// Which executor runs a rollout: the user's choice, or one chosen by the size of the work.

import Faults
import Programs

/// Where rollouts run.
package enum ExecutionDevice: String, Sendable, CaseIterable, Codable {
  /// Emitted C on all cores.
  case host
  /// Emitted CUDA C++ on an NVIDIA GPU.
  case cuda
  /// The interpreter in double precision; slow, needs no compiler.
  case interpreter

  /// Operations an iteration from which a GPU is chosen: some 10 ms of two cores, where by estimate a GPU is
  /// ahead (not measured). By work and not by a stopwatch, so that the same seed runs on the same device.
  package static let operationsWorthAGPU = 2e9

  /// Finds out before long work whether the device that was asked for is there.
  ///
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package func checkAvailable() throws {
    switch self {
    case .interpreter: break
    case .host: _ = try HostCompiler.find()
    case .cuda: _ = try CUDASystem.first()
    }
  }

  /// The device that was asked for, or else a GPU where there is one and an iteration is large enough to gain by it, or the
  /// host; and why where that is worth saying.
  ///
  /// - Parameters:
  ///   - asked: nil where the work decides.
  ///   - rollout: what runs.
  ///   - particles: B of an iteration.
  ///   - horizon: H of an iteration.
  package static func chosen(
    _ asked: ExecutionDevice?, for rollout: RolloutProgram, particles: Int, horizon: Int
  ) -> (device: ExecutionDevice, reason: String?) {
    if let asked { return (asked, nil) }
    let operations = rollout.operationsPerStep.gradient * Double(particles * horizon)
    let work = "an iteration of \(Int((operations / 1e6).rounded())) million operations"
    let hasCompiler = (try? HostCompiler.find()) != nil
    if hasCompiler && operations < operationsWorthAGPU { return (.host, nil) }
    do {
      let gpu = try CUDASystem.first()
      let schedule = CUDASchedule(
        for: rollout, particles: particles, multiprocessors: gpu.device.multiprocessors)
      let width = KernelSource(rollout).widestLayer
      if width > schedule.widestLayer {
        let error = ExecutionError.policyTooWide(width: width, largest: schedule.widestLayer)
        return (.host, error.statement)
      }
      return (
        .cuda,
        hasCompiler
          ? "\(work) is faster on \(gpu.device.name)" : "no C compiler, but \(gpu.device.name)"
      )
    } catch ExecutionError.noDriver {
      return (.host, nil)
    } catch {
      return (.host, "the GPU cannot be used: \((error as? any Fault)?.statement ?? "\(error)")")
    }
  }

  /// An executor on the device that was asked for, or on the one that suits the work.
  ///
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package static func makeExecutor(
    on asked: ExecutionDevice?, _ rollout: RolloutProgram, data: [String: [Double]],
    particles: Int, horizon: Int
  ) throws -> any RolloutExecutor {
    try chosen(asked, for: rollout, particles: particles, horizon: horizon).device
      .makeExecutor(rollout, data: data, particles: particles)
  }

  /// An executor for a rollout.
  ///
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package func makeExecutor(
    _ rollout: RolloutProgram, data: [String: [Double]], particles: Int
  ) throws -> any RolloutExecutor {
    switch self {
    case .host: return try HostExecutor(rollout, data: data, particles: particles)
    case .cuda:
      let gpu = try CUDASystem.first()
      return try CUDAExecutor(rollout, data: data, device: gpu.device, compiler: gpu.compiler)
    case .interpreter: return InterpreterExecutor(rollout, data: data)
    }
  }
}
