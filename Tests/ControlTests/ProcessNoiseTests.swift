// SPDX-License-Identifier: Apache-2.0
// What moves particles beside a model's mean: its size and its memory in rollouts, what left-out blocks say of it for a machine that is
// disturbed and for one with a noisy sensor, and its place in the model's file. And bands that widen where a run leaves the data.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice
import Rollouts
import Samplers
import Tasks
import TensorFiles
import TestSupport
import Testing

@Suite("process noise")
struct ProcessNoiseTests {
  private let layout = LogLayout(
    states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)
  private let form = ModelForm(states: 1, actions: 1)

  /// x' = 0.9 x + 0.3 u + d with d' = 0.8 d + 0.6 e, seen with a sensor's noise.
  private func episode(_ seed: UInt64, disturbance: Double, sensor: Double, rows: Int = 250)
    -> Episode
  {
    let draws = DrawKey(seed: seed).normals(particle: 0, step: 0, count: 3 * rows)
    var (x, d, u) = (0.0, 0.0, 0.0)
    var (states, actions): ([[Double]], [[Double]]) = ([], [])
    for k in 0..<rows {
      if k % 7 == 0 { u = draws[k] }
      states.append([x + sensor * draws[rows + k]])
      actions.append([u])
      d = 0.8 * d + 0.6 * draws[2 * rows + k]
      x = 0.9 * x + 0.3 * u + disturbance * d
    }
    return Episode(name: "machine \(seed)", timeStep: 0.1, states: states, actions: actions)
  }

  private func model(_ episodes: [Episode]) throws -> DynamicsModel {
    try DynamicsModel.fit(episodes, layout: layout, form: form, options: FitOptions()).model
  }

  @Test("a disturbance that lasts moves the particles, a sensor's noise does not")
  func split() throws {
    func figures(disturbance: Double, sensor: Double) throws -> ProcessNoiseFigures {
      let episodes = (0..<4).map { episode($0, disturbance: disturbance, sensor: sensor) }
      let choice = try ProcessNoiseChoice(
        try model(episodes), learntFrom: episodes, FitOptions())
      return try #require(choice.choose())
    }
    let disturbed = try figures(disturbance: 0.1, sensor: 0)
    #expect(disturbed.isSure && disturbed.relativeCRPS < 0.9)
    #expect(disturbed.noise[0].share >= 0.7 && disturbed.noise[0].correlation >= 0.5)
    for (steps, factors) in disturbed.bandFactors {
      #expect((0.7...1.4).contains(factors[0]), "\(steps) steps: \(factors[0])")
    }
    let noisy = try figures(disturbance: 0, sensor: 0.1)
    #expect(noisy.noise[0].share <= 0.2, "\(noisy.noise)")
  }

  @Test(
    "draws have the share of the noise and follow those of the step before",
    arguments: [SamplerName.exact, .tabulated, .love])
  func rollouts(name: SamplerName) throws {
    let (share, correlation) = (0.5, 0.8)
    var model = try model((0..<2).map { episode($0, disturbance: 0.1, sensor: 0.05) })
    var task = try ControlTask("boom")
    task.setChannels(of: layout, actionLimits: [-1...1])
    func increments() throws -> [[Double]] {
      let particles = 2_000
      var options = SamplerOptions()
      options.name = name
      let sampler = try model.sampler(options, actionLimits: [-1...1]).sampler
      let rollout = Rollout(
        model: model, sampler: sampler, policy: task.makePolicy(),
        reward: Reward { $0.state[0] * 0 })
      let parameters = [Double](repeating: 0, count: rollout.program.parameterCount)
      let batch = RolloutBatch(
        parameters: parameters,
        initialStates: (0..<particles).flatMap { _ in rollout.slots.first(state: [0.1]) },
        goals: [Double](repeating: 0, count: particles), particles: particles, horizon: 3,
        draws: DrawKey(seed: 3))
      let run = try HostExecutor(
        rollout.program, data: rollout.data, particles: particles
      ).trajectories(batch)
      // What is drawn beside the mean of the present state, in standardised increments.
      return (0..<3).map { step in
        let now = (0..<particles).map { b -> Double in
          let carry = run.carry(step: step, particle: b)
          return carry[carry.startIndex]
        }
        let next = (0..<particles).map { b -> Double in
          let carry = run.carry(step: step + 1, particle: b)
          return carry[carry.startIndex]
        }
        let states = model.stateStandardiser
        let physical = now.map { $0 * states.scale[0] + states.mean[0] }
        let mean = model.predictIncrements(physical.map { [$0, 0] }).mean
        return zip(zip(now, next), mean).map { pair, mean in
          (pair.1 - pair.0) * states.scale[0] - mean[0]
        }
      }
    }
    func moments(_ a: [Double], _ b: [Double]) -> Double {
      zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } / Double(a.count)
    }
    let scale = model.incrementStandardiser.scale[0]
    let noise = model.processes[0].hyperparameters.noiseVariance * scale * scale
    model.processNoise = [ProcessNoise(share: share, correlation: correlation)]
    let drawn = try increments()
    for step in 0..<3 {
      // The latent function's variance comes on top; it is small here.
      let variance = moments(drawn[step], drawn[step])
      #expect(variance > 0.8 * share * share * noise && variance < 1.6 * share * share * noise)
    }
    for (a, b, expected) in [(0, 1, correlation), (1, 2, correlation), (0, 2, 0.64)] {
      let found =
        moments(drawn[a], drawn[b])
        / (moments(drawn[a], drawn[a]) * moments(drawn[b], drawn[b])).squareRoot()
      #expect(abs(found - expected) < 0.05, "steps \(a) and \(b): \(found)")
    }
    model.processNoise = [ProcessNoise(share: share, correlation: 0)]
    let fresh = try increments()
    #expect(abs(moments(fresh[0], fresh[1])) < 0.1 * moments(fresh[0], fresh[0]))
  }

  @Test(
    "a rollout whose draws follow one another is the same on every executor, and its gradient that of differences"
  )
  func gradients() throws {
    var (task, model) = try SmallBoom.fitted()
    model.processNoise = model.processes.map { _ in ProcessNoise(share: 0.6, correlation: 0.7) }
    task.model.sampler.name = .sparse
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let parameters = task.makePolicy().initialParameters(5)
    func batch(_ parameters: [Double]) -> RolloutBatch {
      RolloutBatch(
        parameters: parameters, initialStates: rollout.slots.first(state: [0.2, -0.1]),
        goals: [0, 0], particles: 1, horizon: 5, draws: DrawKey(seed: 2))
    }
    let interpreter = InterpreterExecutor(rollout.program, data: rollout.data)
    let expected = interpreter.gradient(batch(parameters)).gradient
    let found = try HostExecutor(rollout.program, data: rollout.data).gradient(batch(parameters))
    let largest = expected.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(found.gradient, expected).allSatisfy { abs($0 - $1) < 5e-3 * largest })
    let check = DirectionalCheck(expected, at: parameters) {
      interpreter.gradient(batch($0)).returns.mean
    }
    #expect(check.error(least: largest) < 1e-5)
  }

  @Test("the model's file has it, and none that is beyond its range")
  func file() throws {
    var model = try model((0..<2).map { episode($0, disturbance: 0.1, sensor: 0) })
    let plain = model.fingerprint
    model.processNoise = [ProcessNoise(share: 0.4, correlation: 0.8)]
    let path = Scratch.path("noise.safetensors")
    try model.write(to: path, provenance: "test")
    #expect(try DynamicsModel(path: path).processNoise == model.processNoise)
    #expect(model.fingerprint != plain)
    for noise in [
      [ProcessNoise(share: 1.5, correlation: 0)], [ProcessNoise(share: 0.5, correlation: 1)],
      [ProcessNoise(share: 0.5, correlation: -0.1)],
      [ProcessNoise](repeating: ProcessNoise(share: 0.5, correlation: 0), count: 2),
    ] {
      model.processNoise = noise
      let wrong = model
      #expect(throws: TensorFileError.self) { try wrong.write(to: path, provenance: "test") }
    }
  }

  @Test("bands widen where a run leaves the data, and stay where it does not")
  func widening() throws {
    let training = (0..<4).map { episode($0, disturbance: 0.05, sensor: 0.01) }
    let model = try model(training)
    let forecasts = try HorizonForecasts(of: model, learntFrom: training, FitOptions())
    /// Mean width of the 95 % band ten steps ahead.
    func width(_ held: Episode) -> Double {
      let all = forecasts.horizons([held]).filter { $0.steps == 10 }
      return all.reduce(0) { $0 + ($1.quantiles.last ?? 0) - ($1.quantiles.first ?? 0) }
        / Double(all.count)
    }
    let usual = episode(9, disturbance: 0.05, sensor: 0.01)
    var far = usual
    far.states = far.states.map { [5 * $0[0]] }
    far.actions = far.actions.map { [5 * $0[0]] }
    // The references know as well where the data are: their bands are no wider than those of a line that they may have chosen.
    let reference = try HorizonReference(of: training, layout: layout)
    let figures = HorizonFigures([usual], layout: layout, forecasts, reference)
    for row in figures.rows {
      #expect(row.referenceCRPS[0] < 1.25 * row.crps[0], "\(row.steps) steps")
    }
    let known = width(training[0])
    #expect(abs(width(usual) / known - 1) < 0.3)
    #expect(width(far) > 2.5 * known && width(far) < 12 * known)
  }
}
