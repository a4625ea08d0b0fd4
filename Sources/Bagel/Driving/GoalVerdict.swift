// SPDX-License-Identifier: Apache-2.0
// How a run approached each of its goals, evaluated row by row: memory does not grow with the run.

import MachineLogs
/// How a run came to one of its goals (physical units, seconds).
package struct GoalVerdict: Hashable, Sendable {
  /// From when on it was wanted, since the first action.
  package var time: Double
  /// The last one of a goal that moved.
  package var goal: [Double]
  /// Until when it was wanted, or the run ended.
  package var end: Double
  /// From when on it was met without a break until the end; nil if it was not met at the end.
  package var reached: Double?
  /// In the order of `EvaluationOptions.tracked`.
  package var tracked: [Nearness]

  /// How one of what goals are of came to its goal.
  package struct Nearness: Hashable, Sendable {
    /// Its index.
    package let goal: Int
    /// Smallest and last |state - goal|, and the largest since all were reached.
    package var nearest = Double.infinity
    package var last = Double.infinity
    package var worstSinceReached: Double?
    /// Sum of |state - goal| from the settling time on, and its rows.
    fileprivate var settledSum = 0.0
    package fileprivate(set) var settledRows = 0

    /// Mean |state - goal| from the settling time on; nil before.
    package var settledError: Double? {
      settledRows > 0 ? settledSum / Double(settledRows) : nil
    }
  }

  private let settle: Double

  init(time: Double, goal: [Double], tracked: [Int], settle: Double) {
    (self.time, self.goal, end, self.settle) = (time, goal, time, settle)
    self.tracked = tracked.map { Nearness(goal: $0) }
  }

  /// - Parameters:
  ///   - errors: |state - goal| of each of what goals are of [G].
  ///   - wanted: the goal, which may move [G].
  ///   - isMet: whether the state is as near as the task wants.
  ///   - time: seconds since the start.
  mutating func add(errors: [Double], wanted: [Double], isMet: Bool, time: Double) {
    (end, goal) = (time, wanted)
    reached = isMet ? reached ?? time : nil
    for index in tracked.indices {
      let error = errors[tracked[index].goal]
      tracked[index].last = error
      tracked[index].nearest = min(tracked[index].nearest, error)
      if time - self.time >= settle - 1e-9 {
        tracked[index].settledSum += error
        tracked[index].settledRows += 1
      }
      tracked[index].worstSinceReached =
        isMet ? max(tracked[index].worstSinceReached ?? 0, error) : nil
    }
  }
}
