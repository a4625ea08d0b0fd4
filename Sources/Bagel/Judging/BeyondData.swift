// SPDX-License-Identifier: Apache-2.0
// Where a plant left the range of the data behind its policy, in words: there neither model nor policy is tested.

import LinearAlgebra
import MachineLogs
import Tasks
import Watching

extension ControlTask {
  /// In more than this part of the rows.
  private static let beyondRows = 0.05

  /// States, and disturbances that the policy sees, which episodes had well beyond the data.
  ///
  /// - Parameters:
  ///   - episodes: what the plant did.
  ///   - bounds: of the data behind the policy, of what it sees; nil where nobody knows.
  package func sentencesBeyond(
    _ bounds: [ClosedRange<Double>]?, of episodes: [Episode]
  ) -> [String] {
    guard let bounds else { return [] }
    let box = DataBox(bounds: bounds)
    return zip(observedLayout.states, bounds).enumerated().compactMap { index, known in
      let channel = known.0
      if channel.turn != nil { return nil }
      let disturbance = index - layout.states.count
      let values = episodes.flatMap { episode in
        disturbance < 0
          ? episode.states.map { $0[index] } : episode.disturbances.map { $0[disturbance] }
      }
      let outside = values.filter { box.isWellBeyond($0, of: index) }
      let part = Double(outside.count) / Double(max(values.count, 1))
      guard part > Self.beyondRows, let least = values.min(), let most = values.max() else {
        return nil
      }
      return
        "'\(channel.name)' was outside the data behind the policy (\(box.words(of: index))) in "
        + "\(number(100 * part)) % of the rows, from \(format(least)) to \(format(most)): the policy is untested there"
    }
  }
}
