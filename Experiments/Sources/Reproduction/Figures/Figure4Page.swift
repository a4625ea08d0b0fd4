// SPDX-License-Identifier: Apache-2.0
// The page of figure 4.

import Bagel
import Foundation
import MachineLogs
import SafeText
import Tasks

struct Figure4Page {
  let options: Figure4Options
  let measured: Figure4Measurement

  private var task: ControlTask { measured.task }
  private var evaluated: EvaluatedEpisode? { measured.evaluated }
  private var imagined: PathBundle { measured.imagined }

  var page: Page {
    Page(
      title: "Figure 4: a goal-conditioned policy",
      sections: [
        .init(title: nil, html: [introduction]), .init(title: nil, plot: trainingPlot),
        .init(title: nil, plot: referencePlot),
        .init(title: "Steps of the reference", html: [stepTable]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
  }

  private var introduction: String {
    let data =
      options.logs.map { "\(escapedForHTML($0.files.joined(separator: ", ")))" }
      ?? "\(number(options.seconds)) s of driving by hand at two openings of the valve "
      + "(\(options.speeds.map(number).joined(separator: ", ")))"
    let count = measured.fit.model.processes.count
    let end =
      evaluated == nil
      ? "The reference is imagined only: `bagel run` drives your machine." : "Then the reference."
    let worst = measured.sampler.certificate.worst
    return """
      <p>\(data), a row every \(number(task.layout.timeStep)) s; \(count) Gaussian process\(count == 1 ? "" : "es") learnt in \
      \(number(measured.fit.seconds)) s, a policy that sees state and goal found in \(number(measured.policy.seconds)) s for starts and \
      goals drawn from the data's bounds. Rollouts go through \(measured.sampler.description) (error of the mean \
      \(number(100 * worst.mean)) % of the signal, of the deviation \(number(100 * worst.deviation)) % of the predictive). \(end)</p>\(warning)
      """
  }

  /// Of logs that never rest.
  private var warning: String {
    let rests = measured.fit.training.contains { $0.actions.contains { abs($0[0]) < 0.01 } }
    if rests || task.model.restPseudoData > 0 { return "" }
    return
      "<p><b>The command is never near zero in these logs: what the machine does then is a guess. If it stands still, "
      + "say so by pseudo-data of rest, 100 of them.</b></p>"
  }

  private var stepTable: String {
    let unit = Unit(task.layout.states[0].units)
    func cell(_ value: Double) -> String { "<td>\(number(unit.convert([value])[0]))</td>" }
    let tolerance = number(unit.convert([task.evaluation.tracked[0].tolerance])[0])
    let rows = zip(measured.reference, measured.imaginedErrors).enumerated().map { index, step in
      let driven = evaluated.map { evaluated -> String in
        let step = evaluated.steps[index]
        let angle = step.tracked[0]
        return "<td>\(angle.riseTime.map(number) ?? "-")</td>" + cell(angle.steadyStateError)
          + "<td>\(step.isSuccess ? "yes" : "<b>no</b>")</td>"
      }
      return "<tr><td>\(number(step.0.time))</td>" + cell(step.0.goal[0]) + cell(step.1)
        + (driven ?? "") + "</tr>"
    }
    let driven =
      evaluated == nil
      ? ""
      : "<th>rise time (s)</th><th>steady-state error\(unit.suffix)</th><th>within \(tolerance) "
        + "\(unit.name) from \(number(task.evaluation.settle)) s on (shorter steps: at their end), changes of the command below "
        + "\(number(task.evaluation.largestActionChange)) a step</th>"
    return "<table><tr><th>from (s)</th><th>goal\(unit.suffix)</th>"
      + "<th>mean imagined error in its last second\(unit.suffix)</th>\(driven)</tr>"
      + rows.joined()
      + "</table>"
  }

  private var comparison: String {
    let machine =
      options.logs == nil
      ? "the boom is simulated" : "the machine is that of the logs, and is not driven"
    let limits = task.actionLimits[0]
    let rest = task.model.restPseudoData
    return
      "<p>The paper shows the same on the real boom: the controller drives it to all reference positions. Here \(machine); "
      + "commands keep within those of the data, \(number(limits.lowerBound)) to \(number(limits.upperBound)); "
      + (rest > 0
        ? "\(rest) pseudo-measurements say that a command of zero holds it, which a driver who never stops does not show; "
        : "")
      + "and the reward has a penalty on changes of the action (weight 1), without which a simulated spool and oil end in a limit "
      + "cycle.</p>"
  }

  private func times(_ count: Int) -> [Double] {
    (0..<count).map { Double($0) * task.layout.timeStep }
  }

  private func angles(_ episode: Episode) -> [Double] {
    Unit(task.layout.states[0].units).convert(episode.states.map { $0[0] })
  }

  private func plot(_ title: String) -> Plot {
    let channel = task.layout.states[0]
    return Plot(
      title: title, xLabel: "time (s)", yLabel: Unit(channel.units).axisTitle(channel.name))
  }

  private var trainingPlot: Plot {
    var plot = plot(options.logs == nil ? "by hand, at two speeds" : "the logs")
    for (index, episode) in measured.fit.training.enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "measured" : nil,
          style: .lines(color: Palette.black, width: 1.2),
          x: times(episode.count), y: angles(episode)))
    }
    return plot
  }

  private var referencePlot: Plot {
    let unit = Unit(task.layout.states[0].units)
    var plot = plot("the policy \(evaluated == nil ? "" : "on the machine, and ")imagined")
    let (lower, upper) = (imagined.quantile(0), imagined.quantile(1))
    plot.curves.append(
      .init(
        title: "all imagined", style: .band(color: Palette.sky), x: times(lower.count),
        y: unit.convert(lower), upper: unit.convert(upper)))
    for (index, path) in imagined.paths.prefix(10).enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "ten of them" : nil, style: .lines(color: Palette.sky, width: 0.5),
          x: times(path.count),
          y: unit.convert(path)))
    }
    if let evaluated {
      plot.curves.append(
        .init(
          title: "on the machine", style: .lines(color: Palette.vermilion, width: 1.5),
          x: times(evaluated.episode.count), y: angles(evaluated.episode)))
    }
    let (switches, goals) = measured.reference.line(of: 0, until: task.evaluation.seconds)
    plot.curves.append(
      .init(
        title: "reference", style: .dashes(color: Palette.black, width: 1),
        x: switches, y: unit.convert(goals)))
    return plot
  }

  /// What was learnt from, then the reference; times of every part begin at 0 again.
  var csv: String {
    let (state, action) = (task.layout.states[0], task.layout.actions[0])
    var rows = [
      [
        "part", "time_s", column(state.name, state.units), column(action.name, action.units),
        column("lowest", state.units), column("mean", state.units), column("highest", state.units),
      ].joined(separator: ",")
    ]
    for episode in measured.fit.training {
      for (k, time) in times(episode.count).enumerated() {
        rows.append(
          "\"\(episode.name)\",\(time),\(episode.states[k][0]),\(episode.actions[k][0]),,,")
      }
    }
    let columns = [imagined.quantile(0), imagined.mean, imagined.quantile(1)]
    let episode = evaluated?.episode
    for (k, time) in times(columns[0].count).enumerated() {
      let driven = episode.flatMap { k < $0.count ? "\($0.states[k][0]),\($0.actions[k][0])" : nil }
      rows.append(
        "reference,\(time),\(driven ?? ","),"
          + columns.map { "\($0[k])" }.joined(separator: ","))
    }
    return rows.joined(separator: "\n") + "\n"
  }
}
