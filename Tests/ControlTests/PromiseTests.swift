// SPDX-License-Identifier: Apache-2.0
// Promises: the return of an episode against that of the rollout it came from, halves of a model against the rows that they have not
// seen, and what is promised and scored.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import MachineLogs
import PolicySearch
import Rollouts
import Tasks
import TestSupport
import Testing

@Suite("promises")
struct PromiseTests {
  /// The boom's task with rollouts of a few seconds, and its model of a short log.
  private static func boom(seconds: Double) throws -> (task: ControlTask, model: DynamicsModel) {
    var task = try ControlTask("boom")
    task.exploration.seconds = seconds
    task.model.fit.fullIterations = 1
    (task.search.horizons, task.search.horizon) = ([120], 120)
    task.evaluation.settle = 3
    let model = try DynamicsModel.fit(
      try task.trainingEpisodes(seed: 0), layout: task.layout, form: try task.modelForm(),
      options: task.model.fit
    ).model
    return (task, model)
  }

  @Test("an episode with a rollout's rows has the rollout's return")
  func episodeReturn() throws {
    var (task, model) = try Self.boom(seconds: 15)
    task.search.particles = 8
    let reward = try task.makeReward(model)
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let executor = try task.makeExecutor(rollout)
    let parameters = task.makePolicy().initialParameters(2)
    let optimizer = PolicyOptimizer(
      PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
      initialStates: task.objective.start, goals: try task.goals(for: model), options: task.search,
      initialParameters: task.makePolicy().initialParameters)
    let driven = try executor.trajectories(optimizer.batch(parameters: parameters, iteration: 5))
    let rewards = EpisodeReturn(reward, on: model, goalForm: task.goalForm, goals: nil)
    for b in 0..<8 {
      let states = (0...120).map {
        model.stateStandardiser.restore(Array(driven.carry(step: $0, particle: b).prefix(2)))
      }
      let actions = (0..<120).map { Array(driven.action(step: $0, particle: b)) }
      let episode = Episode(
        name: "rollout", timeStep: 0.05, states: states, actions: actions + [[0]])
      let value = rewards.value(episode, goal: [0, 0], steps: 120, rest: task.safeAction)
      // Rollouts compute in single precision.
      #expect(abs(value - driven.returns.returns[b]) < 1e-4 * (1 + abs(value)))
    }
  }

  @Test("halves know half of the rows each, and are off on the other's by what their means miss")
  func halves() throws {
    let (_, model) = try Self.boom(seconds: 30)
    let halves = try model.halves()
    #expect(halves.count == 2)
    #expect(halves.reduce(0) { $0 + $1.model.features.rows } == model.features.rows)
    #expect(abs(halves[0].model.features.rows - halves[1].model.features.rows) <= 40)
    for half in halves {
      // What the whole model knows and the half does not.
      let (own, whole) = (half.model.processes[0], model.processes[0])
      let point = model.features.selecting(rows: [5])
      #expect(own.predict(point).variance[0] >= whole.predict(point).variance[0] * (1 - 1e-6))
      #expect(half.offDeviations.allSatisfy { $0 >= 0 && $0 < 1 })
    }
    // Targets that drift by themselves for seconds are what a mean of the state cannot tell.
    var drifting = model
    let process = model.processes[1]
    let y = process.y.enumerated().map { $1 + sin(Double($0) / 40) }
    drifting.processes[1] = try GaussianProcess(
      process.hyperparameters, x: process.x, y: y, what: "drift")
    let off = try drifting.halves().map { $0.offDeviations[1] }
    #expect(off.allSatisfy { $0 > 0.3 }, "\(off)")
  }

  @Test("what is promised of a policy is scored by episodes on the plant")
  func promise() throws {
    var (task, model) = try Self.boom(seconds: 60)
    var parameters = task.makePolicy().initialParameters(0).map { _ in 0.0 }
    parameters[parameters.count - 1] = 0.4
    let controller = task.controller(parameters, on: model)
    task.evaluation.seconds = 6
    task.evaluation.episodes = 4
    let promise = try #require(try task.promise(of: controller, on: model))
    #expect(promise.errors.count == 1 && promise.rollouts == 1_000)
    #expect(promise.errors[0] > 0 && promise.errors[0] < 2)
    let range = try #require(promise.episodeReturn)
    #expect(range.contains(promise.meanReturn))
    let evaluation = try task.evaluate(controller, seed: 3)
    let score = try task.score(promise, by: evaluation, on: model)
    #expect(score.steps == 4 && score.returns == 4)
    // Rollouts know where a constant command leads.
    #expect(score.errorsInside[0] >= 2, "\(promise.errors) \(evaluation.steps)")
    // An error that is larger than the promise is not inside it.
    var tight = promise
    tight.errors = [0]
    #expect(try task.score(tight, by: evaluation, on: model).errorsInside == [0])
    // Goals one after another have no return of their own, and an end by success breaks no promise.
    var several = task
    several.evaluation.goalInterval = 3
    #expect(try several.promise(of: controller, on: model)?.episodeReturn == nil)
    var ended = evaluation
    (ended.episodes[0].earlyEnd, ended.episodes[0].doneAs) = ("done", .success)
    #expect(try task.score(promise, by: ended, on: model).steps == 3)
  }

  @Test("of constraints it says how many rollouts of the halves leave them")
  func constraints() throws {
    var (task, model) = try Self.boom(seconds: 60)
    let text =
      task.source
      + "\nconstraints: [{quantity: abs(rate), below: 0.1}, {quantity: rate, below: 50}]"
    task.objective.ownConstraints = try ControlTask(yaml: text, file: "t.yaml", folder: ".")
      .objective.ownConstraints
    var parameters = task.makePolicy().initialParameters(0).map { _ in 0.0 }
    parameters[parameters.count - 1] = 0.6
    let promise = try #require(
      try task.promise(of: task.controller(parameters, on: model), on: model))
    #expect(promise.constraints.map(\.trials) == [1_000, 1_000])
    #expect(promise.constraints[0].violations > 900 && promise.constraints[1].violations == 0)
    #expect(promise.constraints[1].upperBound95 < 0.004)
  }

  @Test("of a few rows nothing is promised")
  func tooFew() throws {
    let (task, model) = try Self.boom(seconds: 2.5)
    let controller = task.controller(task.makePolicy().initialParameters(0), on: model)
    #expect(try task.promise(of: controller, on: model) == nil)
  }
}
