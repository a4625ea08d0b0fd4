// SPDX-License-Identifier: Apache-2.0
// A model, a policy and a search's state with every kind of number that their files can have, and ways to damage them.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import Tasks
import TestSupport
import Watching

/// One kind of file: a sound one, and a reader that also uses what it has read.
struct FileKind {
  var name: String
  /// Tensors in which any finite number may stand.
  var takesAnyNumber: Set<String>
  var write: (String) throws -> Void
  var use: (String) throws -> Void
}

enum SmallFiles {
  /// A pendulum in degrees, seen through its sine and cosine, with a learnt reward and rate limits.
  static let yaml = """
    name: small
    timeStep: 0.1
    states: [{name: angle, units: deg}, {name: rate, rateOf: angle, filterTime: 0.2}]
    actions: [{name: torque, units: N m, limits: [-2, 3], rateLimit: 5}, {name: brake, limits: [0, 1]}]
    model: {covariance: squared-exponential, mean: linear, angles: [angle], actionHistory: 1}
    policy: {layers: [3], goal: error, actionHistory: 2}
    reward: {learned: {column: score}}
    logs: [a.csv]
    start: [0, 0]
    goal: [90, 0]
    optimise: {particles: 8, horizon: [5, 10], iterations: 10, starts: 2}
    """

  static func task() throws -> ControlTask {
    try ControlTask(yaml: yaml, file: "small.yaml", folder: ".")
  }

  static func model() throws -> DynamicsModel {
    let task = try task()
    return try DynamicsModel.fit(
      [episode(rows: 40)], layout: task.layout, form: try task.modelForm(), options: task.model.fit
    ).model
  }

  static func episode(rows: Int) -> Episode {
    let key = DrawKey(seed: 4)
    var state = [0.0, 0.0]
    var (states, actions) = ([[Double]](), [[Double]]())
    for k in 0..<rows {
      let z = key.normals(particle: 0, step: k, count: 3)
      states.append(state)
      actions.append([z[0], abs(z[1])])
      state = [state[0] + 0.1 * state[1], 0.8 * state[1] + 20 * z[0] + z[2]]
    }
    return Episode(
      name: "small", timeStep: 0.1, states: states, actions: actions,
      rewards: states.map { exp(-1e-3 * $0[0] * $0[0]) })
  }

  /// What is usual by 500 rows of it.
  static func watch(_ model: DynamicsModel) throws -> WatchCalibration {
    // Also where the model guesses.
    var model = model
    model.featureBounds = model.featureBounds.map { $0.lowerBound - 1e6...$0.upperBound + 1e6 }
    return try WatchCalibration(
      model, episodes: [episode(rows: 500)], safeAction: try task().safeAction)
  }

  static func policy() throws -> (controller: PolicyController, description: PolicyDescription) {
    var description = try task().policyDescription
    description.dataBounds = [-30...40, 0...0]
    (description.plant, description.model) = ("pendulum", "0123456789abcdef")
    description.predictedReturn = -3.25
    let policy = description.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(3), stateMean: [0.1, -2],
      stateScale: [12, 30])
    return (controller, description)
  }

  static func search() throws -> (state: SearchState, options: SearchOptions) {
    var options = try task().search
    options.allowedViolations = [0.01]
    var state = SearchState(
      parameters: DrawKey(seed: 2).normals(particle: 0, step: 0, count: 7), options: options)
    state.iteration = 12
    state.firstIteration = 10
    (state.stage, state.startsDone) = (1, 1)
    state.adam.steps = 2
    state.adam.secondMoment = state.parameters.map { $0 * $0 }
    state.returns = (0..<12).map { Double($0) / 7 }
    state.gradientNorms = state.returns
    (state.bestReturn, state.bestIteration) = (1.5, 10)
    (state.bestExcess, state.freestReturn, state.multipliers) = (0.25, 2, [3.5])
    (state.halvings, state.rate) = (1, options.learningRate / 2)
    (state.firstWidening, state.widening) = (8, 2)
    (state.diverged, state.truncated) = (3, 1)
    return (state, options)
  }

  /// The four kinds, with what they hold made once.
  static func kinds() throws -> [FileKind] {
    let (model, policy, search) = (try model(), try policy(), try search())
    let watch = try watch(model)
    return [
      FileKind(
        name: "model", takesAnyNumber: [], write: { try model.write(to: $0, provenance: "test") },
        use: { path in
          let model = try DynamicsModel(path: path)
          _ = model.predictIncrements([model.featureStandardiser.mean])
          _ = model.rewardModel?.predict([model.stateStandardiser.mean])
          _ = model.fingerprint
        }),
      FileKind(
        name: "policy", takesAnyNumber: ["parameters", "predicted_return"],
        write: { try policy.controller.write(to: $0, description: policy.description) },
        use: { path in
          let read = try PolicyController.read(path: path)
          let state = read.controller.stateMean
          _ = read.controller.action(state: state, goal: state)
        }),
      FileKind(
        name: "watch", takesAnyNumber: [], write: { try watch.write(to: $0) },
        use: { _ = try WatchCalibration(path: $0, for: model.layout) }),
      FileKind(
        name: "search",
        takesAnyNumber: [
          "parameters", "best_parameters", "start_best_parameters", "adam_first_moment",
          "adam_second_moment", "returns", "gradient_norms", "best_return", "start_best_return",
          "freest_return",
        ],
        write: { try search.state.write(to: $0, fingerprint: "f", options: search.options) },
        use: { path in
          _ = try SearchState(
            path: path, fingerprint: "f", options: search.options, parameterCount: 7)
        }),
    ]
  }
}
