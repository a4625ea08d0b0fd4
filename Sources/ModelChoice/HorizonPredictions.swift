// SPDX-License-Identifier: Apache-2.0
// What a model says of measured values some steps ahead, as distributions, from many rows of episodes. In: particles that
// OpenLoop moves along the logged actions. Out: mean and 21 quantiles for each start, horizon and measured state.

import Foundation
import GaussianProcesses
import MachineLogs
import Samplers

/// A predicted distribution of one measured value.
public struct HorizonPrediction: Hashable, Sendable {
  public let start: PredictionStart
  /// Time steps ahead.
  public let steps: Int
  /// Index among the model's states.
  public let state: Int
  /// In the state's units.
  public let mean: Double
  /// Standard deviation, in the state's units.
  public let deviation: Double

  /// At `Horizons.levels`, ascending: of a normal distribution, which particles are too few to tell from another.
  public var quantiles: [Double] { Horizons.normalQuantiles.map { mean + deviation * $0 } }
}

/// The horizons and quantiles at which models are judged.
public enum Horizons {
  /// Time steps.
  public static let steps = [1, 2, 5, 10, 20, 50, 100]
  /// Rows before a start, so that models that look back as far as this are judged from the same starts.
  public static let rowsBefore = 8
  /// 0.025, 0.05, 0.1 ... 0.95, 0.975
  public static let levels = [0.025] + (1...19).map { Double($0) / 20 } + [0.975]

  /// Of the standard normal distribution at `levels`.
  static let normalQuantiles = levels.map(normalQuantile)

  /// By bisection of the error function.
  private static func normalQuantile(_ level: Double) -> Double {
    var (low, high) = (-10.0, 10.0)
    for _ in 0..<80 {
      let middle = (low + high) / 2
      if 0.5 * erfc(-middle / 2.0.squareRoot()) < level { low = middle } else { high = middle }
    }
    return (low + high) / 2
  }
}

extension DynamicsModel {
  /// Distributions of the measured states `Horizons.steps` ahead, from every row of the episodes with enough rows before it.
  ///
  /// - Parameters:
  ///   - episodes: with logged actions.
  ///   - sampler: of this model's posterior, with observed noise.
  ///   - particles: from each start.
  /// - Throws: `ExecutionError`.
  public func horizonPredictions(
    _ episodes: [Episode], _ sampler: any PosteriorSampler, particles: Int = 32
  ) throws -> [HorizonPrediction] {
    let starts = OpenLoop.starts(
      episodes, rowsBefore: max(Horizons.rowsBefore, form.longestLag))
    let horizons = Set(Horizons.steps)
    return try predictions(
      episodes, sampler, from: starts, steps: Horizons.steps.max() ?? 0, particles: particles,
      isWanted: horizons.contains)
  }

  /// Distributions of the measured states of every row after the first `knownRows` of each episode.
  ///
  /// Parameters and errors as of `horizonPredictions`; in the order of time, episode by episode.
  public func simulations(
    _ episodes: [Episode], _ sampler: any PosteriorSampler, knownRows: Int, particles: Int = 256
  ) throws -> [HorizonPrediction] {
    let first = max(knownRows - 1, form.longestLag)
    let starts = episodes.indices.filter { episodes[$0].count > first + 1 }.map {
      PredictionStart(episode: $0, row: first)
    }
    let all = try predictions(
      episodes, sampler, from: starts, steps: .max, particles: particles, isWanted: { _ in true })
    return all.sorted {
      ($0.start.episode, $0.steps, $0.state) < ($1.start.episode, $1.steps, $1.state)
    }
  }

  /// A sampler for predictions: through at most 300 inducing points, with the measurements' noise.
  ///
  /// Throws: `FactorizationError`.
  public func predictionSampler() throws -> any PosteriorSampler {
    let limits = layout.actions.map { _ in -1.0...1.0 }
    var options = SamplerOptions()
    options.name = .sparse
    options.noise = .observed
    return try sampler(options, actionLimits: limits).sampler
  }

  private func predictions(
    _ episodes: [Episode], _ sampler: any PosteriorSampler, from starts: [PredictionStart],
    steps: Int, particles: Int, isWanted: (Int) -> Bool
  ) throws -> [HorizonPrediction] {
    let measured = layout.states.indices.filter { layout.states[$0].source == .column }
    var predictions: [HorizonPrediction] = []
    let loop = try OpenLoop(self, sampler, particles: particles)
    try loop.run(from: starts, in: episodes, steps: steps) { start, step, states in
      guard isWanted(step) else { return }
      for state in measured {
        let values = (0..<particles).map {
          states[states.startIndex + $0 * layout.states.count + state]
        }
        let mean = values.reduce(0, +) / Double(particles)
        let squares = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
        predictions.append(
          HorizonPrediction(
            start: starts[start], steps: step, state: state, mean: mean,
            deviation: (squares / Double(particles - 1)).squareRoot()))
      }
    }
    return predictions
  }
}
