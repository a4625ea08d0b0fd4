// SPDX-License-Identifier: Apache-2.0
// Documentation/Tour.md follows a number from the log to the valve: every figure in it ("name = value" in its blocks) is
// computed here again.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import Policies
import PolicySearch
import Programs
import Tasks
import Testing

/// What the tour says, computed.
private struct Tour {
  var figures: [String: Double] = [:]
  /// Row of the log.
  private let row = 400

  init() throws {
    let task = try ControlTask("boom")
    let episodes = try task.trainingEpisodes()
    let episode = episodes[0]
    let (state, action) = (episode.states[row], episode.actions[row])
    self["angle"] = state[0]
    self["rate"] = state[1]
    self["valve"] = action[0]
    self["next angle"] = episode.states[row + 1][0]

    let transitions = TransitionSet(episodes, form: try task.modelForm())
    let increment = transitions.increments[row][0]
    self["angle's increment"] = increment

    let fit = try task.fit(episodes)
    let model = fit.model
    let z = model.featureStandardiser.standardise(transitions.features[row])
    for (name, value) in zip(["z angle", "z rate", "z valve"], z) { self[name] = value }
    self["y angle"] =
      (increment - model.incrementStandardiser.mean[0]) / model.incrementStandardiser.scale[0]

    let predicted = model.predictIncrements([transitions.features[row]])
    self["predicted increment"] = predicted.mean[0][0]
    self["its deviation"] = predicted.latent[0][0]

    try follow(task, model, z, state)
  }

  /// Through the sampler, one iteration of the search, and the whole search.
  private mutating func follow(
    _ task: ControlTask, _ model: DynamicsModel, _ z: [Double], _ state: [Double]
  ) throws {
    let sampler = try task.makeSampler(model).sampler
    let builder = ProgramBuilder()
    var slots = StepSlots()
    builder.output(
      "increments",
      sampler.increments(
        at: builder.input("z", length: 3), draws: builder.normal(slots.draws("model", length: 2)),
        functionOffset: 0))
    let program = builder.finish()
    func increment(perturbation: Double) -> Double {
      let drawn = Interpreter(shared: sampler.data).run(program, inputs: ["z": z]) { _, count in
        Array(repeating: perturbation, count: count)
      }
      let scale = model.incrementStandardiser.scale[0]
      return (drawn.outputs["increments"]?[0] ?? .nan) * scale + model.incrementStandardiser.mean[0]
    }
    self["the table's increment"] = increment(perturbation: 0)
    let draw = DrawKey(seed: 0, iteration: 0).normals(particle: 0, step: 0, count: 2)[0]
    self["perturbation"] = draw
    self["drawn increment"] = increment(perturbation: draw)

    let rollout = try task.makeRollout(model, sampler)
    let executor = try task.makeExecutor(rollout, device: .host)
    let policy = task.makePolicy()
    let optimizer = PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
      initialStates: task.objective.start.resolved(by: model),
      goals: task.objective.goal.resolved(by: model),
      options: task.search, initialParameters: policy.initialParameters)
    func controller(_ parameters: [Double]) -> PolicyController {
      PolicyController(
        policy: policy, parameters: parameters, stateMean: model.stateStandardiser.mean,
        stateScale: model.stateStandardiser.scale)
    }
    var batch = optimizer.batch(parameters: policy.initialParameters(0), iteration: 0)
    self["first command"] = controller(batch.parameters).action(state: state, goal: [0, 0])[0]
    let found = try executor.gradient(batch)
    self["mean return"] = found.returns.mean
    // The largest element speaks.
    let p = found.gradient.indices.max { abs(found.gradient[$0]) < abs(found.gradient[$1]) } ?? 0
    self["parameter"] = Double(p)
    self["its value"] = batch.parameters[p]
    self["its gradient"] = found.gradient[p]
    let step = 1e-3
    var returns: [Double] = []
    for sign in [-1.0, 1.0] {
      batch.parameters[p] += sign * step
      returns.append(try executor.returns(batch).mean)
      batch.parameters[p] -= sign * step
    }
    self["by differences"] = (returns[1] - returns[0]) / (2 * step)
    try optimizer.step()
    self["its next value"] = optimizer.state.parameters[p]

    let best = try task.optimize(model, device: .host)
    self["best return"] = best.state.bestReturn
    self["last command"] = best.best.action(state: state, goal: [0, 0])[0]
  }

  private subscript(_ name: String) -> Double {
    get { figures[name] ?? .nan }
    set { figures[name] = newValue }
  }
}

@Suite("the tour")
struct TourTests {
  @Test("every figure of Documentation/Tour.md is what BAGEL computes")
  func figures() throws {
    let path = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../Documentation/Tour.md")
    let said = try String(contentsOf: path, encoding: .utf8).split(separator: "\n")
      .compactMap { line -> (name: String, value: Double)? in
        let parts = line.split(separator: "=").map { $0.trimmingCharacters(in: .whitespaces) }
        guard parts.count == 2, line.hasPrefix("    "),
          let value = Double(parts[1].split(separator: " ").first ?? "")
        else { return nil }
        return (parts[0], value)
      }
    let computed = try Tour().figures
    #expect(Set(said.map(\.name)) == Set(computed.keys))
    for (name, value) in said {
      let found = try #require(computed[name], "\(name)")
      // What is printed has three digits; a fit ends elsewhere by the rounding of another processor's BLAS, and a search
      // in another of many equally good policies.
      let allowed =
        switch name {
        case "parameter": 0.0
        case "angle", "rate", "valve", "next angle", "angle's increment", "perturbation": 0.006
        case "last command": 0.5
        default: 0.05
        }
      #expect(
        abs(found - value) <= allowed * max(abs(value), 1e-6), "\(name): \(found), not \(value)")
    }
  }
}
