// SPDX-License-Identifier: Apache-2.0
// Learnt rewards and radial-basis policies: their programs against what they stand for, gradients by differences, and
// the way through files.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Programs
import Samplers
import Tasks
import TestSupport
import Testing

@Suite("learnt rewards and radial-basis policies")
struct RewardAndPolicyTests {
  /// The boom with a score that falls off around 0.2 rad.
  private func task() throws -> (task: ControlTask, episodes: [Episode]) {
    var task = try ControlTask("boom")
    task.exploration.seconds = 20
    task.model.fit.fullIterations = 1
    var episodes = try task.trainingEpisodes()
    for e in episodes.indices {
      episodes[e].rewards = episodes[e].states.map { exp(-2 * ($0[0] - 0.2) * ($0[0] - 0.2)) }
      // As from a plant that has no reward to say at a reset.
      episodes[e].rewards[0] = .nan
    }
    task.rewardColumn = "score"
    task.objective.rewards = [.learned(column: "score", weight: 1), .actionChange(0.1)]
    task.model.sampler.name = .tabulated
    return (task, episodes)
  }

  @Test(
    "a reward learnt from a column enters the return with its gradient, and survives the model file"
  )
  func learnedReward() throws {
    let (task, episodes) = try task()
    let (model, _) = try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: task.model.fit)
    let reward = try #require(model.rewardModel)
    let states = [[-0.3, 0.0], [0.1, 0.05], [0.4, -0.1]]
    for (found, state) in zip(reward.predict(states), [-0.3, 0.1, 0.4]) {
      // A smooth function of one state without noise: a hundredth of its range.
      #expect(abs(found - exp(-2 * (state - 0.2) * (state - 0.2))) < 1e-2)
    }
    let path = Scratch.path("reward-model.safetensors")
    try model.write(to: path, provenance: "test")
    let read = try #require(try DynamicsModel(path: path).rewardModel)
    #expect(read.predict(states) == reward.predict(states))

    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let executor = InterpreterExecutor(rollout.program, data: rollout.data)
    var batch = RolloutBatch(
      parameters: task.makePolicy().initialParameters(1),
      initialStates: rollout.slots.first(state: model.stateStandardiser.standardise(states[1])),
      goals: [0, 0], particles: 1,
      horizon: 4, draws: DrawKey(seed: 1))
    let gradient = executor.gradient(batch).gradient
    let host = try HostExecutor(rollout.program, data: rollout.data).gradient(batch).gradient
    let largest = gradient.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(host, gradient).allSatisfy { abs($0 - $1) < 1e-3 * largest })
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: gradient.count)
    let start = batch.parameters
    func mean(_ step: Double) -> Double {
      batch.parameters = zip(start, direction).map { $0 + step * $1 }
      return executor.returns(batch).mean
    }
    let slope = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - (mean(1e-5) - mean(-1e-5)) / 2e-5) < 1e-6 * max(1, abs(slope)))
  }

  @Test("a learnt reward knows no turns of an angle, and promises nothing where there are no data")
  func rewardOfAngles() throws {
    var task = try ControlTask("pendulum")
    task.exploration.seconds = 10
    task.model.fit.fullIterations = 1
    var episodes = try task.trainingEpisodes()
    for e in episodes.indices { episodes[e].rewards = episodes[e].states.map { cos($0[0]) - 1 } }
    task.rewardColumn = "score"
    let (model, _) = try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: task.model.fit)
    let reward = try #require(model.rewardModel)
    let seen = episodes[0].states[20]
    let turned = [seen[0] + 2 * .pi, seen[1]]
    let far = [seen[0], 1e4 * model.stateBounds[1].upperBound]
    let predicted = reward.predict([seen, turned, far])
    #expect(abs(predicted[0] - (cos(seen[0]) - 1)) < 1e-2)
    // Rounding of sin and cos, times the sensitivity of the sum over the data.
    #expect(abs(predicted[1] - predicted[0]) < 1e-9)
    #expect((-2.5...0.5).contains(predicted[2]), "rewards are from -2 to 0")
  }

  @Test("a task that wants a reward which the model has not learnt says so")
  func missingReward() throws {
    var (task, episodes) = try task()
    task.rewardColumn = nil
    episodes = episodes.map {
      Episode(name: $0.name, timeStep: $0.timeStep, states: $0.states, actions: $0.actions)
    }
    let (model, _) = try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: task.model.fit)
    do {
      _ = try task.makeReward(model)
      Issue.record("a reward appeared from nowhere")
    } catch let error as LogError {
      #expect("\(error)".contains("score") && "\(error)".contains("learn the model again"))
    }
  }

  @Test("a radial-basis policy is the sum of Gaussians, with gradients to every parameter")
  func radialBasis() throws {
    let policy = Policy.radialBasis(
      count: 5, inputs: PolicyInputs(stateLength: 2, actionLength: 1), lower: [-2], upper: [2])
    let parameters = policy.initialParameters(3)
    #expect(
      parameters.count == policy.parameterCount && policy.parameterCount == 2 + 10 + 5 + 5 + 1)
    let builder = ProgramBuilder()
    builder.output("u", policy.action(state: builder.input("x", length: 2), goal: nil))
    let program = builder.finish()
    func action(_ theta: [Double]) -> Double {
      Interpreter(shared: [RolloutProgram.parameters: theta]).run(
        program, inputs: ["x": [0.4, -0.7]]
      ).outputs["u"]?[0] ?? .nan
    }
    let raw = (0..<5).reduce(0.0) { sum, k in
      let c = [parameters[2 + 2 * k], parameters[3 + 2 * k]]
      let r2 = (0.4 - c[0]) * (0.4 - c[0]) + (-0.7 - c[1]) * (-0.7 - c[1])
      return sum + parameters[17 + k] * exp(-0.5 * r2)
    }
    #expect(abs(action(parameters) - 2 * tanh(raw)) < 1e-12)
    let adjoint = program.adjoint(
      withRespectTo: [], sharedArrays: [RolloutProgram.parameters])
    let gradient =
      Interpreter(shared: [RolloutProgram.parameters: parameters]).run(
        adjoint, inputs: ["x": [0.4, -0.7], "adj_u": [1]]
      ).sharedAdjoints[RolloutProgram.parameters] ?? []
    for i in parameters.indices {
      var (up, down) = (parameters, parameters)
      up[i] += 1e-6
      down[i] -= 1e-6
      #expect(abs(gradient[i] - (action(up) - action(down)) / 2e-6) < 1e-8)
    }
  }

  /// The same boom without the score, with equation 8 as the reward and a short search.
  private func taskWithoutScore() throws -> (task: ControlTask, episodes: [Episode]) {
    var (task, episodes) = try task()
    task.rewardColumn = nil
    episodes[0].rewards = []
    task.objective.rewards = [.saturating(weights: [10, 0.1], width: 1, units: .standardised)]
    (task.search.starts, task.search.horizon) = (1, 20)
    return (task, episodes)
  }

  @Test("dropout silences its share of the units, anew at every step")
  func dropout() {
    let policy = Policy.radialBasis(
      count: 200, inputs: PolicyInputs(stateLength: 1, actionLength: 1), lower: [-1], upper: [1])
    let builder = ProgramBuilder()
    builder.output(
      "u",
      policy.action(
        state: builder.input("x", length: 1), goal: nil,
        dropout: Dropout(probability: 0.25) { builder.normal(first: 2, length: $0) }))
    let program = builder.finish()
    // Widths 1, centres and exponents 0: at 0 every basis function is 1. Weights 1e-3, no bias.
    let parameters =
      [1] + Array(repeating: 0.0, count: 400) + Array(repeating: 1e-3, count: 200) + [0]
    let counts = (0..<200).map { step -> Double in
      let key = DrawKey(seed: 3)
      let run = Interpreter(shared: [RolloutProgram.parameters: parameters]).run(
        program, inputs: ["x": [0]]
      ) { first, count in
        Array(key.normals(particle: 7, step: step, count: first + count).dropFirst(first))
      }
      let u = run.outputs["u"]?[0] ?? .nan
      return atanh(u) * 0.75 / 1e-3
    }
    #expect(counts.allSatisfy { abs($0 - $0.rounded()) < 1e-9 })
    #expect(Set(counts).count > 10)
    // 150 speak; the standard error of the mean is sqrt(200 * 0.25 * 0.75 / 200) = 0.43.
    #expect(abs(counts.reduce(0, +) / 200 - 150) < 2)
  }

  @Test("rollouts with dropout and sensor noise: the host computes what the interpreter defines")
  func dropoutInRollouts() throws {
    var (task, episodes) = try taskWithoutScore()
    (task.states[0].noise, task.states[1].noise) = (1e-3, 1e-2)
    // More draws than are unrolled.
    task.policy.form = .radialBasis(count: 80)
    task.policy.dropout = 0.25
    let (model, _) = try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: task.model.fit)
    func results(dropout: Double) throws -> (host: BatchGradient, reference: BatchGradient) {
      task.policy.dropout = dropout
      let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
      let batch = RolloutBatch(
        parameters: task.makePolicy().initialParameters(1),
        initialStates: (0..<3).flatMap { _ in
          rollout.slots.first(state: model.stateStandardiser.standardise([-0.3, 0]))
        }, goals: Array(repeating: 0, count: 6), particles: 3, horizon: 4, draws: DrawKey(seed: 1))
      return (
        try HostExecutor(rollout.program, data: rollout.data).gradient(batch),
        InterpreterExecutor(rollout.program, data: rollout.data).gradient(batch)
      )
    }
    let (host, reference) = try results(dropout: 0.25)
    let largest = reference.gradient.map(abs).max() ?? 0
    #expect(largest > 0)
    #expect(zip(host.gradient, reference.gradient).allSatisfy { abs($0 - $1) < 1e-3 * largest })
    let (without, _) = try results(dropout: 0)
    #expect(without.gradient != host.gradient)
  }

  @Test("a policy searched with dropout is judged, predicted and driven whole")
  func judgedWhole() throws {
    var (task, episodes) = try taskWithoutScore()
    task.policy.dropout = 0.5
    task.search.iterations = 10
    let fit = try task.fit(episodes)
    let found = try task.optimize(fit.model, device: .host)
    // What is reported is the mean return of what is predicted.
    #expect(abs(found.predicted.returns.mean - found.state.bestReturn) < 1e-3)
    // All particles begin in one state: without dropout, they are sent the same first action.
    let first = (0..<found.predicted.particles).map {
      found.predicted.action(step: 0, particle: $0).first ?? .nan
    }
    #expect(Set(first).count == 1)
  }

  @Test("a search that only makes things worse keeps the policy that it began with")
  func firstIsJudged() throws {
    var (task, episodes) = try taskWithoutScore()
    // Any use of the valve costs more than the goal is worth.
    task.objective.rewards = [.actionChange(1)]
    task.search.learningRate = 5
    task.search.iterations = 5
    let fit = try task.fit(episodes)
    var zero = task.makePolicy().initialParameters(0)
    for i in zero.indices { zero[i] = 0 }
    let found = try task.optimize(fit.model, from: zero, device: .host)
    #expect(found.state.bestReturn == 0 && found.best.parameters == zero)
  }

  @Test(
    "how far predictions leave the data is counted whatever the sampler",
    arguments: [SamplerName.tabulated, .love])
  func outsideTheData(sampler: SamplerName) throws {
    var (task, episodes) = try taskWithoutScore()
    task.model.sampler.name = sampler
    task.search.iterations = 1
    let fit = try task.fit(episodes)
    let range = fit.model.stateBounds[0]
    #expect(try task.optimize(fit.model, device: .host).outsideFraction < 0.2)
    // One range beyond the data.
    task.objective.start = .fixed([2 * range.upperBound - range.lowerBound, 0])
    #expect(try task.optimize(fit.model, device: .host).outsideFraction > 0.9)
  }
}
