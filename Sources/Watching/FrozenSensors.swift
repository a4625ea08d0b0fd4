// SPDX-License-Identifier: Apache-2.0
// Sensors that repeat their value. In: measured columns [C], row by row. Out: those that have repeated it longer than chance allows.
//
// A sensor with noise hardly ever gives the same number twice. From the rows of a log, p is the part that repeats the row before; then a
// run of r more repeats than the longest that the log has comes with the probability p^r a row, and the limit is where this is
// `falseAlarms`. A sensor that repeats itself often (coarse steps, a machine at rest) gives no evidence: it has no limit, and freezing
// shows in its innovations once it should move.

import Foundation

/// How long each sensor has repeated its value.
package struct FrozenSensors: Sendable {
  /// Rows in a row with the same value from which on a sensor is frozen [C]; 0 for sensors that are not judged.
  private let longestRepeats: [Int]
  private var last: [Double] = []
  private var repeats: [Int]

  /// A sensor that repeats itself in more than this part of its log is not judged.
  private static let mostRepeating = 0.05

  package init(longestRepeats: [Int]) {
    self.longestRepeats = longestRepeats
    repeats = longestRepeats.map { _ in 0 }
  }

  /// Frozen columns, and for how many rows each has had its value.
  package mutating func next(_ measured: [Double]) -> [(column: Int, rows: Int)] {
    defer { last = measured }
    guard !last.isEmpty else { return [] }
    return longestRepeats.indices.compactMap { c in
      repeats[c] = measured[c] == last[c] ? repeats[c] + 1 : 0
      guard longestRepeats[c] > 0, repeats[c] >= longestRepeats[c] else { return nil }
      return (c, repeats[c] + 1)
    }
  }

  /// The limits of a log.
  ///
  /// - Parameters:
  ///   - columns: measured values by column, episodes apart [episodes][C][T]; empty of a column that nobody has.
  ///   - count: C
  ///   - falseAlarms: that may come in a row, a probability.
  /// - Returns: repeats [C]; 0 where nothing can be said.
  package static func limits(
    _ columns: [[[Double]]], count: Int, falseAlarms: Double
  ) -> [Int] {
    (0..<count).map { c in
      var (rows, repeated, longest) = (0, 0, 0)
      for episode in columns {
        var run = 0
        for (before, now) in zip(episode[c], episode[c].dropFirst()) {
          run = before == now ? run + 1 : 0
          (rows, repeated, longest) = (rows + 1, repeated + (run > 0 ? 1 : 0), max(longest, run))
        }
      }
      if rows == 0 { return 0 }
      // One more than was seen: what a short log has not seen may happen.
      let part = Double(repeated + 1) / Double(rows + 2)
      guard part <= mostRepeating else { return 0 }
      return longest + max(2, Int((log(falseAlarms) / log(part)).rounded(.up)))
    }
  }
}
