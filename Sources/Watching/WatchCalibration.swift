// SPDX-License-Identifier: Apache-2.0
// The usual behaviour, learnt from a log: how often sensors repeat their values, and how large the innovations of a model are over its rows.
// In: episodes, a model. Out: limits that such rows would pass once in `quietHours` of driving, all tests together.

import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// Limits of a watch.
package struct WatchCalibration: Hashable, Sendable {
  /// Fingerprint of the model.
  package let model: String
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
  package static let fewestRows = 300
  /// So many rows are replayed at most, the last ones: a loop's last episodes are the most like what comes.
  private static let mostRows = 10_000

  /// Of a state's deviation in the log: smaller innovations are the rounding of a state that follows exactly.
  private static let rounding = 1e-9

  /// Rows with one value from which on a sensor is frozen, by its column; of those that are judged.
  package var rowsOfFrozenSensors: [String: Int] {
    Dictionary(uniqueKeysWithValues: zip(columns, longestRepeats).filter { $1 > 0 })
  }

  /// Whether innovations can be judged.
  package var judgesInnovations: Bool { innovations != nil }

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
  package init(_ model: DynamicsModel, episodes: [Episode], safeAction: [Double]) throws {
    self.model = model.fingerprint
    let layout = model.layout
    (columns, states) = (layout.measuredColumns, layout.states.map(\.name))
    actions = layout.actions.count
    let rows = Self.quietHours * 3_600 / layout.timeStep
    let measured = columns.map { layout.state(ofColumn: $0) }
    // What is interpolated repeats nothing.
    let whole = episodes.filter { $0.reading?.isResampled != true }
    longestRepeats = FrozenSensors.limits(
      whole.map { episode in
        measured.map { state in state.map { i in episode.states.map { $0[i] } } ?? [] }
      }, count: columns.count,
      falseAlarms: 1 / (rows * Double(max(measured.count, 1))))
    guard let predictor = try StepPredictor(model, safeAction: safeAction) else { return }
    innovations = try Self.limits(
      ReplayedInnovations(predictor, Self.last(Self.mostRows, of: episodes)),
      least: model.stateStandardiser.scale.map { Self.rounding * $0 }, timeStep: layout.timeStep,
      rows: rows)
  }

  /// The limits that further episodes would pass as rarely: those of a policy's driving, where the model is less right than
  /// on the log that it was learnt from.
  ///
  /// - Parameters:
  ///   - episodes: in which nothing was wrong; fewer than `fewestRows` rows change nothing.
  ///   - model: of these limits.
  ///   - safeAction: see `init`.
  /// - Throws: `FactorizationError`.
  package func widened(
    by episodes: [Episode], _ model: DynamicsModel, safeAction: [Double]
  ) throws -> WatchCalibration {
    guard episodes.reduce(0, { $0 + $1.count }) >= Self.fewestRows, let innovations,
      let predictor = try StepPredictor(model, safeAction: safeAction)
    else { return self }
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
    _ replayed: ReplayedInnovations, least: [Double], timeStep: Double, rows wanted: Double
  ) throws -> InnovationLimits? {
    let known = replayed.stretches.joined().filter(\.innovation.isKnown)
    guard known.count >= fewestRows, let first = known.first else { return nil }
    let (s, a) = (first.innovation.values.indices, first.change.indices)
    let deviations = s.map { i in max(deviation(known.map { $0.innovation.values[i] }), least[i]) }
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
