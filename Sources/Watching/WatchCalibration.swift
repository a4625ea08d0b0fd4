// SPDX-License-Identifier: Apache-2.0
// What is usual, learnt from a log: how often sensors repeat themselves, and how large the innovations of a model are over its rows.
// In: episodes, a model. Out: limits that such rows would pass once in `quietHours` of driving, all tests together.

import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// Limits of a watch.
public struct WatchCalibration: Hashable, Sendable {
  /// Fingerprint of the model.
  public let model: String
  /// Names of the measured columns [C] and of the states [S].
  let columns: [String]
  let states: [String]
  /// A
  let actions: Int
  /// Repeats from which on a sensor is frozen [C]; 0 where it is not judged.
  var longestRepeats: [Int]
  /// nil where there are too few rows, or the model cannot be watched.
  var innovations: InnovationLimits?

  /// Hours of driving in which all tests together may alarm once by chance.
  private static let quietHours = 50.0
  /// Fewer rows with innovations tell nothing of their tail.
  public static let fewestRows = 300
  /// So many rows are replayed at most, the last ones: a loop's last episodes are the most like what comes.
  private static let mostRows = 10_000

  /// Whether innovations can be judged.
  public var judgesInnovations: Bool { innovations != nil }
  /// Measured columns whose freezing shows by repeated values.
  public var columnsJudged: [String] { zip(columns, longestRepeats).filter { $0.1 > 0 }.map(\.0) }

  init(
    model: String, columns: [String], states: [String], actions: Int, longestRepeats: [Int],
    innovations: InnovationLimits?
  ) {
    (self.model, self.columns, self.states) = (model, columns, states)
    (self.actions, self.longestRepeats, self.innovations) = (actions, longestRepeats, innovations)
  }

  /// Learns what is usual.
  ///
  /// - Parameters:
  ///   - model: of the machine.
  ///   - episodes: rows of its log; held-out ones are the better judges.
  ///   - safeAction: at which the machine is at rest [A].
  /// - Throws: `FactorizationError`.
  public init(_ model: DynamicsModel, episodes: [Episode], safeAction: [Double]) throws {
    self.model = model.fingerprint
    let layout = model.layout
    (columns, states) = (layout.measuredColumns, layout.states.map(\.name))
    actions = layout.actions.count
    let rows = Self.quietHours * 3_600 / layout.timeStep
    let measured = columns.compactMap { column in
      layout.states.firstIndex { $0.source == .column && $0.column == column }
    }
    // What is interpolated repeats nothing.
    let whole = episodes.filter { $0.reading?.isResampled != true }
    longestRepeats = FrozenSensors.limits(
      whole.map { episode in measured.map { i in episode.states.map { $0[i] } } },
      falseAlarms: 1 / (rows * Double(max(measured.count, 1))))
    guard let predictor = try StepPredictor(model, safeAction: safeAction) else { return }
    innovations = try Self.limits(
      ReplayedInnovations(predictor, Self.last(Self.mostRows, of: episodes)),
      timeStep: layout.timeStep, rows: rows)
  }

  /// The limits that further episodes would pass as rarely: those of a policy's driving, where the model is less right than
  /// on the log that it was learnt from.
  ///
  /// - Parameters:
  ///   - episodes: in which nothing was wrong.
  ///   - model: of these limits.
  ///   - safeAction: see `init`.
  /// - Throws: `FactorizationError`.
  public func widened(
    by episodes: [Episode], _ model: DynamicsModel, safeAction: [Double]
  ) throws -> WatchCalibration {
    guard let innovations, let predictor = try StepPredictor(model, safeAction: safeAction) else {
      return self
    }
    let timeStep = model.layout.timeStep
    var wider = self
    wider.innovations = innovations.widened(
      by: ReplayedInnovations(predictor, episodes), timeStep: timeStep,
      rows: Self.quietHours * 3_600 / timeStep)
    return wider
  }

  /// The last rows of episodes, at most so many.
  private static func last(_ most: Int, of episodes: [Episode]) -> [Episode] {
    var (left, kept) = (most, [Episode]())
    for episode in episodes.reversed() where left > 1 {
      kept.append(episode.dropFirst(max(0, episode.count - left)))
      left -= episode.count
    }
    return kept.reversed()
  }

  private static func limits(
    _ replayed: ReplayedInnovations, timeStep: Double, rows wanted: Double
  ) throws -> InnovationLimits? {
    let known = replayed.stretches.joined().filter(\.innovation.isKnown)
    guard known.count >= fewestRows, let first = known.first else { return nil }
    let (s, a) = (first.innovation.values.indices, first.change.indices)
    let deviations = s.map { i in deviation(known.map { $0.innovation.values[i] }) }
    let changes = a.map { j in known.map { $0.change[j] } }
    // A command that the log never changes has no scale of its own.
    let changeDeviations = changes.map { values in
      let square = values.reduce(0) { $0 + $1 * $1 } / Double(values.count)
      return square > 0 ? square.squareRoot() : 1
    }
    let stretches = replayed.stretches.flatMap { rows in
      rows.split { !$0.innovation.isKnown }.map { part in
        part.map { row -> Whitening.Row in
          (
            zip(row.innovation.values, deviations).map { $0 / $1 },
            zip(row.change, changeDeviations).map { $0 / $1 }
          )
        }
      }
    }
    let limits = InnovationLimits(
      deviations: deviations, changeDeviations: changeDeviations,
      whitening: try Whitening(fitting: stretches, states: s.count, actions: a.count),
      excitation: s.map { _ in Excitation() }, whitenedDeviations: s.map { _ in 1 },
      slacks: s.map { _ in 0 },
      limits: s.map { _ in Departure.allCases.map { _ in 0 } })
    return limits.widened(by: replayed, timeStep: timeStep, rows: wanted)
  }
}

/// Of values about zero; rare large ones count little, but not nothing.
func deviation(_ values: [Double]) -> Double {
  let normal = 1.4826 * median(values.map(abs))
  let all = (values.reduce(0) { $0 + $1 * $1 } / Double(max(values.count, 1))).squareRoot()
  return max(normal, 0.5 * all, .leastNormalMagnitude)
}

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
    // The first time all is that of the rows.
    let isFirst = limits.allSatisfy { $0.allSatisfy { $0 == 0 } }
    for i in deviations.indices {
      let (excitation, deviation) = Excitation.fit(
        rows.joined().map { $0.innovations[i] }, rows.joined().map(\.activity))
      if isFirst || excitation.weight > self.excitation[i].weight {
        wider.excitation[i] = excitation
      }
      wider.whitenedDeviations[i] = isFirst ? deviation : max(whitenedDeviations[i], deviation)
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
    let deviation = means[Int(0.99 * Double(means.count - 1))] / 2.576
    let upper = 1 + 2 * 1.645 * 1.34 / Double(means.count).squareRoot()
    let off = max(0, upper * deviation * deviation - 1 / Double(window)).squareRoot()
    // m / 2 of a test whose m is 1.
    return max(0, rarelyOff * off - 0.5)
  }

  /// Deviations beyond which the model is once in 10,000 places, as many as there are in quiet hours, where the deviation comes from
  /// about ten places (Student's t of nine degrees of freedom).
  private static let rarelyOff = 6.0
}
