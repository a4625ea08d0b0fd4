// SPDX-License-Identifier: Apache-2.0
// Episodes -> the rows that Gaussian processes learn from. In: episodes with states [T, S] and actions
// [T, A]. Out: features [n, D] and increments [n, M], in physical units, one row a transition.

import Foundation
import LinearAlgebra
import MachineLogs

/// Features and increments of transitions.
public struct TransitionSet: Sendable {
  /// [n, D], physical units.
  public var features: [[Double]]
  /// [n, M], physical units.
  public var increments: [[Double]]
  /// Number of the episode of each row [n]; rest transitions are one more.
  public var episodeOf: [Int]

  public var count: Int { features.count }

  /// All transitions of the episodes that have enough history.
  public init(_ episodes: [Episode], form: ModelForm) {
    features = []
    increments = []
    episodeOf = []
    for (number, episode) in episodes.enumerated() {
      for k in form.longestLag..<max(episode.count - 1, form.longestLag) {
        features.append(form.features(of: episode, at: k))
        episodeOf.append(number)
        increments.append(
          form.outputStates.map { episode.states[k + 1][$0] - episode.states[k][$0] })
      }
    }
  }

  /// Adds transitions of a machine at rest (rates and actions zero, no change), at states spread over
  /// the data: a log that never rests does not say that a machine stays where it is.
  public mutating func addRest(count: Int, rates: Set<Int>, form: ModelForm) {
    let rest = (episodeOf.last ?? -1) + 1
    for index in evenlySpreadRows(count: self.count, wanted: count) {
      features.append(
        zip(form.features, features[index]).map { feature, value in
          switch feature {
          case .action: 0
          case .state(let i, _): rates.contains(i) ? 0 : value
          case .sine, .cosine: value
          }
        })
      increments.append(Array(repeating: 0, count: form.outputCount))
      episodeOf.append(rest)
    }
  }
}

extension ModelForm {
  /// Features of row k of an episode [D], physical units.
  func features(of episode: Episode, at k: Int) -> [Double] {
    features.map { feature in
      if case .action(let i, let lag) = feature { return episode.actions[k - lag][i] }
      return feature.ofState { episode.states[k - $0] }
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
    case .action: preconditionFailure("an action is no feature of a state")
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
      case .action: break
      }
    }
    return Standardiser(mean: mean, scale: scale)
  }
}
