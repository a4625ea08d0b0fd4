// SPDX-License-Identifier: Apache-2.0
// A batch's memory on a GPU, kept between launches, and the kernels' arguments that point into it. Arguments are
// the emitted structures `arguments` (CUDALoops.swift) and `ascent` (CUDAAscent.swift), word for word.

import Programs

final class CUDAWorkspace {
  let gradient: DeviceBuffer
  let returns, outside, alive, truncations: DeviceBuffer
  private let parameters, starts, goals, functions: DeviceBuffer
  private let gradients, warpGradients, states, actions: DeviceBuffer
  private let tape, checkpoints, scratch, transposed: DeviceBuffer
  /// Parameters and Adam's moments in double precision.
  private let ascending: [DeviceBuffer]
  private var records: DeviceBuffer
  private let device: CUDADevice
  private let plan: CUDAMemoryPlan
  /// Batches whose inputs it holds.
  private let batches: Int
  private let hasRecords: Bool

  init(
    _ device: CUDADevice, _ plan: CUDAMemoryPlan, rollout: RolloutProgram, source: KernelSource,
    batches: Int, records hasRecords: Bool
  ) throws {
    self.device = device
    self.plan = plan
    self.batches = batches
    self.hasRecords = hasRecords
    func floats(_ count: Int) throws -> DeviceBuffer {
      try DeviceBuffer(device, bytes: count * MemoryLayout<Float>.size)
    }
    func doubles(_ count: Int) throws -> DeviceBuffer {
      try DeviceBuffer(device, bytes: count * MemoryLayout<Double>.size)
    }
    let particles = plan.tiles * plan.schedule.particlesPerTile
    let count = rollout.parameterCount
    parameters = try floats(count)
    starts = try floats(batches * plan.particles * rollout.stateLength)
    goals = try floats(batches * plan.particles * rollout.goalLength)
    functions = try floats(batches * particles * rollout.functionLength)
    returns = try floats(particles)
    outside = try floats(particles)
    alive = try floats(particles)
    truncations = try floats(particles)
    gradients = try floats(plan.blocks * count)
    warpGradients = try floats(plan.schedule.warps > 1 ? 0 : plan.tiles * count)
    let recorded = hasRecords ? particles : 0
    states = try floats((plan.horizon + 1) * recorded * rollout.stateLength)
    actions = try floats(plan.horizon * recorded * rollout.actionLength)
    tape = try DeviceBuffer(device, bytes: plan.tapeBytes)
    checkpoints = try DeviceBuffer(device, bytes: plan.checkpointBytes)
    scratch = try DeviceBuffer(device, bytes: plan.scratchBytes)
    transposed = try floats(source.transposed.reduce(0) { $0 + $1.rows * $1.columns })
    gradient = try doubles(count)
    ascending = try (0..<3).map { _ in try doubles(count) }
    records = try doubles(CUDAAscent.recordLength)
  }

  /// Whether batches of this plan can use it.
  func fits(_ other: CUDAMemoryPlan, batches count: Int, records: Bool) -> Bool {
    other == plan && batches >= count && (hasRecords || !records)
  }

  // MARK: In

  /// Parameters, and every batch's starts, goals and function draws, one batch after the other.
  func write(_ batches: [RolloutBatch], parameters: [Double], rollout: RolloutProgram) throws {
    try self.parameters.write(parameters.map(Float.init))
    try starts.write(batches.flatMap { $0.initialStates.map(Float.init) })
    try goals.write(batches.flatMap { $0.goals.map(Float.init) })
    if rollout.functionLength > 0 {
      try functions.write(batches.flatMap { packedFunctions($0, rollout) })
    }
  }

  /// Function draws [B, F] -> [tiles][F][T W].
  private func packedFunctions(_ batch: RolloutBatch, _ rollout: RolloutProgram) -> [Float] {
    let (length, width) = (rollout.functionLength, plan.schedule.particlesPerTile)
    var packed = [Float](repeating: 0, count: plan.tiles * length * width)
    for particle in 0..<batch.particles {
      let to = particle / width * length * width + particle % width
      for i in 0..<length {
        packed[to + i * width] = Float(batch.functionDraws[particle * length + i])
      }
    }
    return packed
  }

  func write(_ ascent: Ascent) throws {
    let values = [ascent.parameters, ascent.adam.firstMoment, ascent.adam.secondMoment]
    for (buffer, values) in zip(ascending, values) { try buffer.write(values) }
  }

  func reserveRecords(_ count: Int) throws {
    let bytes = count * CUDAAscent.recordLength * MemoryLayout<Double>.size
    if records.bytes < bytes { records = try DeviceBuffer(device, bytes: bytes) }
  }

  // MARK: Out

  func read(_ ascent: inout Ascent) throws {
    let count = ascent.parameters.count
    ascent.parameters = try ascending[0].read(count, of: 0)
    ascent.adam.firstMoment = try ascending[1].read(count, of: 0)
    ascent.adam.secondMoment = try ascending[2].read(count, of: 0)
  }

  func readRecords(_ count: Int) throws -> [AscentRecord] {
    let length = CUDAAscent.recordLength
    let numbers = try records.read(count * length, of: 0.0)
    return (0..<count).map { i in
      let record = numbers[i * length..<(i + 1) * length].map { $0 }
      return AscentRecord(
        meanReturn: record[0], gradientNorm: record[1], diverged: Int(record[2]),
        truncated: Int(record[3]), hasMoved: record[5] > 0)
    }
  }

  /// States [H + 1, B, S] and actions [H, B, U] of the last recorded run.
  func records(
    _ rollout: RolloutProgram, _ batch: RolloutBatch
  ) throws -> (states: [Double], actions: [Double]) {
    let (count, horizon) = (batch.particles, batch.horizon)
    let states = try states.read((horizon + 1) * count * rollout.stateLength, of: Float(0))
    let actions = try actions.read(horizon * count * rollout.actionLength, of: Float(0))
    return (states.map(Double.init), actions.map(Double.init))
  }

  // MARK: Arguments

  /// - Parameter index: which of the batches written.
  func argument(
    _ batch: RolloutBatch, _ index: Int, rollout: RolloutProgram, data: [DeviceBuffer],
    records: Bool
  ) -> [UInt64] {
    func start(_ buffer: DeviceBuffer, _ numbers: Int) -> UInt64 {
      buffer.address + UInt64(index * numbers * MemoryLayout<Float>.size)
    }
    let lanes = plan.tiles * plan.schedule.particlesPerTile
    let inputs = [
      parameters.address, start(starts, batch.particles * rollout.stateLength),
      start(goals, batch.particles * rollout.goalLength),
      start(functions, lanes * rollout.functionLength),
    ]
    let rest = [
      returns, outside, alive, gradients, states, actions, truncations, tape, checkpoints,
      warpGradients, scratch, transposed,
    ]
    var words = inputs + (rest + data).map(\.address)
    if !records { words[KernelSource.stateRecordSlot] = 0 }
    return words + [
      UInt64(batch.particles), UInt64(batch.horizon), UInt64(plan.segment), batch.draws.seed,
      UInt64(batch.draws.iteration),
    ]
  }

  /// - Parameter ascent: nil to sum without moving.
  func ascentArgument(
    _ batch: RolloutBatch, ascent: Ascent?, record: Int
  ) -> [UInt64] {
    let buffers = [gradients, returns, outside, alive, truncations] + ascending + [gradient]
    let recordBytes = record * CUDAAscent.recordLength * MemoryLayout<Double>.size
    let corrections = ascent?.adam.corrections ?? (1, 1)
    return buffers.map(\.address) + [
      records.address + UInt64(recordBytes), parameters.address, UInt64(plan.blocks),
      UInt64(batch.particles), UInt64(batch.horizon), ascent == nil ? 0 : 1,
      (ascent?.rate ?? 0).bitPattern, (ascent?.gradientNorm ?? .infinity).bitPattern,
      corrections.0.bitPattern, corrections.1.bitPattern,
    ]
  }
}
