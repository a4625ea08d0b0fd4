// SPDX-License-Identifier: Apache-2.0
// bagel emit: the kernel's text, for people who want to see what runs.

import ArgumentParser
import Bagel
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Programs
import Samplers
import Tasks

struct EmitCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "emit", abstract: "Print the emitted kernel of a task.")

  @Argument(help: "A task file or built-in task.")
  var task = "boom"

  @Option(help: "Sampler to use instead of the task's.")
  var sampler: Choice<SamplerName>?

  @Option(help: "Hidden layers to use instead of the task's, such as 64,64.")
  var layers: String?

  @Option(help: "Device for which the kernel is emitted: host or cuda.")
  var device = ExecutionDevice.host

  @Option(help: "Number of particles for which a CUDA kernel is laid out (default: the task's).")
  var particles: Int?

  @Option(
    help:
      "Horizon, in steps, for which the memory plan of a CUDA kernel is printed (default: the task's)."
  )
  var horizon: Int?

  @OptionGroup var layout: LayoutOptions

  @Flag(help: "Print the step's program and its adjoint instead of the kernel.")
  var program = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard device == .host || device == .cuda else {
      throw ValidationError("kernels are emitted for host or cuda")
    }
    if device == .host && (layout.lanes != nil || particles != nil || horizon != nil) {
      throw ValidationError("--particles, --horizon and --lanes need --device cuda")
    }
    guard (1...100_000_000).contains(particles ?? 1), (1...10_000_000).contains(horizon ?? 1) else {
      throw ValidationError(
        "--particles must be from 1 to 100,000,000, --horizon from 1 to 10,000,000")
    }
    if let layers, !isListOfWidths(layers) {
      throw ValidationError("--layers must be a list of widths, such as 64,64")
    }
  }

  func run() throws {
    var task = try ControlTask(task)
    if let sampler { task.model.sampler.name = sampler.option }
    let path = common.path(for: task) + "/model.safetensors"
    let model =
      FileManager.default.fileExists(atPath: path)
      ? try readModel(path, for: task) : try sketch(task)
    if let layers {
      task.policy.form = .network(hidden: layers.split(separator: ",").compactMap { Int($0) })
    }
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let console = Console(common)
    let text: String
    if program {
      let taped = rollout.program.taped(.expensiveValues)
      text = "# step\n\(taped.forward)\n\n# adjoint of the step\n\(taped.adjoint)"
    } else if device == .cuda {
      text = emitCUDA(rollout.program, task)
    } else {
      text = KernelSource(rollout.program).text
    }
    if !common.json {
      try writing("the kernel to standard output") {
        try FileHandle.standardOutput.write(contentsOf: Data("\(text)\n".utf8))
      }
    }
    try console.finish(["text": text])
  }

  /// The text for a GPU of an H100's size, and what its memory would be.
  private func emitCUDA(
    _ rollout: RolloutProgram, _ task: ControlTask
  ) -> String {
    let multiprocessors = 132
    let count = particles ?? task.search.particles
    let schedule =
      layout.schedule
      ?? CUDASchedule(for: rollout, particles: count, multiprocessors: multiprocessors)
    let source = KernelSource(rollout, target: .cuda(schedule))
    let plan = CUDAMemoryPlan(
      source, schedule, rollout: rollout, particles: count, horizon: horizon ?? task.search.horizon,
      multiprocessors: multiprocessors, budget: CUDAMemoryPlan.defaultBudget)
    Console.error("\(count) particles, \(plan.horizon) steps: \(plan)")
    return source.text
  }

  /// A model of the task's form from little data: the kernel's text does not depend on the
  /// numbers (the exact sampler's on their count).
  private func sketch(_ task: ControlTask) throws -> DynamicsModel {
    if task.logs.isEmpty, case .process = task.plant {
      throw LogError(
        file: task.place,
        "has no model and no logs yet, and `bagel emit` does not move a machine; run `bagel fit` first"
      )
    }
    var options = task.model.fit
    options.subset = 100
    options.fullIterations = 1
    let episodes = try task.trainingEpisodes(seed: common.seed).map { episode in
      episode.rowsOnly(0..<min(150, episode.count))
    }
    return try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: options
    ).model
  }
}
