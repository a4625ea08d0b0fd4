// SPDX-License-Identifier: Apache-2.0
// A model's predictions of measured values some steps ahead, as distributions: its runs along the logged actions, with the
// calibrations from left-out blocks.

import Foundation
import GaussianProcesses
import MachineLogs

/// A predicted distribution of one measured value.
package struct HorizonForecast: Hashable, Sendable {
  package let start: PredictionStart
  /// Time steps ahead.
  package let steps: Int
  /// Index among the model's states.
  package let state: Int
  /// In the state's units.
  package let mean: Double
  /// At `Horizons.levels`, in the state's units.
  package let quantiles: [Double]
}

/// Turns a model's runs into distributions.
package struct HorizonForecasts: Sendable {
  /// What runs; nil for staying where one is.
  let mean: DynamicsMean?
  /// Numbers of the measured states, and their means on the training data.
  private let measured: [Int]
  private let usual: [Double]
  /// [(steps, one a measured state)], ascending.
  private let maps: [(steps: Int, states: [HorizonCalibration])]

  /// - Parameters:
  ///   - mean: what runs; nil for staying where one is.
  ///   - runs: of it over left-out blocks.
  ///   - measured: numbers of the measured states.
  ///   - usual: their means on the training data.
  init(_ mean: DynamicsMean?, _ runs: HorizonRuns, measured: [Int], usual: [Double]) {
    (self.mean, self.measured, self.usual) = (mean, measured, usual)
    maps = runs.horizons(with: Horizons.fewestKnown).map { steps in
      (
        steps,
        measured.indices.map { HorizonCalibration(runs[steps, $0], mean: usual[$0]) }
      )
    }
  }

  /// Of a model that was learnt from episodes: calibrated on blocks of them. Throws: `FactorizationError`, `LogError`.
  package init(of model: DynamicsModel, learntFrom episodes: [Episode], _ options: FitOptions)
    throws
  {
    self.init(
      try DynamicsMean(model), try LeftOutBlock.blocks(of: episodes).runs(of: model, options),
      measured: model.layout.measured, usual: usualValues(episodes, model.layout.measured))
  }

  /// Whether left-out blocks taught any distribution.
  var isKnown: Bool { !maps.isEmpty }

  /// Rows that a run looks back.
  private var longestLag: Int { mean?.model.form.longestLag ?? 0 }

  /// Starts with enough rows before them.
  func starts(_ episodes: [Episode]) -> [PredictionStart] {
    PredictionStart.all(episodes, rowsBefore: max(Horizons.rowsBefore, longestLag))
  }

  /// Distributions `Horizons.steps` ahead, from every row with enough rows before it.
  package func horizons(_ episodes: [Episode]) -> [HorizonForecast] {
    horizons(episodes, from: starts(episodes))
  }

  /// Distributions `Horizons.steps` ahead of starts.
  func horizons(_ episodes: [Episode], from starts: [PredictionStart]) -> [HorizonForecast] {
    guard mean != nil else {
      return Horizons.steps.flatMap { steps in
        starts.filter { $0.row + steps < episodes[$0.episode].count }.flatMap { start in
          let state = episodes[start.episode].states[start.row]
          return forecasts(start, steps, maps(steps), last: state, novelty: 0) { state[$0] }
        }
      }
    }
    return run(episodes, from: starts, steps: Horizons.steps.max() ?? 0) {
      Horizons.steps.contains($0)
    }
  }

  /// Rows that a run over an episode begins with where so many are wanted: as many as the model looks back, at least.
  package func rowsBegunWith(_ wanted: Int) -> Int { max(wanted, longestLag + 1) }

  /// Distributions of every row after the first `knownRows` of each episode, in the order of time.
  package func simulations(_ episodes: [Episode], knownRows: Int) -> [HorizonForecast] {
    let first = rowsBegunWith(knownRows) - 1
    let starts = episodes.indices.filter { episodes[$0].count > first + 1 }.map {
      PredictionStart(episode: $0, row: first)
    }
    return run(episodes, from: starts, steps: .max) { _ in true }.sorted {
      ($0.start.episode, $0.steps, $0.state) < ($1.start.episode, $1.steps, $1.state)
    }
  }

  /// Runs from starts, and the distributions at wanted steps.
  private func run(
    _ episodes: [Episode], from starts: [PredictionStart], steps: Int, isWanted: (Int) -> Bool
  ) -> [HorizonForecast] {
    guard let mean else { return [] }
    var all: [HorizonForecast] = []
    MeanRun(mean, along: episodes).run(from: starts, steps: steps) {
      step, starts, states, novelty in
      guard isWanted(step) else { return }
      let maps = maps(step)
      for (b, start) in starts.enumerated() {
        let last = episodes[start.episode].states[start.row]
        all += forecasts(start, step, maps, last: last, novelty: novelty[b]) { states[b, $0] }
      }
    }
    return all
  }

  /// Of the measured states from one start.
  private func forecasts(
    _ start: PredictionStart, _ steps: Int, _ maps: [HorizonCalibration], last: [Double],
    novelty: Double, predicted: (_ state: Int) -> Double
  ) -> [HorizonForecast] {
    zip(measured, maps).enumerated().map { s, pair in
      let (state, map) = pair
      let mean = map.mean(last: last[state], predicted: predicted(state), usual: usual[s])
      return HorizonForecast(
        start: start, steps: steps, state: state, mean: mean,
        quantiles: map.quantiles(about: mean, novelty: novelty))
    }
  }

  /// The calibrations so many steps ahead: between those that were learnt by the logarithm of the steps, beyond the last as
  /// errors grew before it.
  private func maps(_ steps: Int) -> [HorizonCalibration] {
    guard let above = maps.firstIndex(where: { $0.steps >= steps }) else {
      guard let last = maps.last, maps.count > 1 else { return maps.last?.states ?? [] }
      let before = maps[maps.count - 2]
      return zip(before.states, last.states).map {
        $1.growing(
          since: $0, ratio: Double(last.steps) / Double(before.steps),
          further: Double(steps) / Double(last.steps))
      }
    }
    guard above > 0, maps[above].steps > steps else { return maps[above].states }
    let (a, b) = (maps[above - 1], maps[above])
    let fraction = log(Double(steps) / Double(a.steps)) / log(Double(b.steps) / Double(a.steps))
    return zip(a.states, b.states).map { HorizonCalibration($0, $1, fraction: fraction) }
  }
}

/// Means of states over episodes.
func usualValues(_ episodes: [Episode], _ measured: [Int]) -> [Double] {
  let states = episodes.flatMap(\.states)
  return measured.map { i in states.reduce(0) { $0 + $1[i] } / Double(states.count) }
}
