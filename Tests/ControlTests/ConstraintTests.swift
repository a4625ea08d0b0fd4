// SPDX-License-Identifier: Apache-2.0
// Constraints: read from tasks, made of limits, added up in rollouts, kept by searches, counted in rollouts and on plants.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Rollouts
import Samplers
import Tasks
import TestSupport
import Testing

@Suite("constraints")
struct ConstraintTests {
  /// The boom from half a minute of driving; a search of two seconds.
  private static let yaml = """
    name: slow-boom
    timeStep: 0.05
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: valve, limits: [-1, 1]}]
    quantities: {slope: {formula: angle / 2, limits: [-3, 3]}, push: abs(valve)}
    plant: boom
    explore: {kind: manual, seconds: 30, turningPoints: [-0.5, 0.5]}
    model: {covariance: squared-exponential, mean: linear, integrate: {angle: rate}, restPseudoData: 20, sampler: tabulated}
    policy: {layers: [6]}
    reward: [{saturating: {weights: [10, 0.1]}}, {actionChange: 1}]
    start: [-0.4, 0]
    goal: [0, 0]
    constraints:
      - {quantity: abs(rate), below: 0.3}
      - {quantity: push + 0 * previous.valve, below: 0.6, probability: 0.9}
    optimise: {particles: 64, horizon: 60, starts: 3, iterations: 150, keepLimits: true}
    evaluate: {episodes: 2, seconds: 3, tolerance: 0.1}
    """

  private static func task(_ from: String = "", _ to: String = "") throws -> ControlTask {
    let text = from.isEmpty ? yaml : yaml.replacingOccurrences(of: from, with: to)
    precondition(from.isEmpty || text != yaml, "'\(from)' does not stand in the task")
    return try ControlTask(yaml: text, file: "t.yaml", folder: ".")
  }

  private static let fitted = Result { try task().fit().model }

  @Test("a task says bounds of formulas, and its limits are bounds too unless it says otherwise")
  func reading() throws {
    let constraints = try Self.task().constraints
    #expect(
      constraints.map(\.words) == [
        "abs(rate) below 0.3", "push + 0 * previous.valve below 0.6", "slope within -3.0 to 3.0",
      ])
    #expect(constraints.map(\.probability) == [0.99, 0.9, 0.99])
    #expect(try Self.task("keepLimits: true", "keepLimits: false").constraints.count == 2)
    let limited = try Self.task("{name: angle, units: rad}", "{name: angle, limits: [-1, 0.9]}")
    #expect(limited.constraints.map(\.words).contains("angle within -1.0 to 0.9"))
    // A limit that is a constraint too has the constraint's probability.
    let both = try Self.task(
      "abs(rate), below: 0.3", "slope, above: -3, below: 3, probability: 0.9")
    #expect(both.constraints.map(\.probability) == [0.9, 0.9])
  }

  @Test(
    "what cannot be kept is refused with its line",
    arguments: [
      ("abs(rate)", "abs(rat)", "'rat' is unknown"), (", below: 0.3", "", "has no bound"),
      ("below: 0.3", "below: 0.3, above: 0.4", "no value lies between"),
      ("probability: 0.9", "probability: 1", "probability"),
      ("probability: 0.9", "probability: 0.2", "probability"),
      ("push + 0 * previous.valve, below: 0.6", "abs(rate), below: 0.3", "twice"),
      ("quantity: abs(rate), ", "", "quantity"),
    ])
  func refused(from: String, to: String, message: String) {
    let error = #expect(throws: LogError.self) { try Self.task(from, to) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(message))
    #expect("\(error.map { "\($0)" } ?? "")".contains("t.yaml:"))
  }

  /// A rollout of the first policy through the exact posterior.
  private func closedLoop() throws -> (rollout: Rollout, batch: RolloutBatch, task: ControlTask) {
    let (task, model) = (try Self.task(), try Self.fitted.get())
    var options = SamplerOptions()
    options.name = .exact
    let sampler = try model.sampler(options, actionLimits: task.actionLimits).sampler
    let rollout = try task.makeRollout(model, sampler)
    let count = 10
    let standardiser = model.stateStandardiser
    let starts = (0..<count).flatMap { b in
      let state = standardiser.standardise([-0.5 + 0.05 * Double(b), 0.1])
      return rollout.start(state: state, particle: b, key: DrawKey(seed: 1))
    }
    let goal = standardiser.standardise([0, 0])
    let policy = task.makePolicy()
    return (
      rollout,
      RolloutBatch(
        parameters: policy.initialParameters(3).map { 3 * $0 }, initialStates: starts,
        goals: (0..<count).flatMap { _ in goal }, particles: count, horizon: 20,
        draws: DrawKey(seed: 4), totalWeights: Rollout.totalWeights(multipliers: [0.7, 1.3, 0])),
      task
    )
  }

  @Test("a rollout adds up by how much each bound is left, and a penalty whose slope is known")
  func totals() throws {
    let (rollout, batch, task) = try closedLoop()
    let interpreter = InterpreterExecutor(rollout.program, data: rollout.data)
    let paths = interpreter.trajectories(batch)
    let scale = try #require(task.makeConstraints(try Self.fitted.get())[1] as StepConstraint?)
      .scale
    for b in 0..<batch.particles {
      let actions = (0..<batch.horizon).map { step in
        paths.action(step: step, particle: b).first ?? .nan
      }
      let excess = actions.reduce(0) { $0 + max(0, (abs($1) - 0.6) / scale) }
      let found = paths.returns.total(Rollout.excessIndex(ofConstraint: 1))[b]
      #expect(abs(found - excess) < 1e-9 * max(1, excess))
    }
    #expect(paths.returns.violations(2) == 0, "no slope comes near 3 rad")
    // The gradient of return and penalties together, along a line.
    let gradient = interpreter.gradient(batch).gradient
    let direction = DrawKey(seed: 8).normals(particle: 0, step: 0, count: gradient.count)
    func objective(_ step: Double) -> Double {
      var moved = batch
      moved.parameters = zip(batch.parameters, direction).map { $0 + step * $1 }
      return interpreter.returns(moved).objective
    }
    let slope = (objective(1e-5) - objective(-1e-5)) / 2e-5
    let predicted = zip(gradient, direction).reduce(0) { $0 + $1.0 * $1.1 }
    #expect(abs(slope - predicted) < 1e-4 * max(1, abs(slope)))
    // The kernel adds up the same.
    let host = try HostExecutor(rollout.program, data: rollout.data).returns(batch)
    for (a, b) in zip(host.totals, paths.returns.totals) {
      #expect(abs(a - b) < 2e-3 * max(1, abs(b)))
    }
  }

  @Test("constraints see states as sensors do")
  func sensors() throws {
    var model = try Self.fitted.get()
    // What of the residual moves particles is no sensor's: here none, then all of it.
    model.processNoise = nil
    // The boom's: 5e-4 rad and 5e-3 rad/s; its rate's residual has hidden motion besides.
    #expect(model.sensorDeviations[0] == 0, "a position that is integrated")
    #expect((2e-3...3e-2).contains(model.sensorDeviations[1]))
    model.processNoise = model.processes.map { _ in ProcessNoise(share: 1, correlation: 0) }
    #expect(model.sensorDeviations[1] == 0)
  }

  @Test("a search keeps what it is told, and counts it; without constraints it does not")
  func search() throws {
    let model = try Self.fitted.get()
    let kept = try Self.task().optimize(model)
    #expect(kept.constraints.count == 3)
    for figures in kept.constraints {
      #expect(figures.isKept, "\(figures.sentence)")
      #expect(figures.trials >= ControlTask.countedRollouts)
      #expect(figures.sentence.contains("if the model is right"))
    }
    #expect(kept.state.bestExcess == 0)
    var free = try Self.task()
    (free.objective.ownConstraints, free.objective.keepsLimits) = ([], false)
    let other = try free.optimize(model)
    #expect(other.constraints.isEmpty && other.state.bestReturn > kept.state.bestReturn)
    let unit = model.stateStandardiser.scale[1]
    let fastest = (0...60).map { step in
      abs(other.predicted.carry(step: step, particle: 0).dropFirst().first.map { $0 * unit } ?? 0)
    }.max()
    #expect((fastest ?? 0) > 0.3, "the bound does not bind")
  }

  @Test("a search that goes on from a file is the one that was not stopped")
  func resumed() throws {
    let model = try Self.fitted.get()
    var task = try Self.task()
    task.search.iterations = 14
    let path = Scratch.path("constrained.safetensors")
    var steps = 0
    let broken = try task.optimize(model, checkpoint: path) { _ in
      steps += 1
      return steps < 6
    }
    #expect(!broken.isFinished && broken.constraints.isEmpty)
    let resumed = try task.optimize(model, checkpoint: path)
    let whole = try task.optimize(model)
    #expect(resumed.state.parameters == whole.state.parameters)
    #expect(resumed.state.multipliers == whole.state.multipliers)
    #expect(resumed.constraints.map(\.violations) == whole.constraints.map(\.violations))
  }

  @Test("episodes of a plant are counted by the rows after the first")
  func episodes() throws {
    let task = try Self.task()
    var episode = Episode(
      name: "", timeStep: 0.05, states: [[0, 9], [0, 0.1], [0, 0.29]],
      actions: [[0.5], [0.2], [7]])
    #expect(task.constraints.map { task.isLeft($0, by: episode) } == [false, false, false])
    episode.states[2][1] = -0.31
    episode.actions[0][0] = -0.61
    #expect(task.constraints.map { task.isLeft($0, by: episode) } == [true, true, false])
    episode.states[1][0] = .nan
    #expect(task.constraints.map { task.isLeft($0, by: episode) } == [true, true, true])
  }

  @Test(
    "Clopper and Pearson's bound",
    arguments: [
      // scipy.stats.beta.ppf(0.95, k + 1, n - k)
      (0, 100, 0.029513049607039925), (5, 100, 0.1022533776432745),
      (12, 2_000, 0.009703194529571085), (699, 100_000, 0.007439118121629752), (7, 7, 1),
    ])
  func bound(count: Int, trials: Int, expected: Double) {
    #expect(abs(binomialUpperBound(count: count, trials: trials) - expected) < 1e-9)
  }
}
