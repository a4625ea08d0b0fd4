// SPDX-License-Identifier: Apache-2.0
// How well held-out measurements are predicted some steps ahead, beside the references, and what that says about searching on
// the model.

import Foundation
import GaussianProcesses
import MachineLogs

/// Figures by horizon and measured state.
public struct HorizonFigures: Sendable {
  /// Names and units of the measured states.
  public let states: [Channel]
  /// s
  public let timeStep: Double
  public let rows: [Row]

  /// One horizon; lists are of the measured states.
  public struct Row: Sendable {
    public let steps: Int
    public let starts: Int
    /// In the states' units.
    public let rmse: [Double]
    /// Continuous ranked probability score, in the states' units, and the references'.
    public let crps: [Double]
    public let referenceCRPS: [Double]
    public let referenceRMSE: [Double]
    /// Fraction of measurements within the 95 % band.
    public let coverage95: [Double]
  }

  /// Most starts that are looked at, evenly spread.
  private static let mostStarts = 1_000

  /// - Parameters:
  ///   - episodes: that were not learnt from.
  ///   - layout: of their channels.
  ///   - forecasts: of the model that is judged.
  ///   - reference: what it must beat.
  public init(
    _ episodes: [Episode], layout: LogLayout, _ forecasts: HorizonForecasts,
    _ reference: HorizonReference
  ) {
    (states, timeStep) = (layout.measured.map { layout.states[$0] }, layout.timeStep)
    let all = forecasts.starts(episodes)
    let starts = evenlySpreadRows(count: all.count, wanted: Self.mostStarts).map { all[$0] }
    let own = Sums(forecasts.horizons(episodes, from: starts), episodes)
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
        coverage95: figures.map(\.coverage))
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

extension HorizonFigures {
  /// CRPS over the references' from which a model is called worse than they are.
  private static let worse = 1.05
  /// Least coverage of the 95 % band that passes.
  private static let honest = 0.85

  /// May a controller be searched on this model? One sentence.
  public var verdict: String {
    guard let last = rows.last else {
      return "not known: the held-out logs are too short to judge predictions over a horizon"
    }
    var doubts: [String] = []
    var lost = 0
    for (s, channel) in states.enumerated() {
      let ratios = rows.map { $0.crps[s] / max($0.referenceCRPS[s], 1e-300) }
      if ratios.allSatisfy({ $0 > Self.worse }) { lost += 1 }
      if let first = rows.indices.first(where: { row in
        rows.indices[row...].allSatisfy { ratios[$0] > Self.worse }
      }) {
        doubts.append(
          "'\(channel.name)' is predicted worse than by a line from \(words(rows[first])) on")
      } else if let narrow = rows.first(where: { $0.coverage95[s] < Self.honest }) {
        doubts.append(
          "the band of '\(channel.name)' holds only \(Int((100 * narrow.coverage95[s]).rounded())) % \(words(narrow)) ahead"
        )
      }
    }
    if lost == states.count {
      return "no: staying where one is, or a straight line, predicts everything better"
    }
    if doubts.isEmpty { return "yes, as far as \(words(last)) ahead" }
    let more = doubts.count > 3 ? ", and \(doubts.count - 3) more" : ""
    return "with care: " + doubts.prefix(3).joined(separator: "; ") + more
  }

  /// "20 steps (0.5 s)"
  private func words(_ row: Row) -> String {
    let seconds = String(format: "%.3g", Double(row.steps) * timeStep)
    return "\(counted(row.steps, "step")) (\(seconds) s)"
  }
}
