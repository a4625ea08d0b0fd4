// SPDX-License-Identifier: Apache-2.0
// What a model predicted some steps ahead of rows that it had not seen, beside what came: the records from which models are
// judged and their distributions are made.

import Foundation
import GaussianProcesses
import MachineLogs

/// The horizons and quantiles at which models are judged.
package enum Horizons {
  /// Time steps.
  package static let steps = [1, 2, 5, 10, 20, 50, 100]
  /// Rows before a start at least.
  package static let rowsBefore = 8
  /// 0.025, 0.05, 0.1 ... 0.95, 0.975
  package static let levels = [0.025] + (1...19).map { Double($0) / 20 } + [0.975]
  /// Starts that a horizon must have to be judged, and to have a distribution at all.
  package static let fewest = 30
  static let fewestKnown = 10
}

/// One prediction of one measured value, physical units.
struct HorizonRecord: Sendable {
  /// The last value that was known.
  var last: Double
  var predicted: Double
  var truth: Double
  /// How far from the data the run has been so far (`MeanRun`).
  var novelty: Double
  /// Number of the left-out block that it is from.
  var block: Int
}

/// Records by horizon and measured state.
struct HorizonRuns: Sendable {
  /// [steps: [state][start]]; what is compared is from the same starts, in the same order.
  private(set) var records: [Int: [[HorizonRecord]]] = [:]

  /// Horizons with at least so many starts.
  func horizons(with starts: Int) -> [Int] {
    Horizons.steps.filter { (records[$0]?.first?.count ?? 0) >= starts }
  }

  /// Whether there is a record of a block.
  func isKnown(block: Int) -> Bool {
    records.values.contains { $0.first?.contains { $0.block == block } ?? false }
  }

  subscript(steps: Int, state: Int) -> [HorizonRecord] { records[steps]?[state] ?? [] }

  mutating func add(_ values: [HorizonRecord], steps: Int) {
    for (state, value) in values.enumerated() {
      records[steps, default: values.map { _ in [] }][state].append(value)
    }
  }

  mutating func add(_ other: HorizonRuns) {
    for (steps, states) in other.records {
      for (state, values) in states.enumerated() {
        records[steps, default: states.map { _ in [] }][state] += values
      }
    }
  }
}

extension DynamicsMean {
  /// Runs from starts of a block, at `Horizons.steps`.
  func horizonRuns(
    from starts: [PredictionStart], in episodes: [Episode], block: Int, measured: [Int]
  ) -> HorizonRuns {
    var runs = HorizonRuns()
    let horizons = Set(Horizons.steps)
    MeanRun(self, along: episodes).run(from: starts, steps: Horizons.steps.max() ?? 0) {
      step, starts, states, novelty in
      guard horizons.contains(step) else { return }
      for (b, start) in starts.enumerated() {
        let episode = episodes[start.episode]
        runs.add(
          measured.map {
            HorizonRecord(
              last: episode.states[start.row][$0], predicted: states[b, $0],
              truth: episode.states[start.row + step][$0], novelty: novelty[b], block: block)
          }, steps: step)
      }
    }
    return runs
  }
}

/// Staying where one is, as a prediction.
func persistenceRuns(
  from starts: [PredictionStart], in episodes: [Episode], block: Int, measured: [Int]
) -> HorizonRuns {
  var runs = HorizonRuns()
  for steps in Horizons.steps {
    for start in starts where start.row + steps < episodes[start.episode].count {
      let states = episodes[start.episode].states
      runs.add(
        measured.map {
          HorizonRecord(
            last: states[start.row][$0], predicted: states[start.row][$0],
            truth: states[start.row + steps][$0], novelty: 0, block: block)
        }, steps: steps)
    }
  }
  return runs
}
