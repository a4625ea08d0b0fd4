// SPDX-License-Identifier: Apache-2.0
// Moment matching against the published formulas in NumPy (themselves checked there by quadrature), against sampling, and
// its gradient against differences.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import MomentMatching
import Policies
import Tasks
import Testing

/// Written by Experiments/Tests/References/make_moment_references.py.
private struct References: Decodable {
  struct Case: Decodable {
    let mean: [Double]
    let covariance: [[Double]]
    let outputMean: [Double]
    let cross: [[Double]]
    let outputCovariance: [[Double]]
  }
  let x: [[Double]]
  let y: [[Double]]
  let lengthscales: [[Double]]
  let signalVariances: [Double]
  let noiseVariances: [Double]
  let cases: [Case]

  static func load() throws -> References {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../References/moment_matching.json")
    return try JSONDecoder().decode(References.self, from: Data(contentsOf: url))
  }

  func processes(_ mean: MeanFunction = .zero) throws -> [GaussianProcess] {
    try lengthscales.indices.map { a in
      let covariance = StationaryCovariance(
        .squaredExponential, lengthscales: lengthscales[a], signalVariance: signalVariances[a])
      return try GaussianProcess(
        Hyperparameters(
          covariance: .stationary(covariance), mean: mean, noiseVariance: noiseVariances[a],
          noiseFloor: 0), x: Matrix(x), y: y[a])
    }
  }
}

/// A small model of the boom, and a policy for it.
private struct Loop {
  let model: DynamicsModel
  let policy: Policy
  let task: ControlTask

  init() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 12
    task.model.fit.criterion = .marginalLikelihood
    task.policy.form = .network(hidden: [4])
    model = try task.fit().model
    policy = task.makePolicy()
    self.task = task
  }
}

@Suite("moment matching")
struct MomentMatchingTests {
  @Test("moments at uncertain inputs are those of the published formulas")
  func formulas() throws {
    let references = try References.load()
    let matcher = try MomentMatcher(try references.processes())
    for reference in references.cases {
      let covariance = Matrix(reference.covariance)
      let found = try matcher.prediction(at: Gaussian(mean: reference.mean, covariance: covariance))
      // Two ways of the same sums in double precision, over 1,600 terms whose weights reach 1e2.
      let expected = Matrix(reference.outputCovariance)
      for a in 0..<2 {
        #expect(abs(found.mean[a] - reference.outputMean[a]) < 1e-10)
        for b in 0..<2 { #expect(abs(found.covariance[a, b] - expected[a, b]) < 1e-9) }
        let cross = covariance.times(found.gain.column(a))
        for d in 0..<3 { #expect(abs(cross[d] - reference.cross[d][a]) < 1e-10) }
      }
    }
  }

  @Test("a linear prior mean enters the moments, by sampling")
  func linearMean() throws {
    let references = try References.load()
    let processes = try references.processes(.linear)
    let reference = references.cases[0]
    let covariance = Matrix(reference.covariance)
    let found = try MomentMatcher(processes).prediction(
      at: Gaussian(mean: reference.mean, covariance: covariance))
    let (count, key) = (200_000, DrawKey(seed: 5))
    let root = try Cholesky(covariance, what: "test").lower
    let points = (0..<count).map { i in
      zip(reference.mean, root.times(key.normals(particle: i, step: 0, count: 3))).map { $0 + $1 }
    }
    let predictions = processes.map { $0.predict(Matrix(points)) }
    for a in 0..<2 {
      let means = predictions[a].mean
      let mean = means.reduce(0, +) / Double(count)
      let spread = means.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(count)
      let error = (spread / Double(count)).squareRoot()
      #expect(abs(mean - found.mean[a]) < 5 * error)
      let latent = predictions[a].variance.reduce(0, +) / Double(count)
      // The standard error of a variance, with room for heavier tails than a normal's.
      let allowed = 5 * (spread + latent) * (6 / Double(count)).squareRoot()
      #expect(abs(spread + latent - found.covariance[a, a]) < allowed)
      let cross = covariance.times(found.gain.column(a))
      for d in 0..<3 {
        let products = zip(points, means).map { ($0[d] - reference.mean[d]) * ($1 - mean) }
        let sampled = products.reduce(0, +) / Double(count)
        let deviation = products.reduce(0) { $0 + $1 * $1 } / Double(count)
        #expect(abs(sampled - cross[d]) < 5 * (deviation / Double(count)).squareRoot())
      }
    }
    let products = zip(predictions[0].mean, predictions[1].mean)
    let off =
      products.reduce(0) { $0 + ($1.0 - found.mean[0]) * ($1.1 - found.mean[1]) } / Double(count)
    let allowed =
      5 * (found.covariance[0, 0] * found.covariance[1, 1] * 6 / Double(count)).squareRoot()
    #expect(abs(off - found.covariance[0, 1]) < allowed)
  }

  @Test(
    "the adjoint of the moments is that of differences", arguments: [MeanFunction.zero, .linear])
  func pullback(mean: MeanFunction) throws {
    let references = try References.load()
    let matcher = try MomentMatcher(try references.processes(mean))
    let reference = references.cases[0]
    let key = DrawKey(seed: 11)
    let weights = key.normals(particle: 0, step: 0, count: 2 + 6 + 4)
    let gainWeights = Matrix(rows: 3, columns: 2, values: Array(weights[2..<8]))
    let covarianceWeights = Matrix(rows: 2, columns: 2, values: Array(weights[8...])).symmetrised
    func value(_ input: Gaussian) throws -> Double {
      let p = try matcher.prediction(at: input)
      return dot(Array(weights[..<2]), p.mean) + dot(gainWeights.values, p.gain.values)
        + dot(covarianceWeights.values, p.covariance.values)
    }
    let input = Gaussian(mean: reference.mean, covariance: Matrix(reference.covariance))
    let pulled = try matcher.prediction(at: input).pullback(
      mean: Array(weights[..<2]), gain: gainWeights, covariance: covarianceWeights)
    let step = 1e-5
    for i in 0..<3 {
      func moved(_ by: Double) throws -> Double {
        var other = input
        other.mean[i] += by
        return try value(other)
      }
      // Central differences: step^2 and rounding / step, times derivatives of order 10.
      #expect(abs((try moved(step) - moved(-step)) / (2 * step) - pulled.mean[i]) < 1e-7)
      for j in 0...i {
        func spread(_ by: Double) throws -> Double {
          var other = input
          other.covariance[i, j] += by
          if i != j { other.covariance[j, i] += by }
          return try value(other)
        }
        let expected = (i == j ? 1 : 2) * pulled.covariance[i, j]
        #expect(abs((try spread(step) - spread(-step)) / (2 * step) - expected) < 1e-7)
      }
    }
  }

  @Test("the expected return's gradient is that of differences")
  func gradient() throws {
    let loop = try Loop()
    let rollout = try MomentRollout(
      model: loop.model, policy: loop.policy, reward: .saturating(weights: [10, 0.1]))
    let start = Gaussian(mean: [-0.8, 0.2], covariance: Matrix.diagonal([0.01, 0.02]))
    let parameters = loop.policy.initialParameters(3)
    let found = try rollout.gradient(parameters, from: start, to: [0.4, 0], horizon: 12)
    let direction = DrawKey(seed: 4).normals(particle: 0, step: 0, count: parameters.count)
    func value(_ step: Double) throws -> Double {
      try rollout.prediction(
        zip(parameters, direction).map { $0 + step * $1 }, from: start, to: [0.4, 0], horizon: 12
      ).expectedReturn
    }
    #expect(try value(0) == found.expectedReturn)
    let slope = dot(found.gradient, direction)
    #expect(abs(slope) > 1e-3)
    #expect(abs((try value(1e-5) - value(-1e-5)) / 2e-5 - slope) < 1e-6 * max(1, abs(slope)))
  }

  @Test(
    "moments and expected return agree with sampled rollouts while the state stays nearly Gaussian")
  func againstSampling() throws {
    let loop = try Loop()
    let horizon = 10
    let rollout = try MomentRollout(
      model: loop.model, policy: loop.policy, reward: .saturating(weights: [10, 0.1]))
    // Small weights: a policy that is nearly linear.
    let parameters = loop.policy.initialParameters(3).map { 0.3 * $0 }
    let start = Gaussian(mean: [-0.8, 0.2], covariance: Matrix.diagonal([0.01, 0.01]))
    let goal = [0.4, 0.0]
    let predicted = try rollout.prediction(parameters, from: start, to: goal, horizon: horizon)
    var task = loop.task
    task.objective.rewards = [.saturating(weights: [10, 0.1], width: 1, units: .standardised)]
    task.model.sampler.name = .exact
    let sampled = try task.makeRollout(loop.model, try task.makeSampler(loop.model).sampler)
    let (particles, key) = (20_000, DrawKey(seed: 2))
    let states = (0..<particles).flatMap { b -> [Double] in
      let z = key.normals(particle: b, step: 0, count: 2)
      return sampled.slots.first(state: [-0.8 + 0.1 * z[0], 0.2 + 0.1 * z[1]])
    }
    let batch = RolloutBatch(
      parameters: parameters, initialStates: states,
      goals: (0..<particles).flatMap { _ in goal }, particles: particles, horizon: horizon,
      draws: DrawKey(seed: 3))
    let paths = try HostExecutor(sampled.program, data: sampled.data).trajectories(batch)
    let n = Double(particles)
    for step in [1, horizon] {
      for i in 0..<2 {
        let values = (0..<particles).map { b -> Double in
          let state = paths.carry(step: step, particle: b)
          return Double(state[state.startIndex + i])
        }
        let mean = values.reduce(0, +) / n
        let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / n
        let state = predicted.states[step]
        // Five standard errors, and two per cent for what is not Gaussian.
        #expect(abs(mean - state.mean[i]) < (5 / n.squareRoot() + 0.02) * variance.squareRoot())
        #expect(abs(variance / state.covariance[i, i] - 1) < 5 * (2 / n).squareRoot() + 0.02)
      }
    }
    #expect(abs(paths.returns.mean / predicted.expectedReturn - 1) < 0.01)
  }

  @Test("what moment matching cannot do is refused by name")
  func refusals() throws {
    let references = try References.load()
    let matern = try GaussianProcess(
      Hyperparameters(
        covariance: .stationary(
          StationaryCovariance(.matern52, lengthscales: [1, 1, 1], signalVariance: 1)),
        mean: .zero, noiseVariance: 0.1), x: Matrix(references.x), y: references.y[0])
    let error = #expect(throws: CannotMatchMoments.self) { try MomentMatcher([matern]) }
    #expect("\(error as Any)".contains("squared exponentials only"))
    let loop = try Loop()
    var remembering = loop.task
    remembering.policy.actionHistory = 2
    let policy = remembering.makePolicy()
    #expect(throws: CannotMatchMoments.self) {
      try MomentRollout(
        model: loop.model, policy: policy, reward: .saturating(weights: [1, 0]))
    }
    var disturbed = loop.model
    disturbed.layout.disturbances = [Disturbance(Channel(name: "wind"))]
    #expect(throws: CannotMatchMoments.self) {
      try MomentRollout(
        model: disturbed, policy: loop.task.makePolicy(), reward: .saturating(weights: [1, 0]))
    }
  }
}
