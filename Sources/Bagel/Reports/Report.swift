// SPDX-License-Identifier: Apache-2.0
// report.html: one page with what was learnt, found and driven, its pictures inside it (no other files,
// no scripts). In: the outcomes of fit, optimise, evaluate. Out: HTML text.

import Formulas
import Foundation
import GaussianProcesses
import PolicySearch
import SafeText
import Samplers
import Tasks

/// A page about one task.
public struct Report {
  public var task: ControlTask
  public var fit: FittedModel?
  public var policy: OptimizedPolicy?
  public var evaluation: Evaluation?
  /// The same episodes with a PID controller.
  public var rival: Evaluation?
  /// What goals are of at some logged states [n][G], where there is no fit; empty where goals are of the states.
  public var loggedGoals: [[Double]] = []
  /// The interaction loop so far.
  public var loop: LoopRecord?
  /// Whose numbers it shows, in its last line.
  public var origin: ReportOrigin

  public init(
    task: ControlTask, fit: FittedModel? = nil, policy: OptimizedPolicy? = nil,
    evaluation: Evaluation? = nil, rival: Evaluation? = nil, loggedGoals: [[Double]] = [],
    loop: LoopRecord? = nil,
    origin: ReportOrigin
  ) {
    self.loggedGoals = loggedGoals
    self.loop = loop
    self.origin = origin
    self.task = task
    self.fit = fit
    self.policy = policy
    (self.evaluation, self.rival) = (evaluation, rival)
  }

  /// Writes the page; returns why a picture is missing, or nil. Throws: Foundation's file errors.
  @discardableResult public func write(to path: String) throws -> PlotFailure? {
    var failure: PlotFailure?
    let figures = pictures.map { plot in
      do throws(PlotFailure) {
        return "<figure>\(try plot.svg())</figure>"
      } catch {
        failure = failure ?? error
        return "<p><em>\(escapedForHTML(plot.title))</em>: \(noPicture(error)).</p>"
      }
    }
    var html = [
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
      "<title>BAGEL: \(escapedForHTML(task.name))</title>",
      "<style>\(pageStyle)</style></head><body>",
      "<h1>\(escapedForHTML(task.name))</h1>",
    ]
    if let loop { html += loopSummary(loop) }
    if let evaluation { html += evaluationSummary(evaluation) }
    html += figures
    if let policy { html += policySummary(policy) }
    if let fit { html += fitSummary(fit) }
    html.append("<p>\(escapedForHTML(origin.words))</p></body></html>\n")
    try html.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return failure
  }

  /// Path of the program that draws the pictures, if it is installed.
  public static var gnuplotPath: String? { Plot.gnuplotPath }

  // MARK: Pictures

  private var pictures: [Plot] {
    var plots: [Plot] = []
    if policy != nil || evaluation != nil {
      if let planePicture { plots.append(planePicture) }
      plots += reported.map(responsePlot)
      plots += task.layout.actions.indices.map(actionPlot)
      plots += task.layout.disturbances.indices.compactMap(disturbancePlot)
      plots += task.constraints.map(constraintPlot)
    }
    if let policy { plots.append(returnPlot(policy.state)) }
    if let fit { plots += ModelPictures(fit, task.layout).plots }
    return plots
  }

  /// Predicted particles, where they went to the goals of the real episodes: not those of a schedule.
  private var predicted: OptimizedPolicy? {
    evaluation == nil || task.evaluation.goalTimes == [0] ? policy : nil
  }

  /// What goals are of beside the states, and the states.
  private var reported: [Quantity] {
    let formulas = task.goalQuantities?.filter { $0.state == nil } ?? []
    return formulas + task.layout.states.compactMap { task.quantity($0.name) }
  }

  /// A state or quantity: mean, 95 % band and a few lines of the predicted particles, against the real episodes and their goal.
  private func responsePlot(_ quantity: Quantity) -> Plot {
    let unit = Unit(quantity.units)
    var particles: [[Double]] = []
    if let policy = predicted {
      particles = policy.predicted.paths(
        of: quantity, mean: policy.best.stateMean, scale: policy.best.stateScale)
    }
    let real = evaluation?.episodes.map { $0.episode.states.map { quantity.value($0) } } ?? []
    var plot = ribbon(
      title: quantity.name, yLabel: unit.axisTitle(quantity.name), particles.map(unit.convert),
      real.map(unit.convert))
    let rivals = rival?.episodes.map { $0.episode.states.map { quantity.value($0) } } ?? []
    for (index, path) in rivals.map(unit.convert).enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "PID controller" : nil,
          style: .lines(color: rivals.count > 3 ? "#702e8b57" : "#2e8b57", width: 1),
          x: path.indices.map { Double($0) * task.layout.timeStep }, y: path))
    }
    let goal = task.goalChannels.firstIndex { $0.name == quantity.name }
    if let (times, goals) = goal.flatMap(commonGoals) {
      plot.curves.append(
        .init(
          title: "goal", style: .dashes(color: "#222222", width: 1), x: times,
          y: unit.convert(goals)))
    }
    return plot
  }

  /// A goal over time as a line, where all real episodes have the same and are judged by it.
  private func commonGoals(_ index: Int) -> (times: [Double], goals: [Double])? {
    guard let first = evaluation?.episodes.first, task.evaluation.measures.isEmpty,
      evaluation?.episodes.allSatisfy({ $0.reference == first.reference }) == true
    else { return nil }
    return first.reference.line(
      of: index, until: Double(first.episode.count) * task.layout.timeStep)
  }

  private func actionPlot(_ action: Int) -> Plot {
    let channel = task.layout.actions[action]
    let unit = Unit(channel.units)
    var particles: [[Double]] = []
    if let predicted = predicted?.predicted {
      particles = (0..<predicted.particles).map { b in
        (0..<predicted.horizon).map { k in
          let actions = predicted.action(step: k, particle: b)
          return actions[actions.startIndex + action]
        }
      }
    }
    let real =
      evaluation?.episodes.map { $0.episode.actions.dropLast().map { $0[action] } } ?? []
    return ribbon(
      title: "\(channel.name) command", yLabel: unit.axisTitle(channel.name),
      particles.map(unit.convert), real.map(unit.convert))
  }

  /// The number of a constraint over time, against its bounds.
  private func constraintPlot(_ constraint: ControlTask.Constraint) -> Plot {
    func values(_ states: [[Double]], _ actions: [[Double]]) -> [Double] {
      states.indices.dropFirst().map { row in
        task.value(
          of: constraint, state: states[row], action: actions[row - 1],
          previous: row > 1 ? actions[row - 2] : task.safeAction)
      }
    }
    var particles: [[Double]] = []
    if let policy = predicted {
      let count = task.layout.states.count
      particles = (0..<policy.predicted.particles).map { b in
        let states = (0...policy.predicted.horizon).map { k in
          zip(
            policy.predicted.carry(step: k, particle: b).prefix(count),
            zip(policy.best.stateMean, policy.best.stateScale)
          ).map { $1.0 + $1.1 * $0 }
        }
        let actions = (0..<policy.predicted.horizon).map { k in
          Array(policy.predicted.action(step: k, particle: b))
        }
        return values(states, actions)
      }
    }
    let real = evaluation?.episodes.map { values($0.episode.states, $0.episode.actions) } ?? []
    var plot = ribbon(
      title: "constraint: \(constraint.words)", yLabel: constraint.name, particles, real)
    let last = (particles + real).map(\.count).max() ?? 0
    let shown =
      (particles + real).flatMap { $0.filter(\.isFinite) }
      + [constraint.lower, constraint.upper].compactMap { $0 }
    if let least = shown.min(), let most = shown.max(), least < most {
      let margin = 0.05 * (most - least)
      plot.yRange = (least - margin)...(most + margin)
    }
    for bound in [constraint.lower, constraint.upper].compactMap({ $0 }) {
      plot.curves.append(
        .init(
          title: "bound", style: .dashes(color: "#a3201d", width: 1.4),
          x: [0, Double(last) * task.layout.timeStep], y: [bound, bound]))
    }
    return plot
  }

  /// What disturbed the real episodes; nil where there were none.
  private func disturbancePlot(_ disturbance: Int) -> Plot? {
    guard let evaluation else { return nil }
    let channel = task.layout.disturbances[disturbance].channel
    let unit = Unit(channel.units)
    var plot = ribbon(
      title: "\(channel.name), a disturbance", yLabel: unit.axisTitle(channel.name), [],
      evaluation.episodes.map { unit.convert($0.episode.disturbances.map { $0[disturbance] }) })
    guard let logged = fit?.model.loggedDisturbances.bounds[disturbance] else { return plot }
    let last = evaluation.episodes.map(\.episode.count).max() ?? 0
    for (index, bound) in unit.convert([logged.lowerBound, logged.upperBound]).enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "least and most in the logs" : nil,
          style: .dashes(color: "#222222", width: 1),
          x: [0, Double(last) * task.layout.timeStep], y: [bound, bound]))
    }
    return plot
  }

  /// `particles` [B][T] as a band with a few lines and the mean, `real` [episodes][T] as lines.
  private func ribbon(
    title: String, yLabel: String, _ particles: [[Double]], _ real: [[Double]]
  ) -> Plot {
    let what = [
      particles.isEmpty ? nil : "predicted particles", real.isEmpty ? nil : "real episodes",
    ]
    var plot = Plot(
      title: "\(title): \(what.compactMap { $0 }.joined(separator: " and "))", xLabel: "time (s)",
      yLabel: yLabel)
    func times(_ count: Int) -> [Double] { (0..<count).map { Double($0) * task.layout.timeStep } }
    let bundle = particles.isEmpty ? nil : PathBundle(particles)
    if let bundle, let first = particles.first {
      plot.curves.append(
        .init(
          title: "predicted, 95 %", style: .band(color: "#2f6fb0"), x: times(first.count),
          y: bundle.quantile(0.025), upper: bundle.quantile(0.975)))
      for particle in particles.prefix(5) {
        plot.curves.append(
          .init(
            title: nil, style: .lines(color: "#9cbde0", width: 0.6), x: times(first.count),
            y: particle))
      }
    }
    let isCrowd = real.count > 3
    for (index, path) in real.enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "real episodes" : nil,
          style: isCrowd
            ? .lines(color: "#60d1661f", width: 0.8) : .lines(color: "#d1661f", width: 1.6),
          x: times(path.count), y: path))
    }
    if let mean = bundle?.mean {
      plot.curves.append(
        .init(
          title: "predicted mean", style: .lines(color: "#1d4e86", width: 2),
          x: times(mean.count), y: mean))
    }
    return plot
  }

  private func returnPlot(_ state: SearchState) -> Plot {
    var plot = Plot(
      title: "return per iteration"
        + (task.constraints.isEmpty ? "" : ", less weighted violations"), xLabel: "iteration",
      yLabel: "mean return")
    plot.curves.append(
      .init(
        title: "return", style: .lines(color: "#1d4e86", width: 1.5),
        x: state.returns.indices.map { Double($0 + 1) }, y: state.returns))
    return plot
  }
}

/// Whose numbers a report shows. Files with the same fingerprints have the same numbers.
public struct ReportOrigin: Hashable, Sendable {
  public var seed: UInt64
  /// `DynamicsModel.fingerprint`, where there is a model.
  public var model: String?
  /// `PolicyController.fingerprint`, where there is a policy.
  public var policy: String?

  public init(seed: UInt64, model: String?, policy: String? = nil) {
    (self.seed, self.model, self.policy) = (seed, model, policy)
  }

  /// "Seed 3; model 0123456789abcdef; policy fedcba9876543210."
  var words: String {
    let parts = ["Seed \(seed)", model.map { "model \($0)" }, policy.map { "policy \($0)" }]
    return parts.compactMap(\.self).joined(separator: "; ") + "."
  }
}

/// In the place of a picture, in HTML.
package func noPicture(_ failure: PlotFailure) -> String {
  "no picture: \(escapedForHTML("\(failure)"))"
}

/// Of every page.
package let pageStyle = """
  body{font:16px/1.45 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}
  table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;
  border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}figure{margin:1em 0}
  .words td:nth-child(2){text-align:left}.good{color:#176b2c}.bad{color:#a3201d}
  """

/// Radians are shown in degrees; everything else as it is.
package struct Unit {
  package let name: String
  private let factor: Double
  /// As the log has it.
  private let logged: String

  package init(_ units: String) {
    logged = units
    let isAngle = units == "rad" || units == "rad/s"
    factor = isAngle ? 180 / Double.pi : 1
    name = isAngle ? units.replacingOccurrences(of: "rad", with: "deg") : units
  }

  /// " (deg)" behind a name; nothing where units are unknown.
  package var suffix: String { name.isEmpty ? "" : " (\(name))" }

  /// A channel's name with its unit, once: without the one that the name may already end in ("height_m", "angle [rad]").
  package func axisTitle(_ channel: String) -> String {
    let endings = [name, logged].filter { !$0.isEmpty }
      .flatMap { ["(\($0))", "[\($0)]", " \($0)", "_\($0)"] }
    guard let ending = endings.first(where: channel.hasSuffix) else { return channel + suffix }
    let bare = channel.dropLast(ending.count).trimmingCharacters(in: .whitespaces)
    return (bare.isEmpty ? channel : bare) + suffix
  }

  package func convert(_ values: [Double]) -> [Double] { values.map { $0 * factor } }

  /// "0.0514 deg"; the number alone where units are unknown.
  package func shown(_ value: Double) -> String {
    number(factor * value) + (name.isEmpty ? "" : " " + name)
  }
}

/// Three significant digits; all before the point from 1,000 to 10 million.
public func number(_ value: Double) -> String {
  String(format: (1e3..<1e7).contains(abs(value)) ? "%.0f" : "%.3g", value)
}
