// SPDX-License-Identifier: Apache-2.0
// Innovations: a measurement minus the model's prediction from the row before; and two directions in which they would move if the
// machine changed: the effect of its commands on a prediction, and the effect of one more row of delay. In: rows of an episode.
// Out: [S] each, physical units.

import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// What a model says of a measured row.
struct Innovation: Sendable {
  /// Measured less predicted [S].
  var values: [Double]
  /// What the commands do to the prediction, and what a delay of one more row would [S].
  var ofCommands: [Double]
  var ofDelay: [Double]
  /// Whether the model learnt from rows like the one before.
  var isKnown: Bool
}

/// One-step predictions of one model.
package struct StepPredictor: Sendable {
  private let mean: DynamicsMean
  private let map: AffineNextState
  private let safeAction: [Double]
  private let box: DataBox
  private var model: DynamicsModel { mean.model }

  /// Of filtered commands, in their time constants: what is older counts less than a thousandth.
  private static let filterMemory = 7.0

  /// - Parameters:
  ///   - model: of the machine.
  ///   - safeAction: at which the machine is at rest [A].
  /// - Returns: nil for a model that follows a command at once: its prediction waits for the next one.
  /// - Throws: `FactorizationError`.
  package init?(_ model: DynamicsModel, safeAction: [Double]) throws {
    if model.form.hasFeedthrough { return nil }
    mean = try DynamicsMean(model)
    map = AffineNextState(model)
    box = DataBox(bounds: model.featureBounds)
    self.safeAction = safeAction
  }

  /// Rows before a row that a prediction of the next one reads.
  var history: Int { model.form.longestLag }
  /// Those and what filtered commands remember.
  var memory: Int {
    history + Int(((model.form.filters.map(\.steps).max() ?? 0) * Self.filterMemory).rounded(.up))
  }

  /// The innovations of an episode's rows from `first` on, each from the row before it.
  ///
  /// - Parameters:
  ///   - episode: with `history` rows before the first one's predecessor.
  ///   - first: the first row that is judged, `history + 1` at least.
  func innovations(of episode: Episode, from first: Int) -> [Innovation] {
    let before = first - 1..<episode.count - 1
    if before.isEmpty { return [] }
    var (idle, delayed) = (episode, episode)
    idle.actions = episode.actions.map { _ in safeAction }
    delayed.actions = [episode.actions[0]] + episode.actions.dropLast()
    let actual = features(episode, before)
    let states = before.map { model.stateStandardiser.standardise(episode.states[$0]) }
    let next = [actual, features(idle, before), features(delayed, before)].map {
      predictions($0, from: states)
    }
    return before.indices.map { k in
      let i = k - before.lowerBound
      return Innovation(
        values: difference(episode.states[k + 1], next[0][i]),
        ofCommands: difference(next[0][i], next[1][i]),
        ofDelay: difference(next[2][i], next[0][i]),
        isKnown: actual[i].indices.allSatisfy { !box.isWellBeyond(actual[i][$0], of: $0) })
    }
  }

  /// [rows][D], physical units.
  private func features(_ episode: Episode, _ rows: Range<Int>) -> [[Double]] {
    let features = EpisodeFeatures(model.form, episode)
    return rows.map { features[$0] }
  }

  /// States [rows][S] one step after standardised ones, physical units.
  private func predictions(_ features: [[Double]], from states: [[Double]]) -> [[Double]] {
    let increments = mean.increments(Matrix(features.map(model.featureStandardiser.standardise)))
    return states.indices.map { k in
      model.stateStandardiser.restore(
        map.offset.indices.map { i in
          map.offset[i] + dot(map.ofState.row(i), states[k])
            + dot(map.ofIncrements.row(i), increments.row(k))
        })
    }
  }

  private func difference(_ a: [Double], _ b: [Double]) -> [Double] { zip(a, b).map { $0 - $1 } }
}
