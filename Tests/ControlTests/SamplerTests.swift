// SPDX-License-Identifier: Apache-2.0
// A conformance suite for posterior samplers, run on each: moments against the exact posterior within the
// tolerance listed with it (of the tabulated one: what its certificate reads on so short a log, doubled), gradients by tangent and adjoint, the closed loop the same on every executor.

import Bagel
import Foundation
import Testing

/// A small model of the boom and the samplers of it.
private struct Fixture {
  let model: DynamicsModel
  let task: ControlTask

  init() throws {
    var task = try ControlTask("boom")
    task.collectSeconds = 15
    task.model.fit.fullIterations = 3
    model = try task.fit().model
    self.task = task
  }

  func samplers() throws -> [(sampler: any PosteriorSampler, mean: Double, deviation: Double)] {
    [
      // Double precision against double precision; the deviation loses digits to k - ||..||^2.
      (ExactSampler(model), 1e-9, 1e-5),
      (try TabulatedSampler(model, actionLimits: task.actionLimits), 2e-2, 1e-1),
    ]
  }
}

@Suite("samplers")
struct SamplerTests {
  @Test("moments agree with the exact posterior at the data")
  func moments() throws {
    let fixture = try Fixture()
    let x = fixture.model.processes[0].x
    for (sampler, meanTolerance, deviationTolerance) in try fixture.samplers() {
      let builder = ProgramBuilder()
      let moments = sampler.moments(at: builder.input("x", length: 3))
      builder.output("mean", moments.mean)
      builder.output("deviation", moments.deviation)
      let program = builder.finish()
      let interpreter = Interpreter(shared: sampler.data)
      let rows = stride(from: 0, to: x.rows, by: 37).map { x.row($0).map { 0.9 * $0 } }
      let errors = rows.map { row -> (mean: Double, deviation: Double) in
        let found = interpreter.run(program, inputs: ["x": row]).outputs
        var worst = (mean: 0.0, deviation: 0.0)
        for (m, process) in fixture.model.processes.enumerated() {
          let exact = process.predict(Matrix([row]))
          let scale = (exact.variance[0] + process.hyperparameters.noiseVariance).squareRoot()
          worst.mean = max(
            worst.mean, abs((found["mean"]?[m] ?? .nan) - exact.mean[0]) / process.signalDeviation)
          worst.deviation = max(
            worst.deviation,
            abs((found["deviation"]?[m] ?? .nan) - exact.variance[0].squareRoot()) / scale)
        }
        return worst
      }
      let meanRMS = (errors.reduce(0) { $0 + $1.mean * $1.mean } / Double(errors.count))
        .squareRoot()
      let deviationRMS =
        (errors.reduce(0) { $0 + $1.deviation * $1.deviation } / Double(errors.count)).squareRoot()
      #expect(meanRMS < meanTolerance, "\(sampler.name)")
      #expect(deviationRMS < deviationTolerance, "\(sampler.name)")
    }
  }

  @Test("the closed loop has the same numbers on the host as in the interpreter")
  func closedLoop() throws {
    let fixture = try Fixture()
    for (sampler, _, _) in try fixture.samplers() {
      let rollout = fixture.task.makeRollout(fixture.model, sampler)
      let policy = fixture.task.makePolicy()
      let batch = RolloutBatch(
        parameters: policy.initialParameters(2),
        initialStates: [-0.5, 0.1, 0.3, 0.4, -0.2, 0.2, 0, 0, 0],
        goals: [0, 0, 0.1, 0, 0, 0.2], particles: 3, horizon: 4, draws: DrawKey(seed: 1))
      let expected = InterpreterExecutor(rollout.program, data: rollout.data).gradient(batch)
      let found = try HostExecutor(rollout.program, data: rollout.data).gradient(batch)
      let largest = expected.gradient.map(abs).max() ?? 0
      // Single precision of the exact sampler's deviation: eps sqrt(n) times the factor's size, 1 / sn.
      #expect(
        zip(found.gradient, expected.gradient).allSatisfy { abs($0 - $1) < 5e-3 * largest },
        "\(sampler.name)")
      #expect(
        zip(found.returns.returns, expected.returns.returns).allSatisfy { abs($0 - $1) < 1e-3 },
        "\(sampler.name)")
    }
  }

  @Test("five inputs cannot be tabulated, and the message says what can be done")
  func tooManyInputs() throws {
    var task = try ControlTask("boom")
    task.collectSeconds = 10
    task.model.actionHistory = 2
    task.model.fit.fullIterations = 1
    let model = try task.fit().model
    #expect(model.form.features.count == 5)
    do {
      _ = try TabulatedSampler(model, actionLimits: task.actionLimits)
      Issue.record("five inputs were tabulated")
    } catch let error as TabulationError {
      #expect("\(error)".contains("--sampler exact"))
    }
  }

  @Test("a model with histories, sine and cosine, and integrals rolls out and differentiates")
  func richForms() throws {
    var task = try ControlTask("boom")
    task.collectSeconds = 12
    task.model.fit.fullIterations = 1
    task.model.fit.profile = .matern52
    task.model.actionHistory = 1
    task.model.stateHistory = 1
    task.model.angles = ["angle"]
    task.model.integrals = ["angle": "rate"]
    task.model.restPseudoData = 10
    task.model.noise = .observed
    let model = try task.fit().model
    #expect(model.processes.count == 1)
    let rollout = task.makeRollout(model, ExactSampler(model, noise: .observed))
    let carry = rollout.layout.length
    #expect(carry == 2 * 2 + 1)
    let state = rollout.layout.atRest([0.2, -0.1], action: [0])
    let policy = task.makePolicy()
    let batch = RolloutBatch(
      parameters: policy.initialParameters(5), initialStates: state, goals: [0, 0], particles: 1,
      horizon: 3, draws: DrawKey(seed: 2))
    let executor = InterpreterExecutor(rollout.program, data: rollout.data)
    let gradient = executor.gradient(batch).gradient
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    func mean(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(batch.parameters, direction).map { $0 + step * $1 }
      return executor.returns(moved).mean
    }
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    let difference = (mean(1e-5) - mean(-1e-5)) / 2e-5
    #expect(abs(slope - difference) < 1e-5 * max(abs(slope), 1e-2))
    // Trapezoid: x' = x + T (v + v') / 2 in physical units.
    let path = executor.trajectories(batch)
    let (mean0, scale) = (model.stateStandardiser.mean, model.stateStandardiser.scale)
    func physical(_ step: Int) -> [Double] {
      let state = Array(path.state(step: step, particle: 0))
      return [0, 1].map { state[$0] * scale[$0] + mean0[$0] }
    }
    for k in 0..<3 {
      let (a, b) = (physical(k), physical(k + 1))
      #expect(abs(b[0] - a[0] - 0.5 * 0.05 * (a[1] + b[1])) < 1e-12)
    }
  }
}
