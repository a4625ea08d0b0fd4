// SPDX-License-Identifier: Apache-2.0
// report.html: one page with what was learnt, found and driven, its pictures inside it (no other files,
// no scripts). In: the outcomes of fit, optimise, evaluate. Out: HTML text.

import Foundation
import GaussianProcesses
import PolicySearch
import Samplers
import Tasks

/// A page about one task.
public struct Report {
  public var task: ControlTask
  public var fit: FittedModel?
  public var policy: OptimizedPolicy?
  public var evaluation: Evaluation?
  /// The interaction loop so far.
  public var loop: LoopRecord?

  public init(
    task: ControlTask, fit: FittedModel? = nil, policy: OptimizedPolicy? = nil,
    evaluation: Evaluation? = nil, loop: LoopRecord? = nil
  ) {
    self.loop = loop
    self.task = task
    self.fit = fit
    self.policy = policy
    self.evaluation = evaluation
  }

  /// Writes the page; true if it has pictures (gnuplot was found). Throws: Foundation's file
  /// errors.
  @discardableResult public func write(to path: String) throws -> Bool {
    let plots = pictures.map { (title: $0.title, svg: $0.svg()) }
    let hasPictures = plots.allSatisfy { $0.svg != nil }
    var html = [
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">",
      "<title>BAGEL: \(escaped(task.name))</title>", "<style>\(style)</style></head><body>",
      "<h1>\(escaped(task.name))</h1>",
    ]
    if let loop { html += loopSummary(loop) }
    if let evaluation { html += evaluationSummary(evaluation) }
    for plot in plots { html.append("<figure>\(plot.svg ?? missing(plot.title))</figure>") }
    if let policy { html += policySummary(policy) }
    if let fit { html += fitSummary(fit) }
    html.append("</body></html>\n")
    try html.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
    return hasPictures
  }

  /// Path of the program that draws the pictures, if it is installed.
  public static var gnuplotPath: String? { Plot.gnuplotPath }

  private var style: String {
    """
    body{font:16px/1.45 system-ui,sans-serif;max-width:820px;margin:2em auto;padding:0 1em;color:#222}
    table{border-collapse:collapse;margin:1em 0}td,th{padding:.25em .8em;text-align:right;
    border-bottom:1px solid #ddd}th:first-child,td:first-child{text-align:left}figure{margin:1em 0}
    .good{color:#176b2c}.bad{color:#a3201d}
    """
  }

  private func missing(_ title: String) -> String {
    "<p><em>\(escaped(title))</em>: no picture, because gnuplot was not found.</p>"
  }

  // MARK: Pictures

  private var pictures: [Plot] {
    var plots: [Plot] = []
    if policy != nil || evaluation != nil {
      plots += task.layout.states.indices.map(responsePlot)
      plots += task.layout.actions.indices.map(actionPlot)
    }
    if let policy { plots.append(returnPlot(policy.state)) }
    return plots
  }

  /// A state: mean, 95 % band and a few lines of the predicted particles, against the real episodes.
  private func responsePlot(_ state: Int) -> Plot {
    let channel = task.layout.states[state]
    let unit = Unit(channel.units)
    var particles: [[Double]] = []
    if let policy {
      let (scale, mean) = (policy.best.stateScale[state], policy.best.stateMean[state])
      let predicted = policy.predicted
      particles = (0..<predicted.particles).map { b in
        (0...predicted.horizon).map { k in
          let carry = predicted.state(step: k, particle: b)
          return carry[carry.startIndex + state] * scale + mean
        }
      }
    }
    let real = evaluation?.episodes.map { $0.episode.states.map { $0[state] } } ?? []
    return ribbon(
      title: channel.name, yLabel: "\(channel.name) (\(unit.name))", particles.map(unit.convert),
      real.map(unit.convert))
  }

  private func actionPlot(_ action: Int) -> Plot {
    let channel = task.layout.actions[action]
    var particles: [[Double]] = []
    if let predicted = policy?.predicted {
      particles = (0..<predicted.particles).map { b in
        (0..<predicted.horizon).map { k in
          let actions = predicted.action(step: k, particle: b)
          return actions[actions.startIndex + action]
        }
      }
    }
    let real =
      evaluation?.episodes.map { $0.episode.actions.dropLast().map { $0[action] } } ?? []
    return ribbon(title: "\(channel.name) command", yLabel: channel.name, particles, real)
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
    if let first = particles.first {
      let sorted = first.indices.map { k in particles.map { $0[k] }.sorted() }
      func quantile(_ q: Double) -> [Double] { sorted.map { $0[Int(q * Double($0.count - 1))] } }
      plot.curves.append(
        .init(
          title: "predicted, 95 %", style: .band(color: "#2f6fb0"), x: times(first.count),
          y: quantile(0.025), upper: quantile(0.975)))
      for particle in particles.prefix(5) {
        plot.curves.append(
          .init(
            title: nil, style: .lines(color: "#9cbde0", width: 0.6), x: times(first.count),
            y: particle))
      }
    }
    for (index, path) in real.enumerated() {
      plot.curves.append(
        .init(
          title: index == 0 ? "real episodes" : nil,
          style: .lines(color: "#60d1661f", width: 0.8), x: times(path.count), y: path))
    }
    if let first = particles.first {
      let mean = first.indices.map { k in
        particles.reduce(0) { $0 + $1[k] } / Double(particles.count)
      }
      plot.curves.append(
        .init(
          title: "predicted mean", style: .lines(color: "#1d4e86", width: 2),
          x: times(first.count), y: mean))
    }
    return plot
  }

  private func returnPlot(_ state: SearchState) -> Plot {
    var plot = Plot(title: "return per iteration", xLabel: "iteration", yLabel: "mean return")
    plot.curves.append(
      .init(
        title: "return", style: .lines(color: "#1d4e86", width: 1.5),
        x: state.returns.indices.map { Double($0 + 1) }, y: state.returns))
    return plot
  }

  // MARK: Tables

  private func loopSummary(_ loop: LoopRecord) -> [String] {
    let rows = loop.episodes.map { episode in
      let isTrial = episode.trial > 0
      let outcome = episode.failure ?? episode.earlyEnd
        ?? (isTrial ? (episode.isSolved ? "solved" : "not solved") : "")
      return "<tr><td>\(isTrial ? "trial \(episode.trial)" : "exploration")</td><td>\(episode.rows)</td>"
        + "<td>\(isTrial ? number(episode.fitSeconds) : "-")</td>"
        + "<td>\(isTrial ? number(episode.optimizeSeconds) : "-")</td>"
        + "<td>\(episode.predictedReturn.map(number) ?? "-")</td>"
        + "<td>\(isTrial ? "\(episode.stepSuccesses) of \(episode.steps)" : "-")</td>"
        + "<td>\(escaped(outcome))</td></tr>"
    }
    return [
      "<h2>Episodes</h2><table><tr><th>episode</th><th>rows</th><th>learnt in (s)</th>"
        + "<th>policy in (s)</th><th>predicted return</th><th>successful steps</th><th>outcome</th></tr>"
    ] + rows + ["</table>"]
  }

  private func evaluationSummary(_ evaluation: Evaluation) -> [String] {
    let unit = Unit(task.layout.states[0].units)
    let good = evaluation.successes == evaluation.episodes.count
    func value(_ x: Double) -> String { number(unit.convert([x])[0]) }
    let steps = evaluation.episodes.enumerated().flatMap { index, episode in
      episode.steps.map { (episode: index + 1, figures: $0) }
    }
    let rows = steps.map { episode, step in
      "<tr><td>\(episode)</td><td>\(number(step.time))</td><td>\(value(step.goal[0]))</td>"
        + "<td>\(step.riseTime.map(number) ?? "-")</td>"
        + "<td>\(value(step.overshoot))</td><td>\(value(step.steadyStateError))</td>"
        + "<td>\(value(step.largestError))</td><td>\(number(step.actionChange))</td>"
        + "<td>\(step.isSuccess ? "yes" : "<b>no</b>")</td></tr>"
    }
    return [
      "<h2>\(loop == nil ? "Episodes on the plant" : "The last trial")</h2>",
      "<p class=\"\(good ? "good" : "bad")\"><b>\(evaluation.successes) of "
        + "\(evaluation.episodes.count) episodes succeed</b> on the plant.</p>",
      "<table><tr><th>episode</th><th>from (s)</th><th>goal (\(unit.name))</th><th>rise time (s)</th><th>overshoot (\(unit.name))</th>"
        + "<th>steady-state error (\(unit.name))</th><th>largest error (\(unit.name))</th>"
        + "<th>action change a step</th><th>success</th></tr>",
    ] + rows + ["</table>"]
  }

  private func policySummary(_ policy: OptimizedPolicy) -> [String] {
    var lines = [
      "<h2>Policy</h2>",
      "<p>Best return \(number(policy.state.bestReturn)) at iteration \(policy.state.bestIteration) of "
        + "\(policy.state.iteration); \(number(1e3 * policy.secondsPerIteration)) ms an iteration on "
        + "\(escaped(policy.device)); \(policy.state.diverged) diverged particles; "
        + "\(number(100 * policy.predicted.returns.outsideFraction)) % of the particle-steps of the best "
        + "policy outside the data's box.</p>",
      "<p>Sampler: \(escaped(policy.sampler.description)).</p>",
    ]
    let certificates = [policy.sampler.certificate] + policy.sampler.rejected
    lines.append(
      "<p>Errors against \(certificates[0].reference) at \(certificates[0].points) random points of the box and at as many "
        + "data"
        + (certificates.count > 1
          ? "; the sampler used first, then those beyond the tolerance" : "")
        + ":</p><table><tr><th>sampler</th><th>output</th><th>mean, RMS of signal</th><th>max</th>"
        + "<th>deviation, RMS of predictive</th><th>max</th></tr>")
    for certificate in certificates {
      for (m, error) in certificate.errors.enumerated() {
        lines.append(
          "<tr><td>\(certificate.sampler.rawValue), \(escaped(certificate.summary))</td>"
            + "<td>\(m + 1)</td><td>\(number(error.meanRMS))</td><td>\(number(error.meanMax))</td>"
            + "<td>\(number(error.deviationRMS))</td><td>\(number(error.deviationMax))</td></tr>")
      }
    }
    return lines + ["</table>"]
  }

  private func fitSummary(_ fit: FittedModel) -> [String] {
    var lines = ["<h2>Model</h2><p>\(fit.model.processes[0].x.rows) transitions.</p><ul>"]
    lines += fit.model.summaryLines.map { "<li>\(escaped($0))</li>" } + ["</ul>"]
    if !fit.heldOut.isEmpty {
      lines.append(
        "<table><tr><th>held out</th><th>RMSE</th><th>persistence</th><th>linear</th><th>95 % coverage</th>"
          + "<th>free run</th><th>linear, free run</th></tr>")
      lines += fit.heldOut.map {
        "<tr><td>\(escaped($0.state))</td><td>\(number($0.rmse))</td>"
          + "<td>\(number($0.persistenceRMSE))</td><td>\(number($0.linearRMSE))</td>"
          + "<td>\(number(100 * $0.coverage95)) %</td><td>\(number($0.freeRunRMSE))</td>"
          + "<td>\(number($0.linearFreeRunRMSE))</td></tr>"
      }
      lines.append("</table>")
      if !fit.heldOut.allSatisfy(\.beatsBaselines) {
        lines.append(
          "<p class=\"bad\">The Gaussian process does not beat the better baseline everywhere.</p>")
      }
    }
    return lines
  }
}

/// Radians are shown in degrees; everything else as it is.
struct Unit {
  let name: String
  private let factor: Double

  init(_ units: String) {
    let isAngle = units == "rad" || units == "rad/s"
    factor = isAngle ? 180 / Double.pi : 1
    name = isAngle ? units.replacingOccurrences(of: "rad", with: "deg") : units
  }

  func convert(_ values: [Double]) -> [Double] { values.map { $0 * factor } }
}

/// Three significant digits.
public func number(_ value: Double) -> String { String(format: "%.3g", value) }

func escaped(_ text: String) -> String {
  text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
    .replacingOccurrences(of: ">", with: "&gt;")
}

extension DynamicsModel {
  /// One line an output: lengthscales, noise, likelihood, in words.
  public var summaryLines: [String] {
    zip(outputNames, processes).enumerated().map { m, pair in
      let (name, process) = pair
      let h = process.hyperparameters
      let parameters = zip(h.covariance.parameterNames, h.covariance.parameters)
      let lengthscales = parameters.filter { $0.0.hasPrefix("log lengthscale") }
        .map { number(exp($0.1)) }.joined(separator: ", ")
      let noise = h.noiseVariance.squareRoot() * incrementStandardiser.scale[m]
      let jitter = process.jitter > 0 ? "; jitter \(number(process.jitter)) was needed" : ""
      return
        "\(name): lengthscales \(lengthscales) standard deviations, noise \(number(noise)), log "
        + "marginal likelihood \(number(process.logMarginalLikelihood)) "
        + "(\(number(process.logMarginalLikelihood / Double(process.y.count))) a point)\(jitter)"
    }
  }
}
