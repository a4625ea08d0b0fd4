// SPDX-License-Identifier: Apache-2.0
// Innovations of whole episodes, and the limits that such rows exceed only with the wanted rate. In: episodes. Out: deviations, slacks and
// limits of each state's tests, none of them below those that were known before.

import LinearAlgebra
import MachineLogs

/// The innovations of whole episodes.
struct ReplayedInnovations: Sendable {
  /// By episode.
  let stretches: [[Row]]

  struct Row: Sendable {
    var innovation: Innovation
    /// Of the last command that was sent [A].
    var change: [Double]
  }

  init(_ predictor: StepPredictor, _ episodes: [Episode]) {
    // From the second change of a command on.
    let first = max(predictor.history + 1, 2)
    stretches = inParallel(episodes.count) { e in
      let episode = episodes[e]
      guard episode.count > first else { return [] }
      return predictor.innovations(of: episode, from: first).enumerated().map { i, innovation in
        let actions = (episode.actions[first + i - 1], episode.actions[first + i - 2])
        return Row(innovation: innovation, change: zip(actions.0, actions.1).map { $0 - $1 })
      }
    }
  }

  /// Judged rows by uninterrupted stretch, as a run with these limits would have them.
  func whitened(_ limits: InnovationLimits) -> [[WhitenedInnovations.Row]] {
    stretches.flatMap { rows -> [[WhitenedInnovations.Row]] in
      var whitened = WhitenedInnovations(limits)
      return rows.map { whitened.next($0.innovation, change: $0.change) }
        .split { $0 == nil }.map { $0.compactMap(\.self) }
    }
  }
}

extension InnovationLimits {
  /// The same for rows that may be worse: larger deviations, slacks and limits, where these rows have them.
  func widened(
    by replayed: ReplayedInnovations, timeStep: Double, rows wanted: Double
  ) -> InnovationLimits {
    var wider = self
    // As they are without what is found here.
    var bare = self
    bare.excitation = excitation.map { _ in Excitation() }
    bare.whitenedDeviations = whitenedDeviations.map { _ in 1 }
    let rows = replayed.whitened(bare)
    if rows.isEmpty { return self }
    for i in deviations.indices {
      let (excitation, deviation) = Excitation.fit(
        rows.joined().map { $0.innovations[i] }, rows.joined().map(\.activity))
      // Of the rows that are most like what comes.
      wider.excitation[i] = excitation
      wider.whitenedDeviations[i] = max(whitenedDeviations[i], deviation)
    }
    let judged = replayed.whitened(wider)
    let all = wanted * Double(deviations.count * Departure.allCases.count)
    let window = DepartureTests.windowRows(timeStep)
    for i in deviations.indices {
      wider.slacks[i] = max(
        slacks[i], Self.slack(judged.map { $0.map { $0.innovations[i] } }, window: window))
      let series = judged.map { stretch in
        var tests = wider.tests(of: i, timeStep: timeStep)
        return stretch.map { row in
          tests.add(
            row.innovations[i], deviation: row.deviations[i], commands: row.ofCommands[i],
            delay: row.ofDelay[i])
          return tests.statistics
        }
      }
      for k in Departure.allCases.indices {
        let limit = tailLimit(series.map { $0.map { $0[k] } }, rows: all)
        wider.limits[i][k] = max(limits[i][k], limit)
      }
    }
    return wider
  }

  /// How far the mean of values may stay off zero beyond what Page's test allows, in all the places where a machine may be. The means of
  /// windows vary by chance, 1 / window; what they vary beside that is the model's, here and there.
  private static func slack(_ values: [[Double]], window: Int) -> Double {
    let means = values.flatMap { stretch in
      stride(from: 0, through: stretch.count - window, by: window).map { start in
        abs(stretch[start..<start + window].reduce(0, +)) / Double(window)
      }
    }.sorted()
    guard !means.isEmpty else { return 0 }
    // By the means that all but one in a hundred have: the largest ones are of changes of commands. Of n means this is known to a part of
    // 1.34 / sqrt(n) (the order statistic of a normal number); the upper bound that is right in 95 of 100 logs counts.
    guard means.count >= fewestMeans else { return 0 }
    let deviation = means[Int(0.99 * Double(means.count - 1))] / 2.576
    let upper = 1 + 2 * 1.645 * 1.34 / Double(means.count).squareRoot()
    let off = max(0, upper * deviation * deviation - 1 / Double(window)).squareRoot()
    // m / 2 of a test whose m is 1.
    return max(0, rarelyOff * off - 0.5)
  }

  /// Of fewer means the largest but one in a hundred is none of them.
  private static let fewestMeans = 20

  /// Deviations beyond which the model is once in 10,000 places, as many as there are in quiet hours, where the deviation comes from
  /// about ten places (Student's t of nine degrees of freedom).
  private static let rarelyOff = 6.0
}

/// Of values about zero; rare large ones count little, but not nothing.
func deviation(_ values: [Double]) -> Double {
  let normal = 1.4826 * median(values.map(abs))
  let all = (values.reduce(0) { $0 + $1 * $1 } / Double(max(values.count, 1))).squareRoot()
  return max(normal, 0.5 * all, .leastNormalMagnitude)
}
