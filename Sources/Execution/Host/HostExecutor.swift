// SPDX-License-Identifier: Apache-2.0
// Runs a rollout as emitted C on the cores of this machine. Tiles of particles are handed to threads
// as they come free; each tile writes its own partial gradient, and these are added in tile order in
// double precision, so any number of threads gives the same bits.

import Dispatch
import Foundation
import Programs
import Synchronization

/// Runs rollouts as a compiled kernel on the CPU.
package final class HostExecutor: RolloutExecutor {
  package let rollout: RolloutProgram
  package let threads: Int
  /// Lanes W of the machine's vectors as compiled.
  package let lanes: Int
  /// Seconds from program to loaded kernel, and whether it came from the cache.
  package private(set) var loadSeconds = 0.0
  package let wasCached: Bool
  package let source: KernelSource

  private typealias Kernel =
    @convention(c) (
      UnsafePointer<UnsafeMutableRawPointer?>, UnsafePointer<Int64>, Int64,
      UnsafeMutablePointer<Float>
    ) -> Void
  /// Holds the kernels' code: it lives as long as they are called.
  private let library: DynamicLibrary
  private let returnsKernel: Kernel
  /// nil for a rollout without parameters.
  private let gradientKernel: Kernel?
  private var data: [FloatBuffer]
  private var workspaces: [FloatBuffer] = []
  /// Of the last batch's inputs and results, and the shared arrays.
  private var batchBytes = 0

  /// Emits, compiles (or finds in the cache) and loads the kernel of `rollout`.
  ///
  /// - Parameters:
  ///   - rollout: what to run.
  ///   - data: values of the shared arrays, by name (all of `rollout.dataArrays`).
  ///   - threads: nil for one a core.
  ///   - particles: B that the kernel is to be fast for, any B runs; nil for many.
  ///   - tape: what a step keeps for its adjoint.
  ///   - cache: of compiled kernels.
  /// - Throws: `ExecutionError`.
  package init(
    _ rollout: RolloutProgram, data: [String: [Double]], threads: Int? = nil,
    particles: Int? = nil, tape: TapePolicy = .expensiveValues, cache: KernelCache = .standard
  ) throws {
    let start = ContinuousClock.now
    self.rollout = rollout
    self.threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
    precondition(self.threads >= 1, "\(self.threads) threads")
    source = KernelSource(rollout, tape: tape, target: .host(particles: particles))
    let compiler = try HostCompiler.find()
    (library, wasCached) = try cache.library(for: source.text, compiler: compiler)
    returnsKernel = try library.function("bagel_returns")
    gradientKernel =
      rollout.parameterCount > 0 ? try library.function("bagel_gradient") as Kernel : nil
    let lanesFunction: @convention(c) () -> Int32 = try library.function("bagel_lanes")
    lanes = Int(lanesFunction())
    self.data = []
    self.data = try source.dataArrays.map {
      try FloatBuffer(rollout.boundValues(of: $0, in: data))
    }
    loadSeconds = start.duration(to: .now).seconds
  }

  /// Other values for one shared array, as many as before.
  ///
  /// Throws: `ExecutionError.outOfMemory`.
  package func rebind(_ name: String, _ values: [Double]) throws {
    guard let index = source.dataArrays.firstIndex(of: name) else {
      preconditionFailure("the kernel reads no shared array '\(name)'")
    }
    precondition(
      values.count == data[index].count,
      "'\(name)' has \(data[index].count) scalars, not \(values.count)")
    data[index] = try FloatBuffer(values)
  }

  package func fingerprint(particles: Int) -> String { "\(lanes)\n\(source.text)" }

  package var device: String { "host, \(threads) threads, \(lanes) lanes" }

  /// Bytes that the last batch needed: shared arrays, inputs, results, and every worker's states and tape.
  package var rolloutBytes: Int { batchBytes + workspaces.reduce(0) { $0 + $1.bytes } }

  package func returns(_ batch: RolloutBatch) throws -> BatchReturns {
    try launch(batch, returnsKernel, gradient: false, record: false).returns
  }

  package func gradient(_ batch: RolloutBatch) throws -> BatchGradient {
    guard let gradientKernel else {
      preconditionFailure("the gradient of a rollout without parameters was asked for")
    }
    let result = try launch(batch, gradientKernel, gradient: true, record: false)
    return BatchGradient(
      returns: result.returns, gradient: sum(result.gradients),
      truncated: result.truncations.elements.prefix(batch.particles).count { $0 != 0 })
  }

  package func trajectories(_ batch: RolloutBatch) throws -> BatchTrajectories {
    let result = try launch(batch, returnsKernel, gradient: false, record: true)
    return BatchTrajectories(
      returns: result.returns, states: result.states.doubles,
      actions: result.actions.doubles, particles: batch.particles, horizon: batch.horizon,
      carryLength: rollout.carryLength, actionLength: rollout.actionLength)
  }

  private struct Launch {
    var returns: BatchReturns
    var gradients: FloatBuffer
    var states: FloatBuffer
    var actions: FloatBuffer
    var truncations: FloatBuffer
  }

  private func launch(
    _ batch: RolloutBatch, _ kernel: Kernel, gradient: Bool, record: Bool
  ) throws -> Launch {
    batch.validate(for: rollout)
    let (count, horizon) = (batch.particles, batch.horizon)
    let tiles = (count + lanes * source.vectors - 1) / (lanes * source.vectors)
    let width = lanes * source.vectors
    let sizes = KernelSizes(
      rollout: rollout, particles: count, padded: tiles * width, horizon: horizon,
      gradientRows: gradient ? tiles : 0, records: record)
    let weights = batch.weights(for: rollout)
    let inputs = [
      "parameters": batch.parameters, "initial_states": batch.initialStates,
      "goals": batch.goals, "total_weights": weights,
    ]
    var buffers: [String: FloatBuffer] = [:]
    for argument in KernelArguments.rollout {
      precondition(
        inputs[argument.name] != nil || !argument.access.isConstant
          || argument.name == "function_draws", "nothing fills '\(argument.name)'")
      buffers[argument.name] =
        try inputs[argument.name].map(FloatBuffer.init) ?? FloatBuffer(count: argument.count(sizes))
    }
    func buffer(_ name: String) -> FloatBuffer {
      guard let found = buffers[name] else { preconditionFailure("no kernel argument '\(name)'") }
      return found
    }
    batch.packFunctionDraws(
      length: rollout.functionLength, width: width, into: buffer("function_draws").start)
    batchBytes = (buffers.values + data).reduce(0) { $0 + $1.bytes }
    let slots =
      KernelArguments.rollout.map { argument -> UnsafeMutableRawPointer? in
        let found = buffer(argument.name)
        if case .writeIfAny = argument.access, found.count == 0 { return nil }
        return UnsafeMutableRawPointer(found.start)
      } + data.map { UnsafeMutableRawPointer($0.start) }
    let numbers = [
      Int64(count), Int64(horizon), Int64(batch.draws.seed & 0xffff_ffff),
      Int64(batch.draws.seed >> 32), Int64(batch.draws.iteration),
    ]
    try run(kernel, slots, numbers, tiles: tiles, horizon: horizon)
    withExtendedLifetime(buffers) {}
    let alive = buffer("alive_steps").elements.prefix(count)
    let outside = buffer("outside_steps").elements.prefix(count)
    return Launch(
      returns: BatchReturns(
        totals: Array(buffer("totals").doubles.prefix(count * weights.count)), weights: weights,
        diverged: alive.count { $0 < Float(horizon) },
        outsideFraction: outside.reduce(0) { $0 + Double($1) } / Double(count * horizon)),
      gradients: buffer("gradients"), states: buffer("state_record"),
      actions: buffer("action_record"), truncations: buffer("truncations"))
  }

  /// Adds the tiles' gradients in tile order.
  private func sum(_ partials: FloatBuffer) -> [Double] {
    var total = [Double](repeating: 0, count: rollout.parameterCount)
    for (i, term) in partials.elements.enumerated() { total[i % total.count] += Double(term) }
    return total
  }

  private func run(
    _ kernel: Kernel, _ slots: [UnsafeMutableRawPointer?], _ numbers: [Int64], tiles: Int,
    horizon: Int
  ) throws {
    let workers = min(threads, tiles)
    try reserveWorkspaces(workers, horizon: horizon)
    let next = Atomic<Int>(0)
    let work = workspaces.map(\.start)
    slots.withUnsafeBufferPointer { slots in
      numbers.withUnsafeBufferPointer { numbers in
        guard let slotStart = slots.baseAddress, let numberStart = numbers.baseAddress else {
          return
        }
        // The kernel writes disjoint parts of the buffers for different tiles.
        nonisolated(unsafe) let (arguments, scalars, memory) = (slotStart, numberStart, work)
        inThreads(workers) { worker in
          while true {
            let tile = next.wrappingAdd(1, ordering: .relaxed).oldValue
            if tile >= tiles { return }
            kernel(arguments, scalars, Int64(tile), memory[worker])
          }
        }
      }
    }
  }

  /// Stack of local values up to which the threads of Dispatch serve.
  #if os(Linux)
    private static let usualStack = 4 << 20
  #else
    private static let usualStack = 256 << 10
  #endif

  /// Calls `body` with 0 ..< count side by side. The local values of wide layers want a larger stack than threads have.
  private func inThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
    let stack = source.stackRows * source.vectors * lanes * MemoryLayout<Float>.size
    guard stack > Self.usualStack else {
      return DispatchQueue.concurrentPerform(iterations: count, execute: body)
    }
    let done = DispatchGroup()
    for index in 0..<count {
      done.enter()
      let thread = Thread {
        body(index)
        done.leave()
      }
      thread.stackSize = stack + Self.usualStack
      thread.start()
    }
    done.wait()
  }

  /// Every worker's memory for states, tape, gradient and scratch, kept between calls.
  private func reserveWorkspaces(_ workers: Int, horizon: Int) throws {
    let vectors = source.workspaceVectors(horizon: horizon, parameterCount: rollout.parameterCount)
    let count = vectors * source.vectors * lanes
    if workspaces.count >= workers && workspaces[0].count >= count { return }
    workspaces = []
    workspaces = try (0..<workers).map { _ in try FloatBuffer(count: count) }
  }
}

extension Duration {
  /// The duration in seconds.
  package var seconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
