// SPDX-License-Identifier: Apache-2.0
// The search against a problem with a known answer (linear-quadratic regulator), and its promise to resume
// with the same bits.

import Bagel
import Draws
import Execution
import Formulas
import Foundation
import GaussianProcesses
import MachineLogs
import PolicySearch
import Programs
import Tasks
import TestSupport
import Testing

/// A log of a double integrator x' = x + T v, v' = v + T u under random actions, with a little noise.
private func doubleIntegrator(timeStep: Double) -> Episode {
  let key = DrawKey(seed: 8)
  var state = [0.0, 0.0]
  var states: [[Double]] = []
  var actions: [[Double]] = []
  for k in 0..<250 {
    let z = key.normals(particle: 0, step: k, count: 3)
    // A weak pull to the origin keeps the data near it.
    let u = 2 * z[0] - 1.5 * state[0] - 1.5 * state[1]
    states.append([state[0] + 1e-4 * z[1], state[1] + 1e-4 * z[2]])
    actions.append([u])
    state = [state[0] + timeStep * state[1], state[1] + timeStep * u]
  }
  return Episode(name: "double integrator", timeStep: timeStep, states: states, actions: actions)
}

private func doubleIntegratorTask() -> ControlTask {
  let layout = LogLayout(
    states: [Channel(name: "x"), Channel(name: "v")], actions: [Channel(name: "u")], timeStep: 0.1)
  var task = ControlTask(layout, actionLimits: [-8...8])
  task.name = "double integrator"
  task.policy.form = .network(hidden: [])
  task.objective.rewards = [.quadratic(weights: [1, 0.2], actionWeights: [0.1], units: .physical)]
  task.objective.start = .normal(mean: [0, 0], deviation: [0.3, 0.3])
  task.objective.goal = .fixed([0, 0])
  task.search.horizon = 80
  task.search.particles = 64
  task.search.iterations = 400
  task.search.learningRate = 0.02
  return task
}

/// The double integrator's model.
private func learnt(_ task: ControlTask) throws -> DynamicsModel {
  try DynamicsModel.fit(
    [doubleIntegrator(timeStep: 0.1)], layout: task.layout, form: try task.modelForm(),
    options: task.model.fit
  ).model
}

/// The infinite-horizon regulator's gain of x' = A x + B u by iterating the Riccati equation.
private func riccatiGain(timeStep t: Double) -> [Double] {
  var p = [[1.0, 0.0], [0.0, 0.2]]
  var gain = [0.0, 0.0]
  for _ in 0..<2_000 {
    // B = (0, t); A = [[1, t], [0, 1]].
    let s = 0.1 + t * t * p[1][1]
    gain = [t * p[1][0] / s, t * (t * p[1][0] + p[1][1]) / s]
    let a = [[1, t], [-t * gain[0], 1 - t * gain[1]]]
    var next = [
      [1.0 + 0.1 * gain[0] * gain[0], 0.1 * gain[0] * gain[1]],
      [0.1 * gain[0] * gain[1], 0.2 + 0.1 * gain[1] * gain[1]],
    ]
    for i in 0..<2 {
      for j in 0..<2 {
        for k in 0..<2 { for l in 0..<2 { next[i][j] += a[k][i] * p[k][l] * a[l][j] } }
      }
    }
    p = next
  }
  return gain
}

/// The host's executor as if it took eight iterations at once, like a GPU.
private final class EightInFlight: RolloutExecutor {
  let host: HostExecutor
  var rollout: RolloutProgram { host.rollout }
  var device: String { host.device }
  let iterationsInFlight = 8
  /// Sizes of the ascents asked for.
  private(set) var asked: [Int] = []

  init(_ host: HostExecutor) { self.host = host }
  func fingerprint(particles: Int) -> String { host.fingerprint(particles: particles) }
  func rebind(_ name: String, _ values: [Double]) throws { try host.rebind(name, values) }
  func returns(_ batch: RolloutBatch) throws -> BatchReturns { try host.returns(batch) }
  func gradient(_ batch: RolloutBatch) throws -> BatchGradient { try host.gradient(batch) }
  func trajectories(_ batch: RolloutBatch) throws -> BatchTrajectories {
    try host.trajectories(batch)
  }
  func ascend(_ batches: [RolloutBatch], from ascent: inout Ascent) throws -> [AscentRecord] {
    asked.append(batches.count)
    return try host.ascend(batches, from: &ascent)
  }
}

@Suite("policy search")
struct PolicySearchTests {
  @Test("a linear policy on a learnt double integrator becomes the linear-quadratic regulator")
  func regulator() throws {
    let task = doubleIntegratorTask()
    let model = try learnt(task)
    let found = try task.optimize(model)
    let theta = found.best.parameters
    let scale = model.stateStandardiser.scale
    // u = 8 tanh(w . z + b), z = (x - mean) / scale: the gain at the origin.
    let offset =
      theta[2]
      - zip(theta, zip(model.stateStandardiser.mean, scale)).reduce(0) {
        $0 + $1.0 * $1.1.0 / $1.1.1
      }
    let slope = 8 * (1 - pow(tanh(offset), 2))
    let gain = [-slope * theta[0] / scale[0], -slope * theta[1] / scale[1]]
    let expected = riccatiGain(timeStep: 0.1)
    // The squashing bends the law at the starts' edge, the search stops within 1e-3 of the return, and the
    // return is flat around its maximum: 10 % of the gain is 0.3 % of the cost.
    for (found, expected) in zip(gain, expected) {
      #expect(abs(found - expected) < 0.1 * expected, "gain \(gain), regulator \(expected)")
    }
  }

  @Test("an interrupted search resumes with the same bits")
  func resume() throws {
    var task = doubleIntegratorTask()
    // Two starts over two horizons, so that their beginnings are saved and resumed as well.
    task.search.iterations = 8
    task.search.starts = 2
    task.search.horizons = [10, 20]
    let model = try learnt(task)
    let path = Scratch.path("file.safetensors")
    let straight = try task.optimize(model)
    let interrupted = try task.optimize(model, checkpoint: path) { $0.iteration < 29 }
    #expect(interrupted.state.iteration == 29 && !interrupted.isFinished)
    #expect(interrupted.state.stage == 1 && interrupted.state.startsDone == 1)
    let resumed = try task.optimize(model, checkpoint: path)
    #expect(resumed.isFinished)
    #expect(resumed.state == straight.state)
    // Another seed is another search: its state is not resumed.
    task.search.seed = 1
    let other = try task.optimize(model, checkpoint: path) { $0.iteration < 2 }
    #expect(other.state.iteration == 2)
  }

  @Test("every start goes through growing horizons, and a policy is judged over the last")
  func horizons() throws {
    var task = doubleIntegratorTask()
    task.search.iterations = 10
    task.search.starts = 1
    task.search.horizons = [5, 20]
    let model = try learnt(task)
    var stages: [Int] = []
    let found = try task.optimize(model) { state in
      stages.append(state.stage)
      return true
    }
    // The tenth iteration ends the first horizon; every return is a sum over the horizon of its time.
    #expect(stages == Array(repeating: 0, count: 9) + Array(repeating: 1, count: 10) + [1])
    var short = task
    short.search.horizons = [5]
    let alone = try short.optimize(model)
    #expect(Array(found.state.returns[..<10]) == alone.state.returns)
    // The best counts over the last horizon, on the same batch.
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let judge = PolicyOptimizer(
      PolicyOptimizer.Executors(try HostExecutor(rollout.program, data: rollout.data)),
      rollout: rollout, model: model, initialStates: task.objective.start,
      goals: task.objective.goal,
      options: task.search,
      initialParameters: task.makePolicy().initialParameters)
    #expect(try judge.evaluationReturn(found.state.bestParameters) == found.state.bestReturn)
    #expect(try judge.evaluationReturn(alone.state.bestParameters) <= found.state.bestReturn)
    // A policy that was found before begins with the last horizon.
    var again = task
    again.learning.policy = .warm
    let continued = try again.optimize(model, from: found.state.bestParameters)
    #expect(continued.state.iteration == 10)
  }

  @Test("the fraction that is done grows from 0 to 1 over starts, horizons and iterations")
  func fraction() {
    var options = SearchOptions()
    (options.starts, options.horizons, options.iterations) = (2, [10, 20], 40)
    var state = SearchState(parameters: [0], options: options)
    #expect(state.fraction(of: options) == 0)
    (state.iteration, state.stage, state.firstIteration) = (50, 1, 30)
    #expect(state.fraction(of: options) == (1 + 0.5) / 4)
    (state.startsDone, state.iteration) = (2, 1_000)
    #expect(state.fraction(of: options) == 1)
  }

  @Test("eight iterations in flight are the same search, and none goes past an evaluation")
  func inFlight() throws {
    var task = doubleIntegratorTask()
    // 13 is no multiple of the 5 iterations between evaluations, and the second start begins off the beat.
    task.search.iterations = 13
    task.search.starts = 2
    task.search.horizon = 20
    let model = try learnt(task)
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let host = try HostExecutor(rollout.program, data: rollout.data)
    func search(_ executor: any RolloutExecutor) throws -> SearchState {
      let optimizer = PolicyOptimizer(
        PolicyOptimizer.Executors(executor), rollout: rollout, model: model,
        initialStates: task.objective.start,
        goals: task.objective.goal, options: task.search,
        initialParameters: task.makePolicy().initialParameters)
      while !optimizer.isFinished { try optimizer.step() }
      return optimizer.state
    }
    let many = EightInFlight(host)
    #expect(try search(many) == search(host))
    #expect(many.asked == [5, 5, 3, 5, 5, 3])
  }

  @Test(
    "a reward that is flat where the search begins is widened, then narrowed; one that is not stays as it is"
  )
  func widening() throws {
    var task = doubleIntegratorTask()
    task.policy.form = .network(hidden: [8])
    task.objective.rewards = [.saturating(weights: [1, 0], width: 0.05, units: .physical)]
    task.objective.start = .fixed([0, 0])
    task.objective.goal = .fixed([1, 0])
    task.search.iterations = 150
    task.search.starts = 1
    let model = try learnt(task)
    let found = try task.optimize(model)
    // exp(-1 / (2 0.05^2)) = exp(-200).
    #expect(found.state.firstWidening > 1 && found.state.widening == 1)
    // It gets there and stays: the true reward is 1 at the goal, for 80 steps at most; the way there takes half of them.
    #expect(found.state.bestReturn > 30, "\(found.state.bestReturn)")
    // The same bits once more, and after an interruption while it was widened.
    #expect(try task.optimize(model).state == found.state)
    let path = Scratch.path("search-state.safetensors")
    let part = try task.optimize(model, checkpoint: path) { $0.iteration < 20 }
    #expect(part.state.widening > 1)
    #expect(try task.optimize(model, checkpoint: path).state == found.state)
    // Nothing is widened where there is a gradient ...
    var near = task
    near.objective.rewards = [.saturating(weights: [1, 0], width: 0.5, units: .physical)]
    near.search.iterations = 5
    #expect(try near.optimize(model).state.firstWidening == 1)
    // ... nor where the goal is nowhere in the reward.
    var constant = near
    constant.objective.rewards = [.formula(try Formula("1", names: []))]
    #expect(try constant.optimize(model).state.firstWidening == 1)
  }

  @Test("fixed draws repeat, fresh ones differ")
  func draws() throws {
    var task = doubleIntegratorTask()
    task.search.iterations = 3
    task.search.starts = 1
    task.search.horizon = 10
    task.search.learningRate = 1e-12
    task.search.draws = .fixed
    let model = try learnt(task)
    let fixed = try task.optimize(model).state.returns
    #expect(abs(fixed[0] - fixed[2]) < 1e-6 * abs(fixed[0]))
    task.search.draws = .fresh
    let fresh = try task.optimize(model).state.returns
    #expect(fresh[0] == fixed[0] && fresh[1] != fixed[1])
  }
}
