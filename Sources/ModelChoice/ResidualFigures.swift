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
  /// The largest correlation of the one-step error with itself, and how many rows later.
  public let own: Correlation
  /// The largest correlation of the one-step error with a command so many rows before.
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

extension DynamicsModel {
  /// Figures of the measured states.
  ///
  /// - Parameters:
  ///   - episodes: that were not learnt from.
  ///   - forecasts: of this model.
  ///   - knownRows: that the run over a whole episode begins with.
  /// - Throws: `FactorizationError`.
  public func residualFigures(
    _ episodes: [Episode], _ forecasts: HorizonForecasts, knownRows: Int = 10
  ) throws -> [ResidualFigures] {
    let run = try forecasts.simulations(self, episodes, knownRows: knownRows)
    let starts = PredictionStart.all(episodes, rowsBefore: form.longestLag)
    // Errors one step ahead [episode][state][row], row after row.
    var errors = episodes.map { _ in layout.states.map { _ in [Int: Double]() } }
    MeanRun(try DynamicsMean(self)).run(from: starts, in: episodes, steps: 1) { _, starts, states in
      for (b, start) in starts.enumerated() {
        let truth = episodes[start.episode].states[start.row + 1]
        for i in truth.indices { errors[start.episode][i][start.row] = truth[i] - states[b, i] }
      }
    }
    return layout.measured.map { state in
      let own = run.filter { $0.state == state }
      let truths = own.map { episodes[$0.start.episode].states[$0.start.row + $0.steps][state] }
      let mean = truths.reduce(0, +) / Double(max(truths.count, 1))
      let left = zip(own, truths).reduce(0) { $0 + ($1.0.mean - $1.1) * ($1.0.mean - $1.1) }
      let spread = truths.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let residuals = episodes.indices.map { errors[$0][state] }
      var (white, commands) = (ResidualFigures.Correlation(), ResidualFigures.Correlation())
      for lag in 0...ResidualFigures.longest {
        if lag > 0 {
          white.consider(correlation(residuals) { e, k in residuals[e][k - lag] }, rows: lag)
        }
        for (j, channel) in layout.actions.enumerated() {
          let value = correlation(residuals) { e, k in
            k >= lag ? episodes[e].actions[k - lag][j] : nil
          }
          commands.consider(value, rows: lag, command: channel.name)
        }
      }
      let count = residuals.reduce(0) { $0 + $1.count }
      return ResidualFigures(
        state: layout.states[state].name,
        fit: spread > 0 ? 100 * (1 - (left / spread).squareRoot()) : .nan, own: white,
        command: commands, bound: 2.58 / Double(max(count, 1)).squareRoot(),
        delay: delay(of: state, episodes))
    }
  }

  /// Rows from a command's change to the state's that it goes with most: changes, for commands that stay go with everything.
  private func delay(of state: Int, _ episodes: [Episode]) -> Int {
    let changes = episodes.map { episode -> [Int: Double] in
      Dictionary(
        uniqueKeysWithValues: stride(from: 2, to: episode.count, by: 1).map { k in
          let x = [0, 1, 2].map { episode.states[k - $0][state] }
          return (k, x[0] - 2 * x[1] + x[2])
        })
    }
    var best = ResidualFigures.Correlation(value: 0, rows: 1)
    for lag in 1...ResidualFigures.longest {
      for j in layout.actions.indices {
        let value = correlation(changes) { e, k in
          k > lag ? episodes[e].actions[k - lag][j] - episodes[e].actions[k - lag - 1][j] : nil
        }
        best.consider(value, rows: lag)
      }
    }
    return best.rows
  }
}

/// The correlation of values [episode][row] with others where both are known.
private func correlation(
  _ values: [[Int: Double]], _ other: (_ episode: Int, _ row: Int) -> Double?
) -> Double {
  var (n, x, y, xx, xy, yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  for (e, rows) in values.enumerated() {
    for (k, a) in rows {
      guard let b = other(e, k) else { continue }
      n += 1
      x += a
      y += b
      xx += a * a
      xy += a * b
      yy += b * b
    }
  }
  guard n > 2 else { return 0 }
  let scale = ((xx - x * x / n) * (yy - y * y / n)).squareRoot()
  return scale > 1e-12 * (xx * yy).squareRoot() ? (xy - x * y / n) / scale : 0
}
