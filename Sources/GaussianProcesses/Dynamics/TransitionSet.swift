// SPDX-License-Identifier: Apache-2.0
// Episodes -> the rows that Gaussian processes learn from. In: episodes with states [T, S], actions
// [T, A] and disturbances [T, W]. Out: features [n, D] and increments [n, M], in physical units, one row per transition.

import Foundation
import LinearAlgebra
import MachineLogs

/// Features and increments of transitions.
package struct TransitionSet: Sendable {
  /// [n, D], physical units.
  package var features: [[Double]]
  /// [n, M], physical units.
  package var increments: [[Double]]
  /// Number of the episode of each row [n]; rest transitions are one more.
  package var episodeOf: [Int]

  package var count: Int { features.count }

  /// All transitions of the episodes that have enough history.
  package init(_ episodes: [Episode], form: ModelForm) {
    features = []
    increments = []
    episodeOf = []
    for (number, episode) in episodes.enumerated() {
      let rows = EpisodeFeatures(form, episode)
      for k in form.longestLag..<max(episode.count - 1, form.longestLag) {
        features.append(rows[k])
        episodeOf.append(number)
        increments.append(
          form.outputStates.map { episode.states[k + 1][$0] - episode.states[k][$0] })
      }
    }
  }

  /// Adds transitions of a machine at rest (rates and actions zero, no change), at states spread over
  /// the data: a log that never rests does not say that a machine stays where it is.
  package mutating func addRest(count: Int, rates: Set<Int>, form: ModelForm) {
    let rest = (episodeOf.last ?? -1) + 1
    for index in evenlySpreadRows(count: self.count, wanted: count) {
      features.append(
        zip(form.features, features[index]).map { feature, value in
          switch feature {
          case .action, .filteredAction: 0
          // What disturbs the machine does so at rest.
          case .disturbance: value
          case .state(let i, _): rates.contains(i) ? 0 : value
          case .sine, .cosine: value
          case .formula:
            preconditionFailure(
              "what a formula is at rest does not follow from what it is in motion")
          }
        })
      increments.append(Array(repeating: 0, count: form.outputCount))
      episodeOf.append(rest)
    }
  }
}

/// The features of an episode's rows, in physical units.
package struct EpisodeFeatures {
  private let form: ModelForm
  private let episode: Episode
  /// The filtered commands [T] of the features that are so, by feature.
  private var filtered: [Int: [Double]] = [:]
  /// By feature.
  private var formulas: [Int: InputFormula.Evaluator] = [:]

  package init(_ form: ModelForm, _ episode: Episode) {
    (self.form, self.episode) = (form, episode)
    for (d, feature) in form.features.enumerated() {
      if case .formula(let formula, _) = feature { formulas[d] = .init(formula) }
      guard case .filteredAction(let j, let steps) = feature else { continue }
      let gain = InputFeature.filterGain(steps: steps)
      var value = episode.actions.first?[j] ?? 0
      filtered[d] = episode.actions.map { action in
        value += gain * (action[j] - value)
        return value
      }
    }
  }

  /// [D] of row k.
  package subscript(k: Int) -> [Double] {
    form.features.indices.map { d in
      if case .formula(_, let lag) = form.features[d], let formula = formulas[d] {
        return formula.value(
          episode.states[k], episode.actions[k - lag], episode.disturbances(at: k))
      }
      return exogenous(d, at: k) ?? form.features[d].ofState { episode.states[k - $0] }
    }
  }

  /// Feature d of row k if it is of commands and disturbances, else nil.
  package func exogenous(_ d: Int, at k: Int) -> Double? {
    if let filtered = filtered[d] { return filtered[k] }
    switch form.features[d] {
    case .action(let j, let lag): return episode.actions[k - lag][j]
    case .disturbance(let w, let lag): return episode.disturbances[k - lag][w]
    case .formula(let formula, let lag):
      return formula.states.isEmpty
        ? formulas[d]?.value([], episode.actions[k - lag], episode.disturbances(at: k)) : nil
    case .state, .filteredAction, .sine, .cosine: return nil
    }
  }
}

extension InputFeature {
  /// Its number, in physical units; of states only.
  ///
  /// - Parameter state: [S], physical units, so many rows ago.
  func ofState(_ state: (_ lag: Int) -> [Double]) -> Double {
    switch self {
    case .state(let i, let lag): return state(lag)[i]
    case .sine(let i, let radians): return sin(radians * state(0)[i])
    case .cosine(let i, let radians): return cos(radians * state(0)[i])
    case .action, .disturbance, .filteredAction, .formula:
      preconditionFailure("an action is no feature of a state")
    }
  }
}

extension [InputFeature] {
  /// A standardiser of these features in which states keep their own standardiser, so that rollouts convert nothing; sine and
  /// cosine are left as they are.
  func aligned(_ standardiser: Standardiser, states: Standardiser) -> Standardiser {
    var (mean, scale) = (standardiser.mean, standardiser.scale)
    for (d, feature) in enumerated() {
      switch feature {
      case .state(let i, _): (mean[d], scale[d]) = (states.mean[i], states.scale[i])
      case .sine, .cosine: (mean[d], scale[d]) = (0, 1)
      case .action, .disturbance, .filteredAction, .formula: break
      }
    }
    return Standardiser(mean: mean, scale: scale)
  }
}
