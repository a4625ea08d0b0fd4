// SPDX-License-Identifier: Apache-2.0
// What a model reads while it runs from rows of episodes along their logged actions: the states are its own, the exogenous inputs
// (commands, disturbances) the log's.
// In: standardised states [starts, S] of the last rows, newest first. Out: standardised features [starts, D]; and back, adjoints.

import Foundation
import LinearAlgebra
import MachineLogs

/// Standardised features of runs along the actions of episodes.
package struct LoggedFeatures {
  private let features: [InputFeature]
  private let states: Standardiser
  /// Indices of the features of exogenous inputs ...
  private let exogenousFeatures: [Int]
  /// ... and these, standardised, by episode [rows, their count]; NaN in rows that no run reads: those that lack the history, and
  /// the last where the next command is a feature.
  private let exogenous: [Matrix]
  /// For formulas that read exogenous inputs beside states.
  private let episodes: [Episode]
  private let standardiser: Standardiser
  /// Formulas of states, by feature.
  private let formulas: [Int: InputFormula.Evaluator]

  package init(_ model: DynamicsModel, _ episodes: [Episode]) {
    (features, states) = (model.form.features, model.stateStandardiser)
    let standardiser = model.featureStandardiser
    self.standardiser = standardiser
    self.episodes = episodes
    formulas = Dictionary(
      uniqueKeysWithValues: model.form.features.enumerated().compactMap { d, feature in
        guard case .formula(let formula, _) = feature, !feature.isExogenous else { return nil }
        return (d, .init(formula))
      })
    let newest = model.form.hasFeedthrough ? 1 : 0
    let exogenousFeatures = model.form.features.indices.filter {
      model.form.features[$0].isExogenous
    }
    self.exogenousFeatures = exogenousFeatures
    exogenous = episodes.map { episode in
      let rows = EpisodeFeatures(model.form, episode)
      var values = Matrix(
        rows: episode.count, columns: exogenousFeatures.count, repeating: .nan)
      for (c, d) in exogenousFeatures.enumerated() {
        for k in stride(from: model.form.longestLag, to: episode.count - newest, by: 1) {
          guard let value = rows.exogenous(d, at: k) else { continue }
          values[k, c] = (value - standardiser.mean[d]) / standardiser.scale[d]
        }
      }
      return values
    }
  }

  /// [starts, D]
  ///
  /// - Parameters:
  ///   - past: standardised states [starts, S], so many rows ago.
  ///   - starts: of the runs, with `form.longestLag` rows before them.
  ///   - step: rows since then.
  package func values(
    _ past: [Matrix], _ starts: ArraySlice<PredictionStart>, _ step: Int
  ) -> Matrix {
    let (count, dimensions) = (starts.count, features.count)
    var z = Matrix(rows: count, columns: dimensions)
    z.values.withUnsafeMutableBufferPointer { z in
      for (d, feature) in features.enumerated() {
        switch feature {
        case .state(let i, let lag):
          let column = past[lag].column(i)
          for b in 0..<count { z[b * dimensions + d] = column[b] }
        case .sine(let i, let radians):
          let column = past[0].column(i)
          for b in 0..<count { z[b * dimensions + d] = sin(radians * physical(column[b], i)) }
        case .cosine(let i, let radians):
          let column = past[0].column(i)
          for b in 0..<count { z[b * dimensions + d] = cos(radians * physical(column[b], i)) }
        case .formula(_, let lag):
          guard let formula = formulas[d] else { continue }
          for (b, start) in starts.enumerated() {
            let state = states.restore(past[0].row(b))
            let (episode, row) = (episodes[start.episode], start.row + step)
            z[b * dimensions + d] =
              (formula.value(state, episode.actions[row - lag], episode.disturbances(at: row))
                - standardiser.mean[d]) / standardiser.scale[d]
          }
        case .action, .disturbance, .filteredAction: break
        }
      }
      if !exogenousFeatures.isEmpty {
        for (b, start) in starts.enumerated() {
          let first = (start.row + step) * exogenousFeatures.count
          for (c, d) in exogenousFeatures.enumerated() {
            z[b * dimensions + d] = exogenous[start.episode].values[first + c]
          }
        }
      }
    }
    return z
  }

  /// Adds to the adjoints of states what those of the features come to.
  ///
  /// - Parameters:
  ///   - adjoint: of the features [starts, D].
  ///   - present: standardised states [starts, S].
  ///   - states: adjoints of the states, a matrix [starts, S] a row, the oldest first ...
  ///   - row: ... of which this is the present one's.
  func pullBack(
    _ adjoint: Matrix, at present: Matrix, to states: inout [Matrix], row: Int
  ) {
    for (d, feature) in features.enumerated() {
      let w = adjoint.column(d)
      switch feature {
      case .state(let i, let lag): add(w, to: &states[row - lag], column: i)
      case .sine(let i, let radians):
        let slopes = present.column(i).map { cos(radians * physical($0, i)) }
        let scale = radians * self.states.scale[i]
        add(zip(w, slopes).map { scale * $0 * $1 }, to: &states[row], column: i)
      case .cosine(let i, let radians):
        let slopes = present.column(i).map { -sin(radians * physical($0, i)) }
        let scale = radians * self.states.scale[i]
        add(zip(w, slopes).map { scale * $0 * $1 }, to: &states[row], column: i)
      case .action, .disturbance, .filteredAction: break
      case .formula: precondition(feature.isExogenous, "a form that cannot be refined")
      }
    }
  }

  private func add(_ values: [Double], to matrix: inout Matrix, column: Int) {
    let columns = matrix.columns
    matrix.values.withUnsafeMutableBufferPointer { all in
      for (b, value) in values.enumerated() { all[b * columns + column] += value }
    }
  }

  private func physical(_ standardised: Double, _ i: Int) -> Double {
    standardised * states.scale[i] + states.mean[i]
  }
}
