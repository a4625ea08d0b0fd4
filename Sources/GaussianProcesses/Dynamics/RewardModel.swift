// SPDX-License-Identifier: Apache-2.0
// A learnt reward r(x) (Algorithm 1, lines 4 and 7: D_R): one more Gaussian process, from standardised states to a
// channel of the log. Its posterior mean enters the return.

import Foundation
import LinearAlgebra
import MachineLogs

/// A reward learnt from a channel of the log.
package struct RewardModel: Sendable {
  /// The channel's name.
  package let column: String
  /// What the process sees of a state [D]: standardised, angles as sine and cosine.
  package let features: [InputFeature]
  let states: Standardiser
  /// Of features and rewards with mean 0 and deviation 1.
  package let process: GaussianProcess
  package let mean: Double
  package let scale: Double

  init(
    column: String, features: [InputFeature], states: Standardiser, process: GaussianProcess,
    mean: Double, scale: Double
  ) {
    (self.column, self.features, self.states) = (column, features, states)
    (self.process, self.mean, self.scale) = (process, mean, scale)
  }

  /// Learns from episodes that have rewards. The prior mean is a constant: a trend would promise rewards without bound
  /// where there are no data.
  ///
  /// Throws: `LogError`, `FactorizationError`.
  init(
    fitting episodes: [Episode], column: String, states: Standardiser, turns: [Int: Double],
    options: FitOptions
  ) throws {
    let features = states.mean.indices.flatMap {
      InputFeature.present($0, turn: turns[$0])
    }
    var options = options
    if options.mean == .linear { options.mean = .constant }
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
    let x = Matrix(rows.map { inputs(features, states, $0.states) })
    let y = rows.map { standardiser.standardise([$0.reward])[0] }
    let what = "reward '\(column)'"
    let result = try fitHyperparameters(
      x: x, y: y, options: options, episodeOf: rows.map(\.episode), what: what)
    self.init(
      column: column, features: features, states: states,
      process: try GaussianProcess(
        result.hyperparameters, x: x, y: y, noiseProfile: result.noiseProfile, what: what),
      mean: standardiser.mean[0], scale: standardiser.scale[0])
  }

  /// Posterior mean in the channel's units at states in physical units [m][S].
  package func predict(_ states: [[Double]]) -> [Double] {
    process.predict(Matrix(states.map { inputs(features, self.states, $0) })).mean
      .map { $0 * scale + mean }
  }
}

/// Standardised features [D] of a state in physical units [S].
private func inputs(
  _ features: [InputFeature], _ states: Standardiser, _ state: [Double]
) -> [Double] {
  let identity = Standardiser(
    mean: features.map { _ in 0 }, scale: features.map { _ in 1 })
  return features.aligned(identity, states: states)
    .standardise(features.map { $0.ofState { _ in state } })
}
