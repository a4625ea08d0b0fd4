// SPDX-License-Identifier: Apache-2.0
// A reward with a peak at the goal gives no direction to a policy that stays far from it: exp(-1,000) has no gradient in single
// precision. There the reward is widened: it sees states n times nearer to the goal (`Reward.widened`), which leaves the peak
// where it is. The search then continues from that result with the narrowest reward that is no longer flat.

import Execution
import Rollouts

/// Executors of one rollout with its reward widened as much as is wanted.
final class RewardWidening {
  private let make: () throws -> PolicyOptimizer.Executors
  /// Whether each of what goals are of is widened [G].
  private let isWidened: [Bool]
  private var made: PolicyOptimizer.Executors?

  /// A gradient shorter than this is none: Adam, which divides by the gradient's size plus 1e-8, does not move for it.
  static let flat = 1e-8
  /// Widenings are powers of two up to this.
  private static let mostDoublings = 16
  static let largest = Double(1 << mostDoublings)
  /// A widening does whose gradient is this part of the longest one: wider ones see the goal less sharply.
  private static let steepEnough = 0.1

  /// - Parameters:
  ///   - isWidened: whether each of what goals are of is; angles that turn are seen as they are [G].
  ///   - make: compiles the rollout; called if the reward is flat.
  init(isWidened: [Bool], _ make: @escaping () throws -> PolicyOptimizer.Executors) {
    self.isWidened = isWidened
    self.make = make
  }

  /// The executors, with states seen `widening` times nearer to the goal.
  func executors(_ widening: Double) throws -> PolicyOptimizer.Executors {
    let executors = try made ?? make()
    made = executors
    let nearness = isWidened.map { $0 ? 1 / widening : 1 }
    try executors.iterations.rebind(Reward.nearnessArray, nearness)
    if executors.judge !== executors.iterations {
      try executors.judge.rebind(Reward.nearnessArray, nearness)
    }
    return executors
  }

  /// How much the reward must be widened; 1 where it is not flat, and where widening does not help.
  ///
  /// - Parameter norm: length of the gradient with these executors; nil for the reward as it is.
  func wideningWhereFlat(
    _ norm: (PolicyOptimizer.Executors?) throws -> Double
  ) throws -> Double {
    guard try norm(nil) < Self.flat else { return 1 }
    let doublings = 1...Self.mostDoublings
    let norms = try doublings.map { count in
      try norm(executors(Double(1 << count)))
    }
    let longest = norms.filter(\.isFinite).max() ?? 0
    guard longest > Self.flat,
      let index = norms.firstIndex(where: { $0.isFinite && $0 >= Self.steepEnough * longest })
    else { return 1 }
    return Double(1 << (index + 1))
  }

  /// The least widening below the present one with a gradient; nil where there is none.
  func narrowest(
    below present: Double, _ norm: (PolicyOptimizer.Executors?) throws -> Double
  ) throws -> Double? {
    var widening = 1.0
    while widening < present {
      let length = try norm(widening == 1 ? nil : executors(widening))
      if length.isFinite && length >= Self.flat { return widening }
      widening *= 2
    }
    return nil
  }
}
