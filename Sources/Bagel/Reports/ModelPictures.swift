// SPDX-License-Identifier: Apache-2.0
// What a model predicts over the horizon, in pictures: its score against the references' and its band's coverage by steps ahead,
// the first held-out episode with the band of a run over the whole of it, and where the data are.

import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice

/// Pictures of a fitted model.
struct ModelPictures {
  private let fit: FittedModel
  private let layout: LogLayout
  /// Rows that the run over a whole episode begins with.
  private static let knownRows = 10
  /// States that are drawn: more lines cannot be told apart.
  private static let most = 6
  /// Rows that a map shows: more only grow the file.
  private static let dots = 1_500
  private static let colors = ["#1d4e86", "#d1661f", "#176b2c", "#8a2f8f", "#a3201d", "#5f5f5f"]

  init(_ fit: FittedModel, _ layout: LogLayout) { (self.fit, self.layout) = (fit, layout) }

  var plots: [Plot] {
    var plots: [Plot] = []
    if let horizons = fit.horizons, horizons.rows.count > 1 {
      plots += [scorePlot(horizons), coveragePlot(horizons)]
    }
    if let forecasts = fit.forecasts, let episode = fit.heldOutEpisodes.first {
      plots += simulationPlots(forecasts, episode)
      plots += disturbancePlots(episode)
    }
    return plots + maps
  }

  /// Where the machine has been: each state and the command that moves it most.
  private var maps: [Plot] {
    guard !layout.actions.isEmpty else { return [] }
    let commands = layout.strongestCommands(in: fit.training)
    return zip(layout.measured, commands).prefix(Self.most).map { state, command in
      let (channel, action) = (layout.states[state], layout.actions[command])
      let (unit, actionUnit) = (Unit(channel.units), Unit(action.units))
      var plot = Plot(
        title: "where the data are: \(channel.name) and \(action.name)",
        xLabel: unit.axisTitle(channel.name), yLabel: actionUnit.axisTitle(action.name))
      for (title, episodes, color) in [
        ("learnt from", fit.training, "#2f6fb0"), ("held out", fit.heldOutEpisodes, "#d1661f"),
      ] where !episodes.isEmpty {
        let rows = episodes.flatMap { zip($0.states, $0.actions) }
        let shown = evenlySpreadRows(count: rows.count, wanted: Self.dots).map { rows[$0] }
        plot.curves.append(
          .init(
            title: title, style: .dots(color: color), x: unit.convert(shown.map { $0.0[state] }),
            y: actionUnit.convert(shown.map { $0.1[command] })))
      }
      return plot
    }
  }

  private func scorePlot(_ horizons: HorizonFigures) -> Plot {
    var plot = overHorizon(
      horizons, title: "held out: error of the predicted distribution (CRPS)",
      yLabel: "over the references'", line: 1, "the references"
    ) { row, s in row.crps[s] / row.referenceCRPS[s] }
    plot.hasLogarithmicY = true
    return plot
  }

  private func coveragePlot(_ horizons: HorizonFigures) -> Plot {
    var plot = overHorizon(
      horizons, title: "held out: measurements within the 95 % band", yLabel: "%", line: 95, "95 %"
    ) { row, s in 100 * row.coverage95[s] }
    plot.yRange = 0...102
    return plot
  }

  /// A line per state over the horizons, and one that stays.
  private func overHorizon(
    _ horizons: HorizonFigures, title: String, yLabel: String, line: Double, _ lineName: String,
    _ value: (HorizonFigures.Row, Int) -> Double
  ) -> Plot {
    var plot = Plot(
      title: title, xLabel: "time ahead (s)", yLabel: yLabel)
    plot.hasLogarithmicX = true
    let times = horizons.rows.map { Double($0.steps) * horizons.timeStep }
    for (s, channel) in horizons.states.enumerated().prefix(Self.most) {
      plot.curves.append(
        .init(
          title: channel.name, style: .lines(color: Self.colors[s], width: 2), x: times,
          y: horizons.rows.map { value($0, s) }))
    }
    plot.curves.append(
      .init(
        title: lineName, style: .dashes(color: "#222222", width: 1), x: times,
        y: times.map { _ in line }))
    return plot
  }

  /// What disturbed the machine while it did what the run before predicts.
  private func disturbancePlots(_ episode: Episode) -> [Plot] {
    layout.disturbances.enumerated().prefix(Self.most).map { index, disturbance in
      let channel = disturbance.channel
      let unit = Unit(channel.units)
      var plot = Plot(
        title: "\(channel.name), held out: a disturbance", xLabel: "time (s)",
        yLabel: unit.axisTitle(channel.name))
      plot.curves = [
        .init(
          title: "logged", style: .lines(color: "#d1661f", width: 1),
          x: episode.disturbances.indices.map { Double($0) * episode.timeStep },
          y: unit.convert(episode.disturbances.map { $0[index] }))
      ]
      return plot
    }
  }

  private func simulationPlots(_ forecasts: HorizonForecasts, _ episode: Episode) -> [Plot] {
    let run = forecasts.simulations([episode], knownRows: Self.knownRows)
    let times = (0..<episode.count).map { Double($0) * episode.timeStep }
    return Set(run.map(\.state)).sorted().prefix(Self.most).map { state in
      let channel = layout.states[state]
      let unit = Unit(channel.units)
      let own = run.filter { $0.state == state }
      let x = own.map { times[$0.start.row + $0.steps] }
      var plot = Plot(
        title:
          "\(channel.name), held out: the run from the first \(forecasts.rowsBegunWith(Self.knownRows)) rows and the commands\(layout.disturbances.isEmpty ? "" : " and disturbances") alone",
        xLabel: "time (s)", yLabel: unit.axisTitle(channel.name))
      plot.curves = [
        .init(
          title: "predicted, 95 %", style: .band(color: "#2f6fb0"), x: x,
          y: unit.convert(own.map { $0.quantiles.first ?? .nan }),
          upper: unit.convert(own.map { $0.quantiles.last ?? .nan })),
        .init(
          title: "predicted", style: .lines(color: "#1d4e86", width: 1.8), x: x,
          y: unit.convert(own.map(\.mean))),
        .init(
          title: "measured", style: .lines(color: "#d1661f", width: 1), x: times,
          y: unit.convert(episode.states.map { $0[state] })),
      ]
      return plot
    }
  }
}

extension Report {
  /// How a model was chosen, and what may be done with it.
  func choiceSummary(_ fit: FittedModel) -> [Block] {
    var blocks: [Block] = []
    if let horizons = fit.horizons {
      blocks.append(
        .words("\(horizons.verdict).", lead: "May a controller be searched on this model?"))
    }
    if !fit.residuals.isEmpty {
      let rows = fit.residuals.map { figures -> [Cell] in
        [
          Cell(figures.state), "\(number(figures.fit)) %",
          "\(number(figures.own.value)) (\(figures.own.rows))",
          "\(number(figures.command.value)) (\(figures.command.command), \(figures.command.rows))",
          "\(number(figures.bound))", "\(figures.delay)",
        ]
      }
      blocks.append(
        .table(
          head: [
            "held out", "fit of the whole run", "autocorrelation of the error (rows)",
            "correlation with a command (rows)", "99 % of white noise", "delay (rows)",
          ], rows: rows))
    }
    guard let choice = fit.choice else { return blocks }
    blocks += (choice.noise?.sentences(outputs: fit.model.outputNames) ?? []).map {
      .words("\($0).")
    }
    let rows = choice.candidates.enumerated().map { index, candidate -> [Cell] in
      [
        Cell(candidate.name, isBold: index == choice.chosen),
        Cell(candidate.score.map(number) ?? candidate.failure ?? ""),
        Cell(candidate.scoreAtWorst.map(number) ?? ""), "\(number(candidate.seconds))",
      ]
    }
    return blocks + [
      .words(
        "Candidates, fitted to the logs and judged on left-out blocks of them, by their predictions 1 to 100 steps "
          + "ahead (CRPS, divided by that of the references: the better of staying and of a straight line). At worst: plus two standard errors "
          + "over the blocks. The chosen one is bold: it has the least score at worst of those "
          + "that may be chosen, or little more with fewer inputs or less to compute. A search cannot use a line or a model that reads the next command, "
          + "and needs inputs for which it has tables:"),
      .table(head: ["candidate", "score", "at worst", "seconds"], rows: rows),
    ]
  }
}
