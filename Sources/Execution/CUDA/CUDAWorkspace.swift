// SPDX-License-Identifier: Apache-2.0
// A batch's memory on a GPU, kept between launches, and the kernels' arguments that point into it. Arguments are
// the emitted structures `arguments` (CUDALoops.swift) and `ascent` (CUDAAscent.swift), word for word.

import Programs

final class CUDAWorkspace {
  /// By their names in the emitted text.
  private let buffers: [String: DeviceBuffer]
  /// Records of iterations [count][CUDAAscent.recordLength].
  private var records: DeviceBuffer
  private let device: CUDADevice
  private let plan: CUDAMemoryPlan
  /// Batches whose inputs it holds.
  private let batches: Int
  private let hasRecords: Bool

  init(
    _ device: CUDADevice, _ plan: CUDAMemoryPlan, rollout: RolloutProgram, batches: Int,
    records hasRecords: Bool
  ) throws {
    self.device = device
    self.plan = plan
    self.batches = batches
    self.hasRecords = hasRecords
    let sizes = plan.sizes(records: hasRecords)
    var buffers: [String: DeviceBuffer] = [:]
    for argument in KernelArguments.rollout + CUDAMemoryPlan.arguments + CUDAAscent.own {
      let copies = argument.access == .readPerBatch ? batches : 1
      buffers[argument.name] = try DeviceBuffer(
        device, bytes: copies * argument.count(sizes) * argument.element.bytes)
    }
    self.buffers = buffers
    records = try DeviceBuffer(
      device, bytes: CUDAAscent.recordLength * MemoryLayout<Double>.size)
  }

  private subscript(_ name: String) -> DeviceBuffer {
    guard let buffer = buffers[name] else { preconditionFailure("no buffer '\(name)' on the GPU") }
    return buffer
  }

  /// Whether batches of this plan can use it.
  func fits(_ other: CUDAMemoryPlan, batches count: Int, records: Bool) -> Bool {
    other == plan && batches >= count && (hasRecords || !records)
  }

  // MARK: In

  /// Parameters, and every batch's starts, goals, function draws and weights, one batch after the other.
  func write(_ batches: [RolloutBatch], parameters: [Double], rollout: RolloutProgram) throws {
    try self["parameters"].write(parameters.map(Float.init))
    try self["initial_states"].write(batches.flatMap { $0.initialStates.map(Float.init) })
    try self["goals"].write(batches.flatMap { $0.goals.map(Float.init) })
    try self["total_weights"].write(
      batches.flatMap { $0.weights(for: rollout).map(Float.init) })
    if rollout.functionLength > 0 {
      try self["function_draws"].write(batches.flatMap { packedFunctions($0, rollout) })
    }
  }

  /// Function draws [B, F] -> [tiles][F][T W].
  private func packedFunctions(_ batch: RolloutBatch, _ rollout: RolloutProgram) -> [Float] {
    let (length, width) = (rollout.functionLength, plan.schedule.particlesPerTile)
    var packed = [Float](repeating: 0, count: plan.tiles * length * width)
    packed.withUnsafeMutableBufferPointer { packed in
      guard let start = packed.baseAddress else { return }
      batch.packFunctionDraws(length: length, width: width, into: start)
    }
    return packed
  }

  func write(_ ascent: Ascent) throws {
    try self["exact_parameters"].write(ascent.parameters)
    try self["first_moment"].write(ascent.adam.firstMoment)
    try self["second_moment"].write(ascent.adam.secondMoment)
    try self["stopped"].write([0.0])
  }

  func reserveRecords(_ count: Int) throws {
    let bytes = count * CUDAAscent.recordLength * MemoryLayout<Double>.size
    if records.bytes < bytes { records = try DeviceBuffer(device, bytes: bytes) }
  }

  // MARK: Out

  func read(_ ascent: inout Ascent) throws {
    let count = ascent.parameters.count
    ascent.parameters = try self["exact_parameters"].read(count, of: 0)
    ascent.adam.firstMoment = try self["first_moment"].read(count, of: 0)
    ascent.adam.secondMoment = try self["second_moment"].read(count, of: 0)
  }

  /// The first numbers of a buffer of single precision.
  func read(_ name: String, _ count: Int) throws -> [Double] {
    try self[name].read(count, of: Float(0)).map(Double.init)
  }

  func readGradient(_ count: Int) throws -> [Double] { try self["gradient"].read(count, of: 0) }

  func readRecords(_ count: Int) throws -> [AscentRecord] {
    let length = CUDAAscent.recordLength
    let numbers = try records.read(count * length, of: 0.0)
    return (0..<count).map { i in
      let record = numbers[i * length..<(i + 1) * length].map { $0 }
      return AscentRecord(
        meanReturn: record[0], gradientNorm: record[1], diverged: Int(record[2]),
        truncated: Int(record[3]), hasMoved: record[4] > 0)
    }
  }

  /// States [H + 1, B, S] and actions [H, B, U] of the last recorded run.
  func records(
    _ rollout: RolloutProgram, _ batch: RolloutBatch
  ) throws -> (states: [Double], actions: [Double]) {
    let (count, horizon) = (batch.particles, batch.horizon)
    return (
      try read("state_record", (horizon + 1) * count * rollout.carryLength),
      try read("action_record", horizon * count * rollout.actionLength)
    )
  }

  // MARK: Arguments

  /// Where a batch's elements of an argument begin.
  private func address(of argument: KernelArgument, _ batch: Int, _ sizes: KernelSizes) -> UInt64 {
    let count = argument.count(sizes)
    if argument.access == .writeIfAny && count == 0 { return 0 }
    let before = argument.access == .readPerBatch ? batch * count : 0
    return self[argument.name].address + UInt64(before * argument.element.bytes)
  }

  /// - Parameter index: which of the batches written.
  func argument(
    _ batch: RolloutBatch, _ index: Int, rollout: RolloutProgram, data: [DeviceBuffer],
    records: Bool
  ) -> [UInt64] {
    let sizes = plan.sizes(records: records)
    let pointers = (KernelArguments.rollout + CUDAMemoryPlan.arguments).map { argument in
      address(of: argument, index, sizes)
    }
    return pointers + data.map(\.address) + [
      UInt64(batch.particles), UInt64(batch.horizon), UInt64(plan.segment), batch.draws.seed,
      UInt64(batch.draws.iteration),
    ]
  }

  /// - Parameter ascent: nil to sum without moving.
  func ascentArgument(
    _ batch: RolloutBatch, ascent: Ascent?, record: Int
  ) -> [UInt64] {
    let sizes = plan.sizes(records: false)
    let recordBytes = record * CUDAAscent.recordLength * CUDAAscent.record.element.bytes
    let pointers = CUDAAscent.arguments.map { argument -> UInt64 in
      argument.name == CUDAAscent.record.name
        ? records.address + UInt64(recordBytes) : address(of: argument, record, sizes)
    }
    let corrections = ascent?.adam.corrections ?? (1, 1)
    return pointers + [
      UInt64(plan.blocks), UInt64(batch.particles), UInt64(batch.horizon), ascent == nil ? 0 : 1,
      (ascent?.rate ?? 0).bitPattern, (ascent?.gradientNormLimit ?? .infinity).bitPattern,
      corrections.0.bitPattern, corrections.1.bitPattern,
    ]
  }
}
