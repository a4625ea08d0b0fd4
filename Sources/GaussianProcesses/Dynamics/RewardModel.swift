// SPDX-License-Identifier: Apache-2.0
// A learnt reward r(x) (Algorithm 1, lines 4 and 7: D_R): one more Gaussian process, from standardised states to a
// channel of the log. Its posterior mean enters the return.

import LinearAlgebra
import MachineLogs

/// A reward learnt from a channel of the log.
public struct RewardModel: Sendable {
  /// The channel's name.
  public let column: String
  /// Of standardised states [S] and rewards with mean 0 and deviation 1.
  public let process: GaussianProcess
  public let mean: Double
  public let scale: Double

  public init(column: String, process: GaussianProcess, mean: Double, scale: Double) {
    (self.column, self.process, self.mean, self.scale) = (column, process, mean, scale)
  }

  /// Learns from episodes that have rewards.
  ///
  /// Throws: `LogError`, `FactorizationError`.
  init(
    fitting episodes: [Episode], column: String, states: Standardiser, options: FitOptions
  ) throws {
    let rows = episodes.enumerated().flatMap { number, episode in
      zip(episode.states, episode.rewards).filter { $0.1.isFinite }
        .map { (states: $0.0, reward: $0.1, episode: number) }
    }
    guard rows.count >= states.mean.count + 2 else {
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "), column: column,
        "\(rows.count) rewards are too few for \(states.mean.count) states")
    }
    let standardiser = Standardiser(fitting: rows.map { [$0.reward] })
    let x = Matrix(rows.map { states.standardise($0.states) })
    let y = rows.map { standardiser.standardise([$0.reward])[0] }
    let what = "reward '\(column)'"
    let result = try fitHyperparameters(
      x: x, y: y, options: options, episodeOf: rows.map(\.episode), what: what)
    self.init(
      column: column,
      process: try GaussianProcess(
        result.hyperparameters, x: x, y: y, noiseProfile: result.noiseProfile, what: what),
      mean: standardiser.mean[0], scale: standardiser.scale[0])
  }

  /// Posterior mean in the channel's units at standardised states [m, S].
  public func predict(_ states: Matrix) -> [Double] {
    process.predict(states).mean.map { $0 * scale + mean }
  }
}
