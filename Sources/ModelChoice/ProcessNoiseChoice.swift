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
  /// CRPS over that of independent draws of the function alone, the geometric mean over states and horizons.
  public let relativeCRPS: Double
  /// Of its logarithm, over the blocks.
  public let standardError: Double
  /// By how much the particles' 95 % bands must be widened to hold 95 % of the left-out measurements: [(steps, one a measured
  /// state)].
  public let bandFactors: [(steps: Int, factors: [Double])]

  /// Standard errors that are taken off a gain.
  private static let doubt = 1.0

  /// Whether it surely gains.
  public var isSure: Bool { log(relativeCRPS) + Self.doubt * standardError < 0 }
}

/// Ensembles of a model's particles over left-out blocks.
public struct ProcessNoiseChoice {
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
  /// - Parameters:
  ///   - model: whose hyperparameters are kept; its data are those of the episodes.
  ///   - episodes: that it was learnt from.
  ///   - options: how its linear part was found.
  /// - Throws: `FactorizationError`, `LogError`.
  public init(_ model: DynamicsModel, learntFrom episodes: [Episode], _ options: FitOptions) throws
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
  public func choose() -> ProcessNoiseFigures? {
    let outputs = model.form.outputCount
    var best = (0..<outputs).map { _ in ProcessNoise(share: 0, correlation: 0) }
    let plain = ensembles(best)
    guard plain.blocks > 1 else { return nil }
    var least = 0.0
    var found = plain
    /// Takes the better of variations of one number of the outputs.
    func vary(_ change: (inout ProcessNoise, Double) -> Void, _ values: [Double], of m: Range<Int>)
    {
      for value in values {
        var tried = best
        for k in m { change(&tried[k], value) }
        if tried == best { continue }
        let ensembles = ensembles(tried)
        let score = ensembles.score(over: plain)
        if score.mean < least { (best, found, least) = (tried, ensembles, score.mean) }
      }
    }
    let all = 0..<outputs
    for m in all { best[m].correlation = 0.8 }
    vary({ $0.share = $1 }, Self.shares, of: all)
    vary({ $0.correlation = $1 }, Self.correlations, of: all)
    for m in all where outputs > 1 {
      vary({ $0.share = $1 }, [0.5, 2].map { min($0 * best[m].share, 1) }, of: m..<m + 1)
    }
    vary({ $0.share = $1 }, [0.7, 1.4].map { min($0 * best[0].share, 1) }, of: all)
    let score = found.score(over: plain)
    return ProcessNoiseFigures(
      noise: best, relativeCRPS: exp(score.mean), standardError: score.standardError,
      bandFactors: found.bandFactors)
  }

  /// Runs particles from all starts, with the same draws whatever the noise.
  private func ensembles(_ noise: [ProcessNoise]) -> Ensembles {
    var result = Ensembles(states: measured.count, blocks: parts.count)
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
        guard Self.horizons.contains(step) else { return }
        // Particles of a start stand together: they have the same row and the same steps left.
        let sensors = measured.map { sensorDeviation($0, shares) }
        for first in stride(from: 0, to: states.rows, by: Self.particles) {
          let start = starts[starts.startIndex + first]
          let truth = part.judge[start.episode].states[start.row + step]
          for (s, state) in measured.enumerated() {
            let values = (0..<Self.particles).map { b in
              // No other draw of a particle is in this dimension.
              let noise = DrawKey(seed: UInt64(block)).normals(
                particle: first + b, step: step, first: outputs + s, count: 1)[0]
              return states[first + b, state] + sensors[s] * noise
            }
            result.add(values, truth: truth[state], steps: step, state: s, block: block)
          }
        }
      }
    }
    return result
  }

  /// Of a measured value beside the particle that began at another: two sensor's errors, which is what one-step residuals have
  /// beyond the process's share. Physical units.
  private func sensorDeviation(_ state: Int, _ shares: [Double]) -> Double {
    switch model.form.updates[state] {
    case .increment(let m):
      let variance = model.processes[m].hyperparameters.noiseVariance
      return ((1 - shares[m] * shares[m]) * variance).squareRoot()
        * model.incrementStandardiser.scale[m]
    case .backwardIntegral(let rate, _), .trapezoidalIntegral(let rate):
      return model.layout.timeStep * sensorDeviation(rate, shares)
    case .difference(let position, _): return sensorDeviation(position, shares)
    }
  }
}

/// Sums of ensembles' scores by horizon, state and block.
private struct Ensembles {
  let states: Int
  let blocks: Int
  private var sums: [[Int]: (score: Double, count: Int)] = [:]
  /// Errors over the ensemble's deviation, by horizon and state.
  private var ratios: [[Int]: [Double]] = [:]

  init(states: Int, blocks: Int) { (self.states, self.blocks) = (states, blocks) }

  mutating func add(_ x: [Double], truth: Double, steps: Int, state: Int, block: Int) {
    let count = Double(x.count)
    let mean = x.reduce(0, +) / count
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    var between = 0.0
    for i in x.indices { for j in x.indices where j < i { between += abs(x[i] - x[j]) } }
    let score =
      x.reduce(0) { $0 + abs($1 - truth) } / count - between / (count * (count - 1))
    let known = sums[[steps, state, block]] ?? (0, 0)
    sums[[steps, state, block]] = (known.score + score, known.count + 1)
    ratios[[steps, state], default: []].append(
      abs(truth - mean) / max((variance * (1 + 1 / count)).squareRoot(), 1e-300))
  }

  /// Mean logarithm of the CRPS over another's, over states and horizons, and its standard error over the blocks.
  func score(over other: Ensembles) -> (mean: Double, standardError: Double) {
    let all = (0..<blocks).compactMap { block -> Double? in
      let logarithms = sums.filter { $0.key[2] == block }.compactMap { key, sum -> Double? in
        guard let theirs = other.sums[key], theirs.score > 0 else { return nil }
        return log(max(sum.score / theirs.score, 1e-3))
      }
      return logarithms.isEmpty ? nil : logarithms.reduce(0, +) / Double(logarithms.count)
    }
    guard !all.isEmpty else { return (0, 0) }
    return (all.reduce(0, +) / Double(all.count), standardError(all))
  }

  /// The 95 % quantile of the errors over that of Student's t of an ensemble's deviation (7 degrees of freedom).
  var bandFactors: [(steps: Int, factors: [Double])] {
    let expected = 2.365
    return Set(ratios.keys.map { $0[0] }).sorted().map { steps in
      (
        steps,
        (0..<states).map { state in
          let sorted = (ratios[[steps, state]] ?? []).sorted()
          guard !sorted.isEmpty else { return .nan }
          return sorted[min(sorted.count * 95 / 100, sorted.count - 1)] / expected
        }
      )
    }
  }
}
