// SPDX-License-Identifier: Apache-2.0
// What a controller sees: derived rates, their filter, the noise of sensors in rollouts, memory of actions and rate
// limits; in the log, in rollouts and on the machine the same.

import Bagel
import Draws
import Execution
import Formulas
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import Programs
import Rollouts
import Samplers
import TestSupport
import Testing

private let layout = LogLayout(
  states: [
    Channel(name: "x"), Channel(name: "v", source: .rate(of: "x", filterTime: 0.2)),
  ], actions: [Channel(name: "u")], timeStep: 0.1)

/// A model of x' = x + T v', v' = v + 0.1 u that was learnt without noise.
private func model(_ layout: LogLayout) throws -> DynamicsModel {
  let key = DrawKey(seed: 2)
  let smoothing = layout.states[1].source.smoothing(timeStep: layout.timeStep)
  let episodes = (0..<4).map { number in
    var (x, v) = (0.0, 0.0)
    var episode = Episode(name: "\(number)", timeStep: 0.1, states: [], actions: [])
    for k in 0..<40 {
      let u = 2 * key.uniforms(particle: number, step: k, count: 1)[0] - 1
      episode.states.append([x, v])
      episode.actions.append([u])
      let next = 0.9 * v + 0.2 * u
      x += 0.1 * (v + (next - v) / smoothing)
      v = next
    }
    return episode
  }
  let form = ModelForm(
    states: 2, actions: 1, integrals: [0: .backwardIntegral(rate: 1, smoothing: smoothing)])
  return try DynamicsModel.fit(episodes, layout: layout, form: form, options: FitOptions()).model
}

/// A policy whose action is the standardised state `index`, within +-100.
private func reading(_ index: Int, largestChange: [Double] = [], history: Int = 0) -> Policy {
  Policy(
    form: .custom("reading"),
    inputs: PolicyInputs(stateLength: 2, actionLength: 1, actionHistory: history), lower: [-100],
    upper: [100], largestChange: largestChange, parameterCount: 1, initialParameters: { _ in [1] }
  ) { z, _ in
    // atanh(z / 100) is z / 100 to 1e-5 for the numbers here.
    z[index] * 0.01 * z.builder.shared(RolloutProgram.parameters, length: 1)
  }
}

private func rollout(
  _ model: DynamicsModel, _ policy: Policy, noise: [Double] = []
) throws -> Rollout {
  Rollout(
    model: model, sampler: try ExactSampler(model.groups[0]), policy: policy,
    reward: try Reward.formula(
      Formula("-x^2 - 0.1 * (u - previous.u)^2", names: ["x", "u", "previous.u"]),
      states: ["x", "v"], goals: ["x", "v"], actions: ["u"]),
    measurementNoise: MeasurementNoise(deviations: noise))
}

private func batch(_ rollout: Rollout, _ parameters: [Double], particles: Int, horizon: Int)
  -> RolloutBatch
{
  RolloutBatch(
    parameters: parameters,
    initialStates: (0..<particles).flatMap { _ in rollout.slots.first(state: [0.3, -0.2]) },
    goals: Array(repeating: 0, count: 2 * particles), particles: particles, horizon: horizon,
    draws: DrawKey(seed: 3), functionDraws: [])
}

@Suite("signals")
struct SignalTests {
  @Test(
    "a filtered rate is what its difference equation says, and reading a log gives the same bits")
  func filter() throws {
    let x = (0..<30).map { sin(0.3 * Double($0)) }
    var signals = CausalSignals(layout)
    let states = x.map { signals.next([$0]) }
    let gain = 1 - exp(-0.5)
    #expect(states[0] == [0, 0] && states[1][1] == (x[1] - x[0]) / 0.1)
    for k in 2..<30 {
      let expected = states[k - 1][1] + gain * ((x[k] - x[k - 1]) / 0.1 - states[k - 1][1])
      #expect(abs(states[k][1] - expected) < 1e-14)
    }
    let path = Scratch.path("log.csv")
    let writer = try LogWriter(path: path, layout: layout)
    for (k, value) in x.enumerated() {
      try writer.append(
        time: Double(k) * 0.1, measured: [value], exogenous: [Double(k) / 3], reward: nil)
    }
    writer.close()
    // The first row has no rate and is left out.
    let episode = try layout.episodes(from: [path])[0]
    #expect(episode.states == Array(states.dropFirst()))
    #expect(episode.actions.map { $0[0] } == (1..<30).map { Double($0) / 3 })
  }

  @Test("a position that integrates a filtered rate is predicted exactly")
  func integration() throws {
    let model = try model(layout)
    var episode = Episode(name: "held", timeStep: 0.1, states: [], actions: [])
    var signals = CausalSignals(layout)
    for k in 0..<30 {
      episode.states.append(signals.next([0.05 * sin(0.2 * Double(k))]))
      episode.actions.append([cos(0.7 * Double(k))])
    }
    let found = try model.heldOutFigures([episode], training: [episode])
    // x' - x follows from v' and v alone: its error is that of v' times T / a.
    let gain = layout.states[1].source.smoothing(timeStep: 0.1)
    #expect(abs(found[0].rmse - 0.1 / gain * found[1].rmse) < 1e-12)
  }

  @Test("sensor noise reaches the policy through the rate's filter with its own deviation")
  func sensorNoise() throws {
    let (model, sigma, n) = (try model(layout), 0.02, 4_000)
    let policy = reading(1)
    let quiet = try rollout(model, policy)
    let noisy = try rollout(model, policy, noise: [sigma, 0])
    let horizon = 20
    func actions(_ rollout: Rollout) throws -> BatchTrajectories {
      try HostExecutor(rollout.program, data: rollout.data)
        .trajectories(batch(rollout, [0], particles: n, horizon: horizon))
    }
    #expect(try actions(quiet).states.count < actions(noisy).states.count)
    // With parameters 0 the state does not depend on what is read, so the reading is taken from the memory: the last number of
    // its part of the carry is e, the filtered noise (physical units).
    let paths = try actions(noisy)
    let slot = try #require(noisy.slots.carry.last { $0.name.hasPrefix("sensor noise") })
    let errors = (0..<n).map { paths.carry(step: horizon, particle: $0)[slot].last ?? .nan }
    let gain = 1 - exp(-0.5)
    // e_k - (1 - a) e_(k-1) = a (n_k - n_(k-1)) / T: variance 2 a^2 s^2 / T^2 / ((1 + (1 - a)) ...) by its spectrum:
    // sum of squares of the impulse response a / T (1, -a, -a (1 - a), -a (1 - a)^2, ...).
    var (response, sum) = (gain / 0.1, 0.0)
    sum += response * response
    response = -gain * gain / 0.1
    for _ in 0..<200 {
      sum += response * response
      response *= 1 - gain
    }
    let variance = errors.reduce(0) { $0 + $1 * $1 } / Double(n)
    #expect(abs(variance / (sigma * sigma * sum) - 1) < 4 * (2 / Double(n)).squareRoot())
  }

  @Test("noise, memory and rate limits: host against interpreter, gradient against differences")
  func executors() throws {
    let model = try model(layout)
    let inputs = PolicyInputs(
      stateLength: 2, actionLength: 1, goal: .error, angles: [0], actionHistory: 2)
    let policy = Policy.network(
      hidden: [4], inputs: inputs, lower: [-1], upper: [2], largestChange: [0.4])
    let rollout = try rollout(model, policy, noise: [0.01, 0])
    let theta = policy.initialParameters(5)
    let batch = batch(rollout, theta, particles: 6, horizon: 8)
    let reference = InterpreterExecutor(rollout.program, data: rollout.data)
    let host = try HostExecutor(rollout.program, data: rollout.data)
    let (expected, found) = (reference.gradient(batch), try host.gradient(batch))
    let scale = max(1, expected.gradient.map(abs).max() ?? 1)
    for (a, b) in zip(expected.gradient, found.gradient) {
      // Rounding of 6e-8 at each of 8 steps, growing at most a hundredfold.
      #expect(abs(a - b) < 8 * 6e-8 * 100 * scale)
    }
    let direction = DrawKey(seed: 9).normals(particle: 0, step: 0, count: theta.count)
    func mean(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(theta, direction).map { $0 + step * $1 }
      return reference.returns(moved).mean
    }
    let difference = (mean(1e-6) - mean(-1e-6)) / 2e-6
    let slope = zip(expected.gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(difference - slope) < 1e-6 * max(1, abs(slope)))
  }

  @Test("a rate limit holds in rollouts, in the controller and on the plant")
  func rateLimit() throws {
    let model = try model(layout)
    let policy = reading(0, largestChange: [0.05], history: 1)
    let rollout = try rollout(model, policy)
    let paths = try HostExecutor(rollout.program, data: rollout.data).trajectories(
      batch(rollout, [50], particles: 2, horizon: 12))
    var last = 0.0
    for k in 0..<12 {
      let action = Double(paths.action(step: k, particle: 0).first ?? 0)
      #expect(abs(action - last) <= 0.05 + 1e-6)
      last = action
    }
    #expect(abs(last) > 0.2)
    let controller = PolicyController(
      policy: policy, parameters: [50], stateMean: [0, 0], stateScale: [1, 1])
    var run = controller.begin()
    let steps = (0..<5).map { _ in run.action(observed: [1, 0], goal: [0, 0])[0] }
    for (k, action) in steps.enumerated() { #expect(abs(action - 0.05 * Double(k + 1)) < 1e-12) }
    var plant: any Plant = Pendulum()
    var episode = EpisodeRun(
      layout: LogLayout(states: plant.states, actions: plant.actions, timeStep: plant.timeStep),
      actionLimits: [-2...2], safeAction: [1], steps: 30)
    episode.largestChange = [0.1]
    let outcome = try episode.run(&plant, seed: 1, name: "limited") { _, _ in [-5] }
    for (k, action) in outcome.episode.actions.dropLast().enumerated() {
      #expect(abs(action[0] - max(1 - 0.1 * Double(k + 1), -2)) < 1e-12)
    }
    #expect(outcome.episode.actions.last == [1])
  }
}
