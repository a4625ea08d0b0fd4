// SPDX-License-Identifier: Apache-2.0
// Known physics as the mean of a model: constants found from data, what is left to the processes, the same numbers in rollouts,
// runs along logs and files; and what is said where data cannot tell a constant.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Tasks
import TestSupport
import Testing

@Suite("known physics")
struct KnownPhysicsTests {
  private let yaml = """
    name: pendulum-physics
    timeStep: 0.1
    states:
      - {name: angle, units: rad}
      - {name: rate, units: rad/s}
    actions:
      - {name: torque, limits: [-2.5, 2.5]}
    quantities: {weight: sin(angle)}
    plant: pendulum
    explore: {kind: smooth, seconds: 40}
    model:
      covariance: squared-exponential
      stateHistory: 0
      integrate: {angle: rate}
      sampler: tabulated
      mean:
        rate: (torque - b * rate - m * 9.82 * l * weight / 2) / (m * l^2 / 3)
      constants: {b: 0.01, m: free, l: {start: 0.8, lower: 0.1, upper: 3}}
    start: [0, 0]
    goal: [0, 0]
    reward: {formula: cos(angle)}
    """

  private func task(_ from: String = "", _ to: String = "") throws -> ControlTask {
    let text = from.isEmpty ? yaml : yaml.replacingOccurrences(of: from, with: to)
    return try ControlTask(yaml: text, file: "t.yaml", folder: ".")
  }

  /// Without the plant's noise, which a difference of rates has ten times over.
  private func quiet(_ task: ControlTask, seed: UInt64) throws -> [Episode] {
    var pendulum = Pendulum()
    (pendulum.angleNoise, pendulum.rateNoise) = (0, 0)
    _ = pendulum.reset(to: nil, seed: seed)
    let key = DrawKey(seed: seed)
    var state = pendulum.trueState
    var (states, actions) = ([[Double]](), [[Double]]())
    var torque = 0.0
    for k in 0..<400 {
      if k % 5 == 0 { torque = 5 * key.uniforms(particle: k, step: 0, count: 1)[0] - 2.5 }
      states.append(state)
      actions.append([torque])
      _ = pendulum.step([torque])
      state = pendulum.trueState
    }
    return [Episode(name: "quiet", timeStep: 0.1, states: states, actions: actions)]
  }

  @Test("constants are those of the plant, physics explains nearly all, and files keep it")
  func constants() throws {
    let task = try task()
    let fit = try task.fit(try quiet(task, seed: 3))
    let physics = try #require(fit.model.physics)
    let found = Dictionary(uniqueKeysWithValues: physics.constants.map { ($0.name, $0) })
    // The midpoint rule at 0.1 s is a hundredth or two off, Euler's a fifth.
    #expect(abs((found["m"]?.value ?? 0) - 1) < 0.02, "\(physics.constants)")
    #expect(abs((found["l"]?.value ?? 0) - 1) < 0.02, "\(physics.constants)")
    #expect(found["m"]?.isTold == true && found["b"]?.isTold == true)
    #expect((physics.rates[0].explained ?? 0) > 0.995)
    #expect(fit.findings.allSatisfy { !$0.contains("constant") })
    let path = Scratch.path("physics-model.safetensors")
    try fit.model.write(to: path, provenance: "test")
    let read = try DynamicsModel(path: path)
    #expect(read.physics == physics && read.form == fit.model.form)
    #expect(try task.mismatch(with: read) == nil)
    let point = fit.model.features.row(7).indices.map {
      fit.model.featureStandardiser.restore(fit.model.features.row(7))[$0]
    }
    #expect(read.predictIncrements([point]).mean == fit.model.predictIncrements([point]).mean)
    // A task with another formula, or none, does not take it.
    let other = try self.task("l * weight / 2", "l * weight / 3")
    #expect(try other.mismatch(with: read)?.contains("other known physics") == true)
    var none = task
    none.model.fit.physics = nil
    #expect(try none.mismatch(with: read)?.contains("other known physics") == true)
  }

  @Test("rollouts, and the interpreter's and the kernel's gradients, have the formulas")
  func rollouts() throws {
    let task = try task()
    let model = try task.fit(try quiet(task, seed: 4)).model
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let start = [0.4, -0.3]
    let batch = RolloutBatch(
      parameters: task.makePolicy().initialParameters(1),
      initialStates: rollout.slots.first(state: model.stateStandardiser.standardise(start)),
      goals: model.stateStandardiser.standardise([0, 0]), particles: 1, horizon: 6,
      draws: DrawKey(seed: 1))
    let interpreter = InterpreterExecutor(rollout.program, data: rollout.data)
    let host = try HostExecutor(rollout.program, data: rollout.data)
    let (a, b) = (interpreter.gradient(batch), try host.gradient(batch))
    let largest = a.gradient.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(a.gradient, b.gradient).allSatisfy { abs($0 - $1) < 1e-3 * largest })
    // One step of the mean against the transition's own numbers.
    let rows = try quiet(task, seed: 5)
    let set = TransitionSet(rows, form: model.form)
    let predicted = model.predictIncrements(Array(set.features[..<50]))
    let squares = (0..<50).map { k -> (error: Double, size: Double) in
      let (found, truth) = (predicted.mean[k][0], set.increments[k][0])
      return ((found - truth) * (found - truth), truth * truth)
    }
    #expect(
      squares.reduce(0) { $0 + $1.error } < 0.02 * squares.reduce(0) { $0 + $1.size }, "\(squares)")
  }

  @Test("a constant that the data cannot tell is said, with its interval")
  func untold() throws {
    // Nothing in the data is beyond 10,000 rad.
    let free = yaml.replacingOccurrences(
      of: "b * rate", with: "b * rate - c * max(0, angle - 10000)"
    )
    .replacingOccurrences(of: "b: 0.01,", with: "b: 0.01, c: free,")
    let task = try ControlTask(yaml: free, file: "t.yaml", folder: ".")
    let findings = try task.fit(seed: 3).findings
    #expect(
      findings.contains {
        $0.contains("do not determine the constant 'c'") && $0.contains("any value fits")
      }, "\(findings)")
    // Two of which the data see the product alone.
    let product = yaml.replacingOccurrences(of: "m * 9.82 * l", with: "m * 9.82 * d * e")
      .replacingOccurrences(of: "b: 0.01,", with: "b: 0.01, d: free, e: free,")
    let both = try ControlTask(yaml: product, file: "t.yaml", folder: ".")
    let said = try both.fit(try quiet(both, seed: 3)).findings
    #expect(said.contains { $0.contains("'d'") } && said.contains { $0.contains("'e'") }, "\(said)")
  }

  @Test("what is wrong is said with file, line and key")
  func problems() {
    func problem(_ from: String, _ to: String) -> String {
      SmallTask.problem(yaml.replacingOccurrences(of: from, with: to))
    }
    #expect(problem("    rate: (", "    angle: (").contains("'model.mean.angle' is integrated"))
    #expect(problem("    rate: (", "    speed: (").contains("is not an output of the model"))
    #expect(problem("m: free, ", "").contains("'m' is unknown"))
    #expect(problem("b: 0.01", "b: 0.01, q: 3").contains("'q', which is in no formula"))
    #expect(problem("b: 0.01", "sin: 0.01").contains("cannot name a constant"))
    #expect(problem("start: 0.8", "start: 8").contains("must lie within lower and upper"))
    #expect(problem("m: free", "m: loose").contains("must be a number"))
  }
}
