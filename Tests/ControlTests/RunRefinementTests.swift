// SPDX-License-Identifier: Apache-2.0
// A mean refined on the errors of runs: its derivatives by differences, what it is in the model that it becomes, and that runs are
// the better for it where one step ahead says little.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import TestSupport
import Testing

@Suite("means refined on runs")
struct RunRefinementTests {
  private let key = DrawKey(seed: 11)

  /// A pendulum with a motor behind a filter, and a sensor's noise.
  private func pendulum(_ seed: UInt64, rows: Int = 160, noise: Double = 0.01) -> Episode {
    let draws = DrawKey(seed: seed).normals(particle: 0, step: 0, count: 3 * rows)
    var (angle, rate, u, motor) = (0.4 * draws[0], 0.0, 0.0, 0.0)
    var (states, actions): ([[Double]], [[Double]]) = ([], [])
    for k in 0..<rows {
      if k % 9 == 0 { u = draws[k] }
      states.append([angle + noise * draws[rows + k], rate + noise * draws[2 * rows + k]])
      actions.append([u])
      motor += 0.3 * (u - motor)
      let before = rate
      rate += 0.05 * (3 * motor - 4 * sin(angle) - 0.5 * rate)
      angle += 0.025 * (before + rate)
    }
    return Episode(name: "pendulum \(seed)", timeStep: 0.05, states: states, actions: actions)
  }

  private let layout = LogLayout(
    states: [Channel(name: "angle"), Channel(name: "rate")], actions: [Channel(name: "u")],
    timeStep: 0.05)
  /// Of all kinds of features and two kinds of updates.
  private let form = ModelForm(
    features: [
      .sine(0, radians: 1), .cosine(0, radians: 1), .state(1, lag: 0), .state(1, lag: 2),
      .action(0, lag: 0), .action(0, lag: 1), .filteredAction(0, steps: 3),
    ], updates: [.trapezoidalIntegral(rate: 1), .increment(output: 0)], inputs: [[0, 1, 2, 3, 6]])

  /// Two outputs, of which the second is a line alone; the next command is a feature.
  private let feedthrough = ModelForm(
    features: [
      .state(0, lag: 0), .state(0, lag: 1), .state(1, lag: 0), .action(0, lag: -1),
      .action(0, lag: 0),
    ], updates: [.increment(output: 0), .increment(output: 1)])

  /// - Parameter straight: the second of two outputs has no process.
  private func options(steps: Int, straight outputs: Int = 1) -> FitOptions {
    var options = FitOptions()
    if outputs > 1 { options.straightOutputs = [1] }
    options.linear = .first
    options.mean = .zero
    options.criterion = .marginalLikelihood
    options.ridge = 0.01
    options.runSteps = steps
    return options
  }

  private func refinement(
    of model: DynamicsModel, on episodes: [Episode], steps: Int, rank: Int = 100
  ) throws -> RunRefinement {
    try RunRefinement(
      model, linear: try #require(model.linear),
      posteriors: try model.processes.map {
        try $0.isNoise ? nil : LowRankPosterior($0, tolerance: 1e-3, largestRank: rank)
      }, on: episodes, options(steps: steps))
  }

  /// The slopes along some directions at some moves, and what central differences say.
  private func slopes(
    _ refinement: RunRefinement, _ starts: [PredictionStart], _ scales: [[Double?]]
  ) -> [(slope: Double, difference: Double)] {
    let moves = key.normals(particle: 0, step: 0, count: refinement.count)
    let gradient = refinement.lossAndGradient(moves, starts, scales).gradient
    return (1...4).map { direction in
      let v = key.normals(particle: direction, step: 0, count: refinement.count)
      func value(_ step: Double) -> Double {
        refinement.lossAndGradient(zip(moves, v).map { $0 + step * $1 }, starts, scales).loss
      }
      return (
        zip(gradient, v).reduce(0) { $0 + $1.0 * $1.1 }, (value(1e-5) - value(-1e-5)) / 2e-5
      )
    }
  }

  @Test("derivatives through runs agree with central differences, all but those of a wrong rule")
  func gradient() throws {
    // The second ends in the middle of most runs.
    let episodes = [pendulum(0), pendulum(1, rows: 20)]
    let starts = [(0, 3), (0, 50), (0, 100), (1, 5), (1, 12)].map {
      PredictionStart(episode: $0.0, row: $0.1)
    }
    let scales = (0..<15).map { step in [step == 7 ? nil : 0.02 + 0.01 * Double(step), 0.05] }
    for form in [form, feedthrough] {
      let model = try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options(steps: 1, straight: form.outputCount)
      ).model
      let refinement = try refinement(of: model, on: episodes, steps: 15, rank: 40)
      for (slope, difference) in slopes(refinement, starts, scales) {
        #expect(abs(difference) > 1e-3)
        #expect(abs(slope - difference) < 1e-5 * abs(difference), "\(slope), \(difference)")
        // A rule that is wrong by a thousandth is found.
        #expect(abs(1.001 * slope - difference) > 1e-5 * abs(difference))
      }
    }
  }

  @Test("slopes of covariances along their inputs agree with central differences")
  func inputSlopes() {
    let stationary = RadialProfileName.allCases.map {
      CovarianceFunction.stationary(
        StationaryCovariance($0, lengthscales: [0.7, 1.4], signalVariance: 1.3, shape: 0.8))
    }
    let linear = CovarianceFunction.linear(LinearCovariance(variances: [0.4, 1.1]))
    let all = stationary + [linear, stationary[0] + linear, stationary[2] * linear]
    func draw(_ number: Int, _ rows: Int, _ columns: Int) -> Matrix {
      Matrix(
        rows: rows, columns: columns,
        values: key.normals(particle: number, step: 1, count: rows * columns))
    }
    let (x, z, w, v) = (draw(0, 4, 2), draw(1, 6, 2), draw(2, 4, 6), draw(3, 4, 2))
    for covariance in all {
      let slopes = covariance.inputSlopes(w, x, z)
      func value(_ step: Double) -> Double {
        var moved = x
        for i in moved.values.indices { moved.values[i] += step * v.values[i] }
        return zip(covariance.matrix(moved, z).values, w.values).reduce(0) { $0 + $1.0 * $1.1 }
      }
      let difference = (value(1e-5) - value(-1e-5)) / 2e-5
      let slope = zip(slopes.values, v.values).reduce(0) { $0 + $1.0 * $1.1 }
      #expect(abs(slope - difference) < 1e-7 * max(1, abs(difference)), "\(covariance)")
    }
  }

  @Test("a refined model's posterior has the refined mean, the variance of one step, and a file")
  func posterior() throws {
    let episodes = [pendulum(2), pendulum(3)]
    func fit(steps: Int) throws -> DynamicsModel {
      try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options(steps: steps)
      ).model
    }
    let (plain, refined) = (try fit(steps: 1), try fit(steps: 20))
    let points = TransitionSet([pendulum(4)], form: form).features
    let (before, after) = (plain.predictIncrements(points), refined.predictIncrements(points))
    let moved = zip(before.mean, after.mean).map { abs($0[0] - $1[0]) }.max() ?? 0
    #expect(moved > 1e-3 * plain.incrementStandardiser.scale[0])
    // Deviations grow by one factor, that of the errors at the data.
    let growth = after.latent[0][0] / before.latent[0][0]
    #expect(growth >= 1 && growth < 2)
    for (a, b) in zip(before.latent, after.latent) {
      #expect(abs(growth * a[0] - b[0]) < 1e-6 * b[0])
    }
    for (a, b) in zip(before.observed, after.observed) {
      #expect(abs(growth * a[0] - b[0]) < 1e-6 * b[0])
    }
    #expect(plain.processes[0].logMarginalLikelihood == refined.processes[0].logMarginalLikelihood)
    // What was refined is a sum over the pivots of the one-step posterior.
    let posterior = try LowRankPosterior(plain.processes[0], tolerance: 1e-3, largestRank: 100)
    let weights = try #require(
      try refinement(of: plain, on: episodes, steps: 20).refined().processes.first)
    let x = Matrix(points.map(refined.featureStandardiser.standardise))
      .selecting(columns: [0, 1, 2, 3, 6])
    let mean = posterior.hyperparameters.covariance.matrix(x, posterior.pivots).times(weights)
    for (a, b) in zip(mean, refined.processes[0].predict(x).mean) { #expect(abs(a - b) < 1e-6) }
    let path = Scratch.path("refined.safetensors")
    try refined.write(to: path, provenance: "test")
    let loaded = try DynamicsModel(path: path)
    for (a, b) in zip(after.mean, loaded.predictIncrements(points).mean) {
      #expect(abs(a[0] - b[0]) < 1e-9)
    }
    #expect(
      loaded.processes[0].logMarginalLikelihood == plain.processes[0].logMarginalLikelihood)
    #expect(loaded.fingerprint == refined.fingerprint)
    #expect(try fit(steps: 20).fingerprint == refined.fingerprint, "two fits differ")
  }

  @Test("with noise that varies and with inducing points the mean is the refined one too")
  func otherConditioning() throws {
    for (rows, criterion) in [(300, FitCriterion.heteroscedastic), (5_200, .marginalLikelihood)] {
      let episodes = [pendulum(2, rows: rows), pendulum(3, rows: 120)]
      var options = options(steps: 5)
      options.criterion = criterion
      options.fullIterations = 0
      let refined = try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options
      ).model
      options.runSteps = 1
      let plain = try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options
      ).model
      #expect((refined.processes[0].lowRank != nil) == (rows > 5_000))
      let weights = try #require(
        try refinement(of: plain, on: episodes, steps: 5).refined().processes.first)
      let posterior = try LowRankPosterior(plain.processes[0], tolerance: 1e-3, largestRank: 100)
      let x = plain.processes[0].x.selecting(rows: Array(stride(from: 0, to: rows, by: 37)))
      let mean = posterior.hyperparameters.covariance.matrix(x, posterior.pivots).times(weights)
      let scale = (mean.map { abs($0) }.max() ?? 0) + 1
      for (a, b) in zip(mean, refined.processes[0].predict(x).mean) {
        #expect(abs(a - b) < 1e-6 * scale, "\(rows) rows")
      }
    }
  }

  @Test("too few rows are refused in words, not passed over")
  func tooFew() throws {
    let episodes = [pendulum(2, rows: 40)]
    #expect(throws: LogError.self) {
      try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options(steps: 20))
    }
  }

  @Test("runs are better for it where a sensor's noise hides what one step does")
  func gain() throws {
    func error(_ steps: Int, _ seed: UInt64) throws -> Double {
      let episodes = (0..<3).map { pendulum(10 * seed + $0, rows: 200, noise: 0.05) }
      let model = try DynamicsModel.fit(
        episodes, layout: layout, form: form, options: options(steps: steps)
      ).model
      let map = AffineNextState(model)
      let judge = pendulum(1_000 + seed, rows: 400, noise: 0)
      let rows = EpisodeFeatures(form, judge)
      var (sum, count) = (0.0, 0.0)
      for first in stride(from: 5, to: 350, by: 15) {
        var states = Array(judge.states[...first])
        for k in first..<first + 40 {
          let features = form.features.indices.map { d -> Double in
            if let value = rows.exogenous(d, at: k) { return value }
            switch form.features[d] {
            case .sine: return sin(states[k][0])
            case .cosine: return cos(states[k][0])
            case .state(let i, let lag): return states[k - lag][i]
            case .action, .disturbance, .filteredAction, .formula: return .nan
            }
          }
          let increments = model.predictIncrements([features]).mean[0]
          states.append(map.next(states[k], increments: increments))
        }
        sum += abs(states[first + 40][0] - judge.states[first + 40][0])
        count += 1
      }
      return sum / count
    }
    var logarithms = 0.0
    for seed in UInt64(1)...2 {
      let ratio = try error(50, seed) / error(1, seed)
      #expect(ratio < 1, "seed \(seed)")
      logarithms += log(ratio) / 2
    }
    #expect(exp(logarithms) < 0.85, "\(exp(logarithms))")
  }
}
