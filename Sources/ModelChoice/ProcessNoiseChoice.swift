// SPDX-License-Identifier: Apache-2.0
// How much noise moves the particles of rollouts, and how long it lasts: one share and one correlation an output (ProcessNoise.swift),
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
public struct ProcessNoiseFigures: Sendable {
  /// One an output.
  public let noise: [ProcessNoise]
  /// CRPS over that of independent draws of the function, whose measurements have all of the residual as the sensors' noise: the
  /// geometric mean over states and horizons.
  public let relativeCRPS: Double
  /// Of its logarithm, over the blocks.
  public let standardError: Double
  /// By how much the particles' 95 % bands must be widened to hold 95 % of the left-out measurements: [(steps, one a measured
  /// state)].
  public let bandFactors: [(steps: Int, factors: [Double])]

  /// Standard errors that are taken off a gain.
  private static let doubt = 2.0

  /// Whether it surely gains.
  public var isSure: Bool { log(relativeCRPS) + Self.doubt * standardError < 0 }
}

/// Ensembles of a model's particles over left-out blocks.
package struct ProcessNoiseChoice {
  private let model: DynamicsModel
  private let measured: [Int]
  private let parts: [Part]

  /// A left-out block.
  private struct Part {
    let mean: DynamicsMean
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
      guard block.rest.reduce(0, { $0 + max(0, $1.count - 1 - lag) }) > 1 else { return nil }
      let all = block.starts(lookingBack: lag)
      let starts = evenlySpreadRows(count: all.count, wanted: Self.startsPerBlock).map { all[$0] }
      if starts.isEmpty { return nil }
      let mean = try DynamicsMean(
        model, conditionedOn: block.rest, options: options, rank: LeftOutBlock.rank)
      var variances: [(latent: Matrix, noise: Matrix)] = []
      MeanRun(mean).run(
        from: starts, in: block.judge, steps: Self.horizons.max() ?? 0,
        draw: { _, features, _ in variances.append(mean.variances(features)) },
        visit: { _, _, _, _ in })
      return Part(mean: mean, starts: starts, judge: block.judge, variances: variances)
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
      MeanRun(part.mean).run(
        from: repeated, in: part.judge, steps: Self.horizons.max() ?? 0,
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

/// Scores of ensembles by horizon, state and block.
private struct Ensembles {
  private let horizons: [Int]
  private let states: Int
  private let blocks: Int
  /// [horizon][state][block]
  private var cells: [[[Cell]]]
  /// Errors over the ensemble's deviation [horizon][state].
  private var ratios: [[[Double]]]

  private struct Cell {
    var score = 0.0
    var count = 0
  }

  /// Starts that a cell must have to count.
  private static let fewest = Horizons.fewestKnown
  /// And starts at which a quantile of 95 % is told.
  private static let fewestOfQuantile = 40

  init(horizons: [Int], states: Int, blocks: Int) {
    (self.horizons, self.states, self.blocks) = (horizons, states, blocks)
    cells = horizons.map { _ in
      (0..<states).map { _ in (0..<blocks).map { _ in Cell() } }
    }
    ratios = horizons.map { _ in (0..<states).map { _ in [] } }
  }

  mutating func add(_ x: [Double], truth: Double, horizon: Int, state: Int, block: Int) {
    let count = Double(x.count)
    let mean = x.reduce(0, +) / count
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let distance = x.reduce(0) { $0 + abs($1 - truth) } / count
    cells[horizon][state][block].score += distance - 0.5 * meanDistance(x, x)
    cells[horizon][state][block].count += 1
    ratios[horizon][state].append(
      abs(truth - mean) / max((variance * (1 + 1 / count)).squareRoot(), 1e-300))
  }

  /// Mean logarithm of the CRPS over another's, over states and horizons, and its standard error over the blocks; nil where fewer
  /// than two blocks can judge.
  func score(over other: Ensembles) -> (mean: Double, standardError: Double)? {
    let all = (0..<blocks).compactMap { block -> Double? in
      var logarithms: [Double] = []
      for horizon in horizons.indices {
        for state in 0..<states {
          let (own, theirs) = (cells[horizon][state][block], other.cells[horizon][state][block])
          guard own.count >= Self.fewest, theirs.score > 0, own.score > 0 else { continue }
          logarithms.append(log(own.score / theirs.score))
        }
      }
      return logarithms.isEmpty ? nil : logarithms.reduce(0, +) / Double(logarithms.count)
    }
    guard all.count > 1 else { return nil }
    return (all.reduce(0, +) / Double(all.count), standardError(all))
  }

  /// The 95 % quantile of the errors over that of Student's t of an ensemble's deviation (7 degrees of freedom); NaN where there are
  /// few.
  var bandFactors: [(steps: Int, factors: [Double])] {
    let expected = 2.365
    return horizons.indices.map { horizon in
      (
        horizons[horizon],
        (0..<states).map { state in
          let sorted = ratios[horizon][state].sorted()
          guard sorted.count >= Self.fewestOfQuantile else { return .nan }
          return sorted[sorted.count * 95 / 100] / expected
        }
      )
    }
  }
}
