// SPDX-License-Identifier: Apache-2.0
// The more the commands change, the less accurate a model is: it lacks lags, dead bands and delays. So innovations scatter more
// after changes; a log shows by how much (a variance that follows from the past, as Engle's of 1982):
//
//   v_t = e^(-1 / tau) v_(t-1) + |change of the commands in their deviations|^2,   deviation^2 = 1 + c v_t
//
// c and tau are those of the greatest likelihood, c >= 0.

import Foundation

/// How much commands have changed lately, with one memory after another.
struct CommandActivity: Sendable {
  /// tau, rows.
  static let memories = [1.0, 3, 8, 20]
  private var values = memories.map { _ in 0.0 }

  /// v of each memory after one more change [A], in deviations.
  mutating func next(_ change: [Double]) -> [Double] {
    let square = change.reduce(0) { $0 + $1 * $1 }
    for (m, memory) in Self.memories.enumerated() {
      values[m] = exp(-1 / memory) * values[m] + square
    }
    return values
  }
}

/// The factor of a state's deviation.
struct Excitation: Hashable, Sendable {
  /// c of each memory; one of them where it is fitted.
  var weights = CommandActivity.memories.map { _ in 0.0 }

  /// sqrt(1 + sum over the memories of c v)
  func deviation(_ activity: [Double]) -> Double {
    (1 + zip(weights, activity).reduce(0) { $0 + $1.0 * $1.1 }).squareRoot()
  }

  /// c that are compared: from a hundredth of a usual change's effect to all of it.
  private static let compared = [0] + (0..<24).map { 1e-4 * pow(2, Double($0)) }

  /// The likeliest for values [n] with their activities [n], and their deviation without activity.
  static func fit(
    _ values: [Double], _ activities: [[Double]]
  ) -> (excitation: Excitation, deviation: Double) {
    let n = Double(max(values.count, 1))
    var best = (likelihood: -Double.infinity, excitation: Excitation(), deviation: 1.0)
    for memory in CommandActivity.memories.indices {
      for weight in compared {
        let factors = activities.map { 1 + weight * $0[memory] }
        let variance = zip(values, factors).reduce(0) { $0 + $1.0 * $1.0 / $1.1 } / n
        let likelihood =
          -0.5
          * (n * log(max(variance, .leastNormalMagnitude)) + factors.reduce(0) { $0 + log($1) })
        if likelihood > best.likelihood {
          var excitation = Excitation()
          excitation.weights[memory] = weight
          best = (likelihood, excitation, variance.squareRoot())
        }
      }
    }
    return (best.excitation, max(best.deviation, .leastNormalMagnitude))
  }
}
