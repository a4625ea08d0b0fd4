// SPDX-License-Identifier: Apache-2.0
// How much noise moves the particles of rollouts, and how long it lasts: one share and one correlation per output (ProcessNoise.swift),
// such that ensembles of particles over left-out blocks have the best CRPS 1 to 50 steps ahead. What the residual has beyond the share
// is the sensors': it moves no particle, but the measurements by which particles are judged.
//
// The CRPS of an ensemble is the fair one, mean |x_i - y| - sum_(i != j) |x_i - x_j| / (2 P (P - 1)) (Ferro 2014): few particles
// are no disadvantage.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// What was learnt of a model's process noise.
package struct ProcessNoiseFigures: Sendable {
  /// One per output.
  package let noise: [ProcessNoise]
  /// CRPS over that of independent draws of the function, whose measurements have all of the residual as the sensors' noise: the
  /// geometric mean over states and horizons.
  package let relativeCRPS: Double
  /// Of its logarithm, over the blocks.
  package let standardError: Double
  /// By how much the particles' 95 % bands must be widened to hold 95 % of the left-out measurements: [(steps, one a measured
  /// state)].
  package let bandFactors: [(steps: Int, factors: [Double])]

  /// Whether it surely gains.
  package var isSure: Bool { log(relativeCRPS) + doubtfulStandardErrors * standardError < 0 }
}

/// Ensembles of a model's particles over left-out blocks.
package struct ProcessNoiseChoice {
  private let model: DynamicsModel
  private let measured: [Int]
  private let parts: [Part]

  /// A left-out block.
  private struct Part {
    let run: MeanRun
    let starts: [PredictionStart]
    let judge: [Episode]
    /// Latent and noise variances of the standardised increments along the mean's run, [step][start, M]: those of the particles, which
    /// stay near it, to first order, and known once.
    let variances: [(latent: Matrix, noise: Matrix)]
  }

  private static let particles = 8
  private static let startsPerBlock = 25
  private static let horizons = [1, 2, 5, 10, 20, 50]
  private static let shares = [0.0, 0.1, 0.2, 0.4, 0.7, 1]
  private static let correlations = [0.0, 0.5, 0.8, 0.95]
  /// With which shares are compared first.
  private static let usualCorrelation = 0.8

  /// - Parameters:
  ///   - model: whose hyperparameters are kept; its data are those of the episodes.
  ///   - episodes: that it was learnt from.
  ///   - options: how its linear part was found.
  /// - Throws: `FactorizationError`, `LogError`.
  package init(_ model: DynamicsModel, learntFrom episodes: [Episode], _ options: FitOptions) throws
  {
    self.model = model
    measured = model.layout.measured
    let lag = model.form.longestLag
    parts = try LeftOutBlock.blocks(of: episodes).compactMap { block in
      let all = block.starts(lookingBack: lag)
      let starts = evenlySpreadRows(count: all.count, wanted: Self.startsPerBlock).map { all[$0] }
      guard !starts.isEmpty, let mean = try block.mean(of: model, options) else { return nil }
      var variances: [(latent: Matrix, noise: Matrix)] = []
      let run = MeanRun(mean, along: block.judge)
      run.run(
        from: starts, steps: Self.horizons.max() ?? 0,
        draw: { _, features, _ in variances.append(mean.variances(features)) },
        visit: { _, _, _, _ in })
      return Part(run: run, starts: starts, judge: block.judge, variances: variances)
    }
  }

  /// The best there is; nil where fewer than two blocks can judge.
  package func choose() -> ProcessNoiseFigures? {
    let all = 0..<model.form.outputCount
    var best = all.map { _ in ProcessNoise(share: 0, correlation: 0) }
    let plain = ensembles(best)
    var found = plain
    guard var least = plain.score(over: plain) else { return nil }
    func consider(_ tried: [ProcessNoise]) {
      guard tried != best else { return }
      let ensembles = ensembles(tried)
      guard let score = ensembles.score(over: plain), score.mean < least.mean else { return }
      (best, found, least) = (tried, ensembles, score)
    }
    /// The best with one number of some outputs changed.
    func vary(of some: Range<Int>, _ change: (inout ProcessNoise) -> Void) {
      var tried = best
      for m in some { change(&tried[m]) }
      consider(tried)
    }
    for share in Self.shares {
      consider(all.map { _ in ProcessNoise(share: share, correlation: Self.usualCorrelation) })
    }
    for correlation in Self.correlations { vary(of: all) { $0.correlation = correlation } }
    for factor in [0.5, 2] {
      for m in all where all.count > 1 {
        vary(of: m..<m + 1) { $0.share = min(factor * $0.share, 1) }
      }
    }
    for factor in [0.7, 1.4] { vary(of: all) { $0.share = min(factor * $0.share, 1) } }
    return ProcessNoiseFigures(
      noise: best, relativeCRPS: exp(least.mean), standardError: least.standardError,
      bandFactors: found.bandFactors)
  }

  /// Runs particles from all starts, with the same draws whatever the noise.
  private func ensembles(_ noise: [ProcessNoise]) -> Ensembles {
    var result = Ensembles(
      horizons: Self.horizons, states: measured.count, blocks: parts.count)
    let outputs = noise.count
    let (shares, correlations) = (noise.map(\.share), noise.map(\.correlation))
    for (block, part) in parts.enumerated() {
      let repeated = part.starts.flatMap { Array(repeating: $0, count: Self.particles) }
      var kept = Matrix(rows: repeated.count, columns: outputs)
      part.run.run(
        from: repeated, steps: Self.horizons.max() ?? 0,
        draw: { step, _, increments in
          let (latent, noise) = part.variances[step]
          for b in 0..<increments.rows {
            let start = b / Self.particles
            let fresh = DrawKey(seed: UInt64(block)).normals(
              particle: b, step: step, count: outputs)
            for m in 0..<outputs {
              let rho = step == 0 ? 0 : correlations[m]
              kept[b, m] = rho * kept[b, m] + (1 - rho * rho).squareRoot() * fresh[m]
              let variance = latent[start, m] + shares[m] * shares[m] * noise[start, m]
              increments[b, m] += variance.squareRoot() * kept[b, m]
            }
          }
        }
      ) { step, starts, states, _ in
        guard let horizon = Self.horizons.firstIndex(of: step) else { return }
        let residuals = part.variances[step - 1].noise
        // Particles of a start stand together: they have the same row and the same steps left.
        for first in stride(from: 0, to: states.rows, by: Self.particles) {
          let start = starts[starts.startIndex + first]
          let truth = part.judge[start.episode].states[start.row + step]
          let deviations = measured.map {
            sensorDeviation($0, shares, residuals: residuals.row(first / Self.particles))
          }
          for (s, state) in measured.enumerated() {
            let values = (0..<Self.particles).map { b in
              // No other draw of a particle is in this dimension.
              let noise = DrawKey(seed: UInt64(block)).normals(
                particle: first + b, step: step, first: outputs + s, count: 1)[0]
              return states[first + b, state] + deviations[s] * noise
            }
            result.add(values, truth: truth[state], horizon: horizon, state: s, block: block)
          }
        }
      }
    }
    return result
  }

  /// Of a measured value beside a particle that began at another measured value: two errors of the sensor, which is what a residual
  /// has beyond the process's share. A derived rate's residual has six, over the time step (x'' of three rows); a position that follows
  /// from a rate with a sensor of its own has a sensor that nothing tells of. Physical units.
  ///
  /// - Parameter residuals: variances of the standardised residuals [M].
  private func sensorDeviation(
    _ state: Int, _ shares: [Double], residuals: [Double]
  ) -> Double {
    func deviation(_ m: Int) -> Double {
      ((1 - shares[m] * shares[m]) * residuals[m]).squareRoot()
        * model.incrementStandardiser.scale[m]
    }
    switch model.form.updates[state] {
    case .increment(let m): return deviation(m)
    case .backwardIntegral(let rate, _):
      guard model.layout.states[rate].source != .column,
        case .increment(let m) = model.form.updates[rate]
      else { return 0 }
      return model.layout.timeStep * deviation(m) / 3.0.squareRoot()
    case .trapezoidalIntegral: return 0
    case .difference: preconditionFailure("a derived rate is not measured")
    }
  }
}
