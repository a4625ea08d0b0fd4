// SPDX-License-Identifier: Apache-2.0
// Runs a rollout as emitted CUDA C++ on one GPU. Schedule and kernel are chosen by the number of particles.
// The shared arrays stay on the device, and so do the parameters while it ascends: an iteration then moves
// starts and goals there and five numbers back, and the host waits only at the end of several.

import Foundation
import Programs

/// Runs rollouts as compiled kernels on an NVIDIA GPU.
package final class CUDAExecutor: RolloutExecutor {
  package let rollout: RolloutProgram
  /// Seconds from program to loaded kernel of the last kernel loaded, and whether it came from the cache.
  package private(set) var loadSeconds = 0.0
  package private(set) var wasCached = false
  /// What the last launch used; nil before.
  package private(set) var plan: CUDAMemoryPlan?

  let gpu: CUDADevice
  let compiler: RuntimeCompiler
  private let cache: KernelCache
  private let fixedSchedule: CUDASchedule?
  private let tapePolicy: TapePolicy
  private let tapeBudget: Int
  private var data: [DeviceBuffer]
  private var kernels: [CUDASchedule: Kernels] = [:]
  private var workspace: CUDAWorkspace?

  /// One schedule's text and what was made of it.
  fileprivate struct Kernels {
    let source: KernelSource
    let returns: CUDADevice.Kernel
    let gradient: CUDADevice.Kernel?
    let transpose: CUDADevice.Kernel?
    let sum: CUDADevice.Kernel?
    let ascend: CUDADevice.Kernel?
  }

  /// - Parameters:
  ///   - rollout: what to run.
  ///   - data: values of the shared arrays, by name (all of `rollout.dataArrays`).
  ///   - device: whose driver is loaded.
  ///   - compiler: CUDA C -> cubin.
  ///   - schedule: nil for the one that suits the particles.
  ///   - tape: what a step keeps for its adjoint.
  ///   - tapeBudget: bytes that steps kept for the adjoint may take before only some are kept.
  ///   - cache: of compiled kernels.
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package init(
    _ rollout: RolloutProgram, data: [String: [Double]], device: CUDADevice,
    compiler: RuntimeCompiler, schedule: CUDASchedule? = nil,
    tape: TapePolicy = .expensiveValues, tapeBudget: Int = CUDAMemoryPlan.defaultBudget,
    cache: KernelCache = .standard
  ) throws {
    self.rollout = rollout
    gpu = device
    self.compiler = compiler
    self.cache = cache
    fixedSchedule = schedule
    tapePolicy = tape
    self.tapeBudget = tapeBudget
    self.data = try rollout.dataArrays.map {
      try DeviceBuffer(device, rollout.boundValues(of: $0, in: data).map(Float.init))
    }
  }

  /// Other values for one shared array, as many as before.
  ///
  /// Throws: `CUDAFailure`.
  package func rebind(_ name: String, _ values: [Double]) throws {
    guard let index = rollout.dataArrays.firstIndex(of: name) else {
      preconditionFailure("the kernel reads no shared array '\(name)'")
    }
    let count = data[index].bytes / MemoryLayout<Float>.size
    precondition(values.count == count, "'\(name)' has \(count) scalars, not \(values.count)")
    try data[index].write(values.map(Float.init))
  }

  package var device: String {
    gpu.name + (plan.map { ", \($0)" } ?? "")
  }

  package var iterationsInFlight: Int { 8 }

  package func fingerprint(particles: Int) -> String {
    let schedule = schedule(particles: particles)
    let text = KernelSource(rollout, tape: tapePolicy, target: .cuda(schedule)).text
    return "\(gpu.name) \(compiler.version) \(tapeBudget)\n\(text)"
  }

  private func schedule(particles: Int) -> CUDASchedule {
    fixedSchedule
      ?? CUDASchedule(for: rollout, particles: particles, multiprocessors: gpu.multiprocessors)
  }

  package func returns(_ batch: RolloutBatch) throws -> BatchReturns {
    let launch = try prepare([batch], parameters: batch.parameters, records: false)[0]
    try run(launch.kernels.returns, launch)
    return try results(launch)
  }

  package func trajectories(_ batch: RolloutBatch) throws -> BatchTrajectories {
    let launch = try prepare([batch], parameters: batch.parameters, records: true)[0]
    try run(launch.kernels.returns, launch)
    let returns = try results(launch)
    let (states, actions) = try launch.workspace.records(rollout, batch)
    return BatchTrajectories(
      returns: returns, states: states, actions: actions, particles: batch.particles,
      horizon: batch.horizon, carryLength: rollout.carryLength, actionLength: rollout.actionLength)
  }

  package func gradient(_ batch: RolloutBatch) throws -> BatchGradient {
    let launch = try prepare([batch], parameters: batch.parameters, records: false)[0]
    try differentiate(launch)
    try ascend(launch, ascent: nil, record: 0)
    let returns = try results(launch)
    let truncations = try launch.workspace.read("truncations", batch.particles)
    return BatchGradient(
      returns: returns, gradient: try launch.workspace.readGradient(rollout.parameterCount),
      truncated: truncations.count { $0 != 0 })
  }

  package func ascend(
    _ batches: [RolloutBatch], from ascent: inout Ascent
  ) throws -> [AscentRecord] {
    if batches.isEmpty { return [] }
    let launches = try prepare(batches, parameters: ascent.parameters, records: false)
    let workspace = launches[0].workspace
    try workspace.reserveRecords(batches.count)
    try workspace.write(ascent)
    for (index, launch) in launches.enumerated() {
      try differentiate(launch)
      ascent.adam.steps += 1
      try self.ascend(launch, ascent: ascent, record: index)
    }
    let records = try workspace.readRecords(batches.count)
    try workspace.read(&ascent)
    // After one that could not move none did; Adam's count is of those that did.
    let moved = records.prefix(while: \.hasMoved).count
    ascent.adam.steps -= records.count - moved
    return Array(records.prefix(moved + 1))
  }

  // MARK: One launch

  fileprivate struct Launch {
    let kernels: Kernels
    let workspace: CUDAWorkspace
    let plan: CUDAMemoryPlan
    let batch: RolloutBatch
    /// The bytes of the kernel's argument.
    let argument: [UInt64]
  }

  /// Launches of batches of one size, all their inputs on the device.
  private func prepare(
    _ batches: [RolloutBatch], parameters: [Double], records: Bool
  ) throws -> [Launch] {
    let (particles, horizon) = (batches[0].particles, batches[0].horizon)
    for batch in batches {
      batch.validate(for: rollout)
      precondition(
        batch.particles == particles && batch.horizon == horizon,
        "batches of \(batch.particles) x \(batch.horizon) and \(particles) x \(horizon) in one ascent"
      )
    }
    let schedule = schedule(particles: particles)
    let kernels = try load(schedule)
    let plan = CUDAMemoryPlan(
      kernels.source, schedule, rollout: rollout, particles: particles, horizon: horizon,
      multiprocessors: gpu.multiprocessors, budget: tapeBudget)
    self.plan = plan
    let workspace: CUDAWorkspace
    if let kept = self.workspace, kept.fits(plan, batches: batches.count, records: records) {
      workspace = kept
    } else {
      self.workspace = nil
      workspace = try CUDAWorkspace(
        gpu, plan, rollout: rollout, batches: batches.count, records: records)
      self.workspace = workspace
    }
    try workspace.write(batches, parameters: parameters, rollout: rollout)
    return batches.enumerated().map { index, batch in
      Launch(
        kernels: kernels, workspace: workspace, plan: plan, batch: batch,
        argument: workspace.argument(batch, index, rollout: rollout, data: data, records: records))
    }
  }

  private func differentiate(_ launch: Launch) throws {
    guard let gradient = launch.kernels.gradient else {
      preconditionFailure("the gradient of a rollout without parameters was asked for")
    }
    try run(gradient, launch)
  }

  private func run(_ kernel: CUDADevice.Kernel, _ launch: Launch) throws {
    if let transpose = launch.kernels.transpose {
      try gpu.launch(
        transpose, blocks: gpu.multiprocessors, threads: 128, argument: launch.argument)
    }
    try gpu.launch(
      kernel, blocks: launch.plan.blocks, threads: launch.plan.threads, argument: launch.argument)
  }

  /// Sums gradient and returns; with an ascent also moves the parameters.
  private func ascend(_ launch: Launch, ascent: Ascent?, record: Int) throws {
    guard let sum = launch.kernels.sum, let kernel = launch.kernels.ascend else { return }
    let argument = launch.workspace.ascentArgument(launch.batch, ascent: ascent, record: record)
    let count = CUDAAscent.sumParameters
    try gpu.launch(
      sum, blocks: (rollout.parameterCount + count - 1) / count, threads: CUDAAscent.sumThreads,
      argument: argument)
    try gpu.launch(kernel, blocks: 1, threads: CUDAAscent.threads, argument: argument)
  }

  private func results(_ launch: Launch) throws -> BatchReturns {
    let (workspace, batch) = (launch.workspace, launch.batch)
    let count = batch.particles
    let alive = try workspace.read("alive_steps", count)
    let outside = try workspace.read("outside_steps", count)
    let weights = batch.weights(for: rollout)
    return BatchReturns(
      totals: try workspace.read("totals", count * weights.count), weights: weights,
      diverged: alive.count { $0 < Double(batch.horizon) },
      outsideFraction: outside.reduce(0, +) / Double(count * batch.horizon))
  }

  // MARK: Kernels

  private func load(_ schedule: CUDASchedule) throws -> Kernels {
    if let kernels = kernels[schedule] { return kernels }
    let start = ContinuousClock.now
    let source = KernelSource(rollout, tape: tapePolicy, target: .cuda(schedule))
    let largest = schedule.widestLayer
    if source.widestLayer > largest {
      throw ExecutionError.policyTooWide(width: source.widestLayer, largest: largest)
    }
    let (code, wasCached) = try cache.machineCode(
      for: source.text, compiler: compiler, architecture: gpu.architecture)
    let module = try gpu.load(code)
    let isDifferentiated = rollout.parameterCount > 0
    let loaded = Kernels(
      source: source, returns: try gpu.kernel("bagel_returns", of: module),
      gradient: isDifferentiated ? try gpu.kernel("bagel_gradient", of: module) : nil,
      transpose: source.transposed.isEmpty ? nil : try gpu.kernel("bagel_transpose", of: module),
      sum: isDifferentiated ? try gpu.kernel("bagel_sum", of: module) : nil,
      ascend: isDifferentiated ? try gpu.kernel("bagel_ascend", of: module) : nil)
    kernels[schedule] = loaded
    (loadSeconds, self.wasCached) = (start.duration(to: .now).seconds, wasCached)
    return loaded
  }

  /// Registers per thread of the gradient kernel and bytes that did not fit into them; nil before the first launch.
  package var kernelResources: (registers: Int, localBytes: Int)? {
    guard let schedule = plan?.schedule, let kernel = kernels[schedule]?.gradient else {
      return nil
    }
    return (kernel.registers, kernel.localBytes)
  }
}
