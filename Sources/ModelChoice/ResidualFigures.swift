// SPDX-License-Identifier: Apache-2.0
// What a system identifier looks at (Ljung 1999, chapter 16): how much of a held-out log the run over the whole of it explains, and
// whether errors one step ahead still hold something: correlated with themselves (dynamics that are missing) or with commands
// (inputs that are). And how late each command acts, by the data alone.

import Foundation
import GaussianProcesses
import MachineLogs

/// Figures of one measured state on held-out episodes.
public struct ResidualFigures: Sendable {
  public let state: String
  /// 100 (1 - |y - run| / |y - mean of y|), %, of the run over whole episodes.
  public let fit: Double
  /// The largest correlation of the one-step error with itself so many rows before.
  public let own: Correlation
  /// The largest correlation of the one-step error with a command so many rows before the predicted one.
  public let command: Correlation
  /// Below this, 99 % of correlations of white noise.
  public let bound: Double
  /// Rows from the command that tells most of the state's changes to these, at least 1.
  public let delay: Int

  /// A correlation coefficient.
  public struct Correlation: Sendable {
    public var value = 0.0
    public var rows = 0
    /// The command's name; empty where there is none.
    public var command = ""

    /// Keeps the larger.
    fileprivate mutating func consider(_ value: Double, rows: Int, command: String = "") {
      if abs(value) > abs(self.value) {
        self = Correlation(value: value, rows: rows, command: command)
      }
    }
  }

  /// Rows that are looked back.
  fileprivate static let longest = 20
}

extension HorizonForecasts {
  /// Figures of the measured states on episodes that were not learnt from.
  ///
  /// - Parameter knownRows: that the run over a whole episode begins with.
  public func residualFigures(_ episodes: [Episode], knownRows: Int = 10) -> [ResidualFigures] {
    guard let mean else { return [] }
    let layout = mean.model.layout
    let run = simulations(episodes, knownRows: knownRows)
    let starts = PredictionStart.all(episodes, rowsBefore: mean.model.form.longestLag)
    // Errors one step ahead [state][episode][row]; not a number where there is none.
    var errors = layout.states.map { _ in
      episodes.map { Array(repeating: Double.nan, count: $0.count) }
    }
    MeanRun(mean).run(from: starts, in: episodes, steps: 1) { _, starts, states in
      for (b, start) in starts.enumerated() {
        let truth = episodes[start.episode].states[start.row + 1]
        for i in truth.indices { errors[i][start.episode][start.row] = truth[i] - states[b, i] }
      }
    }
    let commands = layout.actions.indices.map { j in episodes.map { $0.actions.map { $0[j] } } }
    return layout.measured.map { state in
      let residuals = errors[state]
      var (white, command) = (ResidualFigures.Correlation(), ResidualFigures.Correlation())
      for lag in 0...ResidualFigures.longest {
        if lag > 0 { white.consider(correlation(residuals, residuals, lag: lag), rows: lag) }
        for (channel, values) in zip(layout.actions, commands) {
          command.consider(
            correlation(residuals, values, lag: lag), rows: lag + 1, command: channel.name)
        }
      }
      let count = residuals.joined().count { $0.isFinite }
      return ResidualFigures(
        state: layout.states[state].name,
        fit: fit(run.filter { $0.state == state }, episodes), own: white, command: command,
        bound: 2.58 / Double(max(count, 1)).squareRoot(),
        delay: delay(episodes.map { $0.states.map { $0[state] } }, commands))
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

  /// Rows from a command's change to the change of the state's slope that it goes with most: commands that stay go with everything.
  private func delay(_ state: [[Double]], _ commands: [[[Double]]]) -> Int {
    let bends = state.map { x in
      x.indices.map { k in k < 2 ? .nan : x[k] - 2 * x[k - 1] + x[k - 2] }
    }
    var best = ResidualFigures.Correlation(value: 0, rows: 1)
    for values in commands {
      let changes = values.map { u in u.indices.map { k in k < 1 ? .nan : u[k] - u[k - 1] } }
      for lag in 1...ResidualFigures.longest {
        best.consider(correlation(bends, changes, lag: lag), rows: lag)
      }
    }
    return best.rows
  }
}

/// The correlation of values [episode][row] with others so many rows before, where both are numbers.
private func correlation(_ values: [[Double]], _ others: [[Double]], lag: Int) -> Double {
  var (n, x, y, xx, xy, yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  for (a, b) in zip(values, others) {
    for k in stride(from: lag, to: a.count, by: 1) where a[k].isFinite && b[k - lag].isFinite {
      n += 1
      x += a[k]
      y += b[k - lag]
      xx += a[k] * a[k]
      xy += a[k] * b[k - lag]
      yy += b[k - lag] * b[k - lag]
    }
  }
  guard n > 2 else { return 0 }
  let scale = ((xx - x * x / n) * (yy - y * y / n)).squareRoot()
  return scale > 1e-12 * (xx * yy).squareRoot() ? (xy - x * y / n) / scale : 0
}
