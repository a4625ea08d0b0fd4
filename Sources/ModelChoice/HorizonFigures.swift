// SPDX-License-Identifier: Apache-2.0
// How well held-out measurements are predicted some steps ahead, compared with the references, and whether a search on the model
// is possible.

import Foundation
import GaussianProcesses
import MachineLogs

/// Figures by horizon and measured state.
package struct HorizonFigures: Sendable {
  /// Names and units of the measured states.
  package let states: [Channel]
  /// s
  package let timeStep: Double
  package let rows: [Row]

  /// One horizon; lists are of the measured states.
  package struct Row: Sendable {
    package let steps: Int
    package let starts: Int
    /// In the states' units.
    package let rmse: [Double]
    /// Continuous ranked probability score, in the states' units, and the references'.
    package let crps: [Double]
    package let referenceCRPS: [Double]
    package let referenceRMSE: [Double]
    /// Fraction of measurements within the 95 % band.
    package let coverage95: [Double]
    /// RMSE over the least of staying's and of the held-out mean's: what is known of the state at all.
    let left: [Double]
    /// RMSE where each episode's commands are replaced by their mean, over RMSE.
    let withoutCommands: [Double]
  }

  /// Whether the training logs were long enough for distributions.
  private let isKnown: Bool

  /// Most starts that are looked at, evenly spread.
  private static let mostStarts = 1_000

  /// - Parameters:
  ///   - episodes: that were not learnt from.
  ///   - layout: of their channels.
  ///   - forecasts: of the model that is judged.
  ///   - reference: what it must beat.
  package init(
    _ episodes: [Episode], layout: LogLayout, _ forecasts: HorizonForecasts,
    _ reference: HorizonReference
  ) {
    (states, timeStep) = (layout.measured.map { layout.states[$0] }, layout.timeStep)
    let all = forecasts.starts(episodes)
    let starts = evenlySpreadRows(count: all.count, wanted: Self.mostStarts).map { all[$0] }
    isKnown = forecasts.isKnown
    let own = Sums(forecasts.horizons(episodes, from: starts), episodes)
    let muted = Sums(
      forecasts.horizons(episodes.map(\.withMeanCommands), from: starts), episodes)
    let other = Sums(reference.horizons(episodes, from: starts), episodes)
    rows = Horizons.steps.compactMap { steps in
      let figures = layout.measured.compactMap { own.figures(steps, $0) }
      let references = layout.measured.compactMap { other.figures(steps, $0) }
      guard figures.count == layout.measured.count, references.count == figures.count,
        let count = figures.first?.count, count >= Horizons.fewest
      else { return nil }
      return Row(
        steps: steps, starts: count, rmse: figures.map(\.rmse), crps: figures.map(\.crps),
        referenceCRPS: references.map(\.crps), referenceRMSE: references.map(\.rmse),
        coverage95: figures.map(\.coverage),
        left: zip(figures, layout.measured).map { figures, state in
          let pairs = starts.compactMap { start -> (last: Double, truth: Double)? in
            let states = episodes[start.episode].states
            guard start.row + steps < states.count else { return nil }
            return (states[start.row][state], states[start.row + steps][state])
          }
          let n = Double(pairs.count)
          let mean = pairs.reduce(0) { $0 + $1.truth } / n
          let spread = pairs.reduce(0) { $0 + ($1.truth - mean) * ($1.truth - mean) } / n
          let moved = pairs.reduce(0) { $0 + ($1.truth - $1.last) * ($1.truth - $1.last) } / n
          return figures.rmse / max(min(spread, moved).squareRoot(), 1e-300)
        },
        withoutCommands: zip(figures, layout.measured).map { figures, state in
          (muted.figures(steps, state)?.rmse ?? .nan) / max(figures.rmse, 1e-300)
        })
    }
  }

  /// Sums of forecasts against what came.
  private struct Sums {
    struct Figures {
      var count = 0
      var squares = 0.0
      var scores = 0.0
      var inside = 0

      var rmse: Double { (squares / Double(count)).squareRoot() }
      var crps: Double { scores / Double(count) }
      var coverage: Double { Double(inside) / Double(count) }
    }
    private var sums: [[Int]: Figures] = [:]

    init(_ forecasts: [HorizonForecast], _ episodes: [Episode]) {
      for forecast in forecasts {
        let start = forecast.start
        let y = episodes[start.episode].states[start.row + forecast.steps][forecast.state]
        var figures = sums[[forecast.steps, forecast.state]] ?? Figures()
        figures.count += 1
        figures.squares += (forecast.mean - y) * (forecast.mean - y)
        figures.scores += ModelChoice.crps(forecast.quantiles, y)
        let (low, high) = (forecast.quantiles.first ?? .nan, forecast.quantiles.last ?? .nan)
        figures.inside += low <= y && y <= high ? 1 : 0
        sums[[forecast.steps, forecast.state]] = figures
      }
    }

    func figures(_ steps: Int, _ state: Int) -> Figures? { sums[[steps, state]] }
  }
}

extension Episode {
  /// With every command at its mean.
  fileprivate var withMeanCommands: Episode {
    var muted = self
    guard let first = actions.first else { return self }
    let mean = first.indices.map { j in
      actions.reduce(0) { $0 + $1[j] } / Double(actions.count)
    }
    muted.actions = actions.map { _ in mean }
    return muted
  }
}

extension HorizonFigures {
  /// CRPS over the references' from which a model is called worse than they are.
  private static let worse = 1.05
  /// Part of what staying or the mean leaves that must not be left.
  private static let knows = 0.9
  /// RMSE without the commands over that with them, which tells that they matter.
  private static let matters = 1.02
  /// Least coverage of the 95 % band that passes, and that passes with care.
  private static let honest = 0.85
  private static let barely = 0.2

  /// May a controller be searched on this model? One sentence.
  package var verdict: String {
    guard isKnown else {
      return "not known: the training logs are too short to learn how errors grow over a horizon"
    }
    guard let last = rows.last else {
      return "not known: the logs are too short to judge predictions over a horizon"
    }
    if rows.allSatisfy({ $0.withoutCommands.allSatisfy { $0 < Self.matters } }) {
      return
        "no: the commands do not improve the model's predictions, so a controller has no known effect"
    }
    let doubts = states.indices.compactMap { s in doubt(s).map { (state: s, $0.words, $0.isLost) } }
    if doubts.count(where: \.2) == states.count {
      return "no: " + doubts.prefix(3).map(\.1).joined(separator: "; ")
    }
    if doubts.isEmpty { return "yes, as far as \(words(last)) ahead" }
    let more = doubts.count > 3 ? "; and \(doubts.count - 3) more" : ""
    return "with care: " + doubts.prefix(3).map(\.1).joined(separator: "; ") + more
  }

  /// What is doubtful of a state, and whether it is lost from the first step on.
  private func doubt(_ s: Int) -> (words: String, isLost: Bool)? {
    let name = "'\(states[s].name)'"
    /// The first horizon from which something holds to the end.
    func from(_ isSo: (Row) -> Bool) -> Int? {
      rows.indices.first { rows[$0...].allSatisfy(isSo) }
    }
    if let narrow = rows.first(where: { $0.coverage95[s] < Self.barely }) {
      return (
        "\(name) leaves the 95 % band \(words(narrow)) ahead (\(percent(narrow.coverage95[s])) within): the held-out log has motion that the training logs do not have",
        true
      )
    }
    let worse = rows.filter { $0.crps[s] > Self.worse * $0.referenceCRPS[s] }
    if worse.count == rows.count {
      return ("\(name) is predicted worse than by a linear model at every horizon", true)
    }
    if let index = from({ $0.left[s] > Self.knows }) {
      return (
        "\(name) is predicted no better than by staying or by its mean from \(words(rows[index])) on",
        index == 0
      )
    }
    if let first = worse.first, let last = worse.last {
      let range =
        first.steps == last.steps
        ? words(first) : "\(counted(first.steps, "step")) to \(words(last))"
      return ("\(name) is predicted worse than by a linear model \(range) ahead", false)
    }
    if let narrow = rows.first(where: { $0.coverage95[s] < Self.honest }) {
      return (
        "the 95 % band of \(name) contains only \(percent(narrow.coverage95[s])) \(words(narrow)) ahead",
        false
      )
    }
    return nil
  }

  private func percent(_ fraction: Double) -> String { "\(Int((100 * fraction).rounded())) %" }

  /// "20 steps (0.5 s)"
  private func words(_ row: Row) -> String {
    let seconds = String(format: "%.3g", Double(row.steps) * timeStep)
    return "\(counted(row.steps, "step")) (\(seconds) s)"
  }
}
