// SPDX-License-Identifier: Apache-2.0
// Residual analysis of system identification (Ljung 1999, chapter 16): how much of a held-out log the run over the whole of it explains, and
// whether errors one step ahead still hold something: correlated with themselves (dynamics that are missing) or with commands
// (inputs that are). And how late each command acts, by the data alone.

import Foundation
import GaussianProcesses
import MachineLogs

/// Figures of one measured state on held-out episodes.
package struct ResidualFigures: Sendable {
  package let state: String
  /// 100 (1 - |y - run| / |y - mean of y|), %, of the run over whole episodes.
  package let fit: Double
  /// The largest correlation of the one-step error with itself so many rows before.
  package let own: Correlation
  /// The largest correlation of the one-step error with a command so many rows before the predicted one.
  package let command: Correlation
  /// Below this, 99 % of correlations of white noise.
  package let bound: Double
  /// Rows from the command that tells most of the state's changes to these, at least 1.
  package let delay: Int

  /// A correlation coefficient.
  package struct Correlation: Sendable {
    package var value = 0.0
    package var rows = 0
    /// The command's name; empty where there is none.
    package var command = ""

    /// Keeps the larger.
    fileprivate mutating func consider(_ value: Double, rows: Int, command: String = "") {
      if abs(value) > abs(self.value) {
        self = Correlation(value: value, rows: rows, command: command)
      }
    }
  }
}

extension HorizonForecasts {
  /// Figures of the measured states on episodes that were not learnt from.
  ///
  /// - Parameter knownRows: that the run over a whole episode begins with.
  package func residualFigures(_ episodes: [Episode], knownRows: Int = 10) -> [ResidualFigures] {
    guard let mean else { return [] }
    let layout = mean.model.layout
    let run = simulations(episodes, knownRows: knownRows)
    let starts = PredictionStart.all(episodes, rowsBefore: mean.model.form.longestLag)
    // Errors one step ahead [state][episode][row]; not a number where there is none.
    var errors = layout.states.map { _ in
      episodes.map { Array(repeating: Double.nan, count: $0.count) }
    }
    MeanRun(mean, along: episodes).run(from: starts, steps: 1) { _, starts, states, _ in
      for (b, start) in starts.enumerated() {
        let truth = episodes[start.episode].states[start.row + 1]
        for i in truth.indices { errors[i][start.episode][start.row] = truth[i] - states[b, i] }
      }
    }
    let commands = layout.actions.indices.map { j in episodes.map { $0.actions.map { $0[j] } } }
    return layout.measured.map { state in
      let residuals = errors[state]
      var (white, command) = (ResidualFigures.Correlation(), ResidualFigures.Correlation())
      for lag in 0...CommandDelay.longest {
        if lag > 0 { white.consider(laggedCorrelation(residuals, residuals, lag: lag), rows: lag) }
        for (channel, values) in zip(layout.actions, commands) {
          command.consider(
            laggedCorrelation(residuals, values, lag: lag), rows: lag + 1, command: channel.name)
        }
      }
      let count = residuals.joined().count { $0.isFinite }
      return ResidualFigures(
        state: layout.states[state].name,
        fit: fit(run.filter { $0.state == state }, episodes), own: white, command: command,
        bound: 2.58 / Double(max(count, 1)).squareRoot(),
        delay: CommandDelay(
          of: [episodes.map { $0.states.map { $0[state] } }], after: commands
        ).rows)
    }
  }

  /// 100 (1 - |y - run| / |y - mean of y|), %.
  private func fit(_ run: [HorizonForecast], _ episodes: [Episode]) -> Double {
    let truths = run.map { episodes[$0.start.episode].states[$0.start.row + $0.steps][$0.state] }
    let mean = truths.reduce(0, +) / Double(max(truths.count, 1))
    let left = zip(run, truths).reduce(0) { $0 + ($1.0.mean - $1.1) * ($1.0.mean - $1.1) }
    let spread = truths.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    let size = truths.map(abs).max() ?? 0
    // A state that does not move has nothing to explain.
    return spread > 1e-18 * size * size * Double(truths.count)
      ? 100 * (1 - (left / spread).squareRoot()) : .nan
  }
}
