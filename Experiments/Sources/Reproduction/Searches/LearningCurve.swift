// SPDX-License-Identifier: Apache-2.0
// Return against seconds of searching: one trial's curve, and many trials' mean with its 95 % interval.

import Bagel
import Foundation

/// How the judged return of a search's policy grew with the time that the search took.
struct LearningCurve: Sendable {
  /// Seconds of searching, judging left out; the first is 0, the last within the budget.
  private(set) var seconds: [Double] = []
  private(set) var returns: [Double] = []
  /// All iterations and their seconds, those of a last step beyond the budget too.
  private(set) var iterations = 0
  private(set) var spent = 0.0
  /// Why the search ended before its budget.
  private(set) var failure: String?
  /// Whether somebody wanted it to end.
  private(set) var isInterrupted = false

  /// Runs a search for so many seconds of its own time. What it reaches with a step that ends later does not count.
  ///
  /// - Parameters:
  ///   - goesOn: asked after every step, with the seconds so far.
  ///   - judge: the return of parameters.
  /// - Throws: what the judging throws; what the search throws ends the curve.
  init(
    _ search: any ComparedSearch, budget: Double, goesOn: (Double) -> Bool,
    judge: ([Double]) throws -> Double
  ) throws {
    var due = 0.0
    func value() throws -> Double { try judge(search.parameters) }
    seconds = [0]
    returns = [try value()]
    while spent < budget && failure == nil && !isInterrupted {
      let start = ContinuousClock.now
      do { iterations += try search.step() } catch { failure = "\(error)" }
      spent += start.duration(to: .now).seconds
      if failure == nil && spent <= budget && spent >= due {
        seconds.append(spent)
        returns.append(try value())
        // Every step of a slow search, some hundred of a fast one, closer together at the beginning.
        due = max(spent * 1.03, spent + budget / 5_000)
      }
      isInterrupted = !goesOn(spent)
    }
  }

  /// The last judged return at a time.
  func value(at time: Double) -> Double {
    returns[(seconds.lastIndex { $0 <= time }) ?? 0]
  }

  /// At the end of the budget.
  var lastReturn: Double { returns[returns.count - 1] }

  /// Seconds until the return first reaches a value; infinite where it does not.
  func time(to value: Double) -> Double {
    returns.firstIndex { $0 >= value }.map { seconds[$0] } ?? .infinity
  }
}

/// Many trials at the same times.
struct MeanCurve: Sendable {
  let seconds: [Double]
  let mean: [Double]
  /// Half width of the mean's 95 % interval.
  let halfWidth: [Double]

  /// At 60 times, each a constant factor later, up to the budget.
  init(_ curves: [LearningCurve], from first: Double, to budget: Double) {
    let n = Double(curves.count)
    seconds = (0..<60).map { first * pow(budget / first, Double($0) / 59) }
    let values = seconds.map { time in curves.map { $0.value(at: time) } }
    let means = values.map { $0.reduce(0, +) / n }
    mean = means
    halfWidth = zip(values, means).map { row, mean in
      guard curves.count > 1 else { return 0 }
      let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
      return studentQuantile(degrees: curves.count - 1) * (variance / n).squareRoot()
    }
  }
}

/// The 97.5 % quantile of Student's distribution (tabulated; Abramowitz & Stegun, table 26.10; the next lower beyond).
private func studentQuantile(degrees: Int) -> Double {
  let table = [
    1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262,
    10: 2.228, 12: 2.179, 15: 2.131, 20: 2.086, 30: 2.042, 60: 2.000, 120: 1.980,
  ]
  let known = table.keys.filter { $0 <= degrees }.max() ?? 1
  return table[known] ?? 1.96
}
