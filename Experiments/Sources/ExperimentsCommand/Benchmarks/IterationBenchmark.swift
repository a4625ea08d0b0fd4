// SPDX-License-Identifier: Apache-2.0
// bagel benchmark iteration: seconds of a rollout and its adjoint, on the paper's Experiment 1.

import ArgumentParser
import Bagel
import BagelCommand
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import PolicySearch
import Programs
import Rollouts
import Samplers
import Tasks

/// Forward and adjoint rollout of Experiment 1.
struct IterationBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "iteration",
    abstract: "Time one iteration (rollout and adjoint) after a warm-up.")

  @Option(help: "Sampler.") var sampler = Choice(option: SamplerName.tabulated)
  @Option(help: "Rank of love and kiss-gp; 0: chosen by their tolerance.") var rank = 100
  @Option(help: "Grid points per input of kiss-gp; 0: chosen by the lengthscales.") var grid = 30
  @Option(help: "Maximum number of inducing points of sparse.") var inducing = 300
  @Option(help: "Random Fourier features of pathwise.") var features = 256
  @Option(help: "Particles B.") var particles = 100
  @Option(help: "Horizon H, in time steps.") var horizon = 300
  @Option(help: "Hidden layers.") var layers = "8,8"
  @Option(help: "Training points n.") var points = 2_200
  @Option(name: .customLong("device"), help: "Device to run on.")
  var named = Choice(option: ExecutionDevice.host)
  private var device: ExecutionDevice? { named.option }
  @OptionGroup var layout: LayoutOptions
  @Option(
    help:
      "Model file to read instead of learning a model; if it does not exist, the learnt model is written there."
  )
  var model: String?
  @Option(help: "GPU memory for stored steps, in MB; beyond it steps are recomputed.")
  var tapeMegabytes: Int?
  @Option(help: "Threads (default: one per core).") var threads: Int?
  @Option(help: "Seconds of measurement, after the warm-up.") var seconds = 1.0
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard particles > 0, horizon > 0, points >= 10, threads ?? 1 > 0, rank >= 0, inducing > 0,
      features > 0, grid == 0 || grid >= 4
    else {
      throw ValidationError(
        "particles, horizon, threads, inducing and features must be positive, points at least 10, grid 0 or "
          + "at least 4")
    }
    if device != .cuda && (layout.lanes != nil || tapeMegabytes != nil) {
      throw ValidationError("--lanes and --tape-megabytes need --device cuda")
    }
    if device != .host && threads != nil { throw ValidationError("--threads needs --device host") }
    guard particles <= 100_000_000, horizon <= 10_000_000, seconds > 0, seconds.isFinite else {
      throw ValidationError(
        "--particles must be at most 100,000,000, --horizon at most 10,000,000, and --seconds positive"
      )
    }
    if tapeMegabytes ?? 0 > 1_000_000 {
      throw ValidationError("--tape-megabytes must be at most 1,000,000")
    }
    if let tapeMegabytes, tapeMegabytes < 0 {
      throw ValidationError("--tape-megabytes must not be negative")
    }
    guard isListOfWidths(layers) else {
      throw ValidationError("--layers must be a list of widths, such as 8,8")
    }
  }

  func run() throws {
    let console = Console(common)
    try device?.checkAvailable()
    let task = try makeTask()
    let dynamics = try dynamics(task)
    let start = ContinuousClock.now
    let measured = try task.makeSampler(dynamics)
    let samplerSeconds = start.duration(to: .now).seconds
    let rollout = try task.makeRollout(dynamics, measured.sampler)
    let executor = try makeExecutor(rollout, console)
    let times = try iterationSeconds(task, dynamics, rollout, executor)
    let (perIteration, points) = (median(times), dynamics.features.rows)
    console.say(
      "B = \(particles), H = \(horizon), [\(layers)], n = \(points), \(executor.device)")
    measured.describe(console)
    console.say("  built and measured in \(number(samplerSeconds)) s")
    console.say(
      "iteration: median \(number(1e3 * perIteration)) ms, min \(number(1e3 * times[0])) ms, p90 "
        + "\(number(1e3 * times[times.count * 9 / 10])) ms (\(times.count) runs)")
    var result: [String: Any] = [
      "secondsPerIteration": perIteration, "minimumSeconds": times[0],
      "samplerSeconds": samplerSeconds, "device": executor.device, "particles": particles,
      "horizon": horizon, "points": points,
    ]
    result.merge(measured.json) { $1 }
    describeWork(rollout.program, perIteration, executor, console, &result)
    if measured.sampler.name == .exact && device == .host {
      describeProducts(perIteration, outputs: dynamics.processes.count, console, &result)
    }
    try console.finish(resultJSON(result))
  }

  /// Experiment 1 as the options want it.
  private func makeTask() throws -> ControlTask {
    var task = try BuiltInTasks.experiment1()
    task.search.seed = common.seed
    task.policy.form = .network(hidden: layers.split(separator: ",").compactMap { Int($0) })
    task.exploration.seconds = Double(points) * task.layout.timeStep
    task.model.sampler = SamplerOptions()
    task.model.sampler.name = sampler.option
    if sampler.option != nil && rank > 0 { task.model.sampler.rank = rank }
    if sampler.option != nil && grid > 0 { task.model.sampler.gridPoints = grid }
    task.model.sampler.inducingPoints = inducing
    task.model.sampler.features = features
    task.model.fit.fullIterations = 1
    task.search.particles = particles
    task.search.horizon = horizon
    return task
  }

  /// What the search does: new draws, rollout, adjoint, update; as many in flight as between two evaluations.
  private func iterationSeconds(
    _ task: ControlTask, _ dynamics: DynamicsModel, _ rollout: Rollout,
    _ executor: any RolloutExecutor
  ) throws -> [Double] {
    let optimizer = PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: dynamics,
      initialStates: task.objective.start,
      goals: task.objective.goal, options: task.search,
      initialParameters: task.makePolicy().initialParameters)
    var iteration: UInt32 = 0
    let count = min(executor.iterationsInFlight, task.search.evaluationInterval)
    let ascent = Ascent(
      parameters: optimizer.state.parameters, adam: optimizer.state.adam, rate: 0,
      gradientNormLimit: task.search.gradientNorm)
    return try measure {
      let before = ContinuousClock.now
      let batches = (0..<count).map { _ in
        iteration += 1
        return optimizer.batch(parameters: ascent.parameters, iteration: iteration)
      }
      var moved = ascent
      _ = try executor.ascend(batches, from: &moved)
      return before.duration(to: .now).seconds / Double(count)
    }
  }

  /// The exact sampler's products, beside what the BLAS library reaches here.
  private func describeProducts(
    _ median: Double, outputs: Int, _ console: Console, _ result: inout [String: Any]
  ) {
    // Two triangular products of n^2 multiply-adds' half each, an output, particle and step.
    let n = Double(points)
    let work = 2 * n * n * Double(particles * horizon * outputs)
    let peak = measuredPeak()
    console.say(
      "  \(number(work / median * 1e-9)) of \(number(peak * 1e-9)) GFLOP/s that sgemm reaches here: "
        + "\(number(100 * work / median / peak)) %")
    if let advice = BLASConfiguration.current.advice {
      console.say("  sgemm is slower than it could be: \(advice)")
    }
    result["productFlopPerSecond"] = work / median
    result["peakFlopPerSecond"] = peak
  }

  /// The model of `--model`, or one learnt from `points` rows.
  private func dynamics(_ task: ControlTask) throws -> DynamicsModel {
    if let model, FileManager.default.fileExists(atPath: model) {
      return try readModel(model, for: task)
    }
    let learnt = try task.fit(seed: common.seed).model
    if let model {
      let path = try WrittenFile(model, option: "--model").target().path
      try learnt.write(to: path, provenance: "benchmark, seed \(common.seed)")
    }
    return learnt
  }

  private func makeExecutor(_ rollout: Rollout, _ console: Console) throws -> any RolloutExecutor {
    switch device {
    case .host:
      let host = try HostExecutor(
        rollout.program, data: rollout.data, threads: threads, particles: particles)
      console.say(
        "kernel: \(number(1e3 * host.loadSeconds)) ms to \(host.wasCached ? "load" : "emit and compile")"
      )
      return host
    case .cuda:
      let gpu = try CUDASystem.first()
      return try CUDAExecutor(
        rollout.program, data: rollout.data, device: gpu.device, compiler: gpu.compiler,
        schedule: layout.schedule,
        tapeBudget: tapeMegabytes.map { $0 << 20 } ?? CUDAMemoryPlan.defaultBudget)
    case nil, .interpreter:
      return try ExecutionDevice.makeExecutor(
        on: device, rollout.program, data: rollout.data, particles: particles, horizon: horizon)
    }
  }

  /// Operations per second, and what a GPU's kernel takes of it.
  private func describeWork(
    _ rollout: RolloutProgram, _ median: Double, _ executor: any RolloutExecutor,
    _ console: Console, _ result: inout [String: Any]
  ) {
    let work = rollout.operationsPerStep.gradient * Double(particles * horizon)
    console.say(
      "  \(number(1e-9 * work)) billion operations per iteration, \(number(1e-9 * work / median)) GFLOP/s"
    )
    result["flopPerIteration"] = work
    result["flopPerSecond"] = work / median
    if let host = executor as? HostExecutor {
      console.say("  memory of the rollouts: \(number(Double(host.rolloutBytes) / 1e6)) MB")
      result["rolloutBytes"] = host.rolloutBytes
    }
    guard let gpu = executor as? CUDAExecutor, let plan = gpu.plan,
      let resources = gpu.kernelResources
    else { return }
    console.say(
      "  kernel: \(number(1e3 * gpu.loadSeconds)) ms to \(gpu.wasCached ? "load" : "emit and compile"), "
        + "\(resources.registers) registers, \(resources.localBytes) bytes spilled per thread")
    result["schedule"] = plan.schedule.description
    result["rolloutBytes"] = plan.bytes
    result["keptSteps"] = plan.segment
    result["kernelSeconds"] = gpu.loadSeconds
    result["kernelWasCached"] = gpu.wasCached
    result["registers"] = resources.registers
    result["spilledBytes"] = resources.localBytes
  }

  /// Sorted seconds of repeated calls, the first ones left out.
  private func measure(_ body: () throws -> Double) throws -> [Double] {
    let start = ContinuousClock.now
    _ = try body()
    if start.duration(to: .now).seconds < 1 { for _ in 0..<3 { _ = try body() } }
    var times: [Double] = []
    let from = ContinuousClock.now
    while times.count < 3 || from.duration(to: .now).seconds < seconds {
      times.append(try body())
    }
    return times.sorted()
  }

  /// FLOP/s of a large single-precision matrix product, the best of five.
  private func measuredPeak() -> Double {
    let n = 2_048
    let best = (0..<5).map { _ in singlePrecisionProductSeconds(size: n) }.min() ?? .infinity
    return 2 * Double(n * n * n) / best
  }
}
