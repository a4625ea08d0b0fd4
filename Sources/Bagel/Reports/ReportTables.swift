// SPDX-License-Identifier: Apache-2.0
// The report's tables: episodes of a loop, figures on the plant, the policy with its sampler's errors, the model.

import Foundation
import GaussianProcesses
import SafeText
import Samplers
import Tasks

extension Report {
  func loopSummary(_ loop: LoopRecord) -> [String] {
    let rows = loop.episodes.map { episode in
      let isTrial = episode.isTrial
      let isLucky = isTrial && episode.isSuccess == true && !episode.isSolved
      let verdict =
        isTrial
        ? (episode.isSolved ? "solved" : isLucky ? "succeeds; not solved" : "not solved")
        : episode.isSuccess.map { $0 ? "succeeds" : "fails" } ?? ""
      let outcome = episode.failure ?? episode.earlyEnd ?? verdict
      let name =
        episode.trial == 0
        ? "exploration"
        : "trial \(episode.trial)" + (episode.judging.map { ", episode \($0 + 1)" } ?? "")
      return
        "<tr><td>\(name)</td><td>\(episode.rows)</td>"
        + "<td>\(isTrial ? number(episode.fitSeconds) : "-")</td>"
        + "<td>\(isTrial ? number(episode.optimizeSeconds) : "-")</td>"
        + "<td>\(episode.predictedReturn.map(number) ?? "-")</td>"
        + "<td>\(episode.trial > 0 ? "\(episode.stepSuccesses) of \(episode.steps)" : "-")</td>"
        + "<td>\(escapedForHTML(outcome))</td></tr>"
    }
    return [
      "<h2>Episodes</h2><table><tr><th>episode</th><th>rows</th><th>learnt in (s)</th>"
        + "<th>policy in (s)</th><th>predicted return</th><th>successful steps</th><th>outcome</th></tr>"
    ] + rows + ["</table>"]
  }

  func evaluationSummary(_ evaluation: Evaluation) -> [String] {
    let good = evaluation.successes == evaluation.episodes.count
    // Figures of a step response say nothing where other measures judge.
    let isStepResponse = task.evaluation.measures.isEmpty
    return [
      "<h2>\(loop == nil ? "Episodes on the plant" : "The last trial")</h2>",
      "<p class=\"\(good ? "good" : "bad")\"><b>\(evaluation.successes) of "
        + "\(evaluation.episodes.count) episodes succeed</b> on the plant: "
        + "\(escapedForHTML(task.criterion)).</p>",
    ]
      + task.violations(in: evaluation).map {
        "<p class=\"\($0.violations == 0 || $0.isKept ? "good" : "bad")\">\(escapedForHTML($0.plantSentence)).</p>"
      }
      + (isStepResponse
        ? task.evaluation.tracked.indices.flatMap { responses(evaluation, $0) } : [])
      + (rival.map { rivalSummary($0, beside: evaluation) } ?? [])
  }

  /// The policy and a PID controller in the same episodes.
  private func rivalSummary(_ rival: Evaluation, beside evaluation: Evaluation) -> [String] {
    let names = task.evaluation.tracked.map { task.goalChannels[$0.goal] }
    func row(_ title: String, _ evaluation: Evaluation) -> String {
      let errors = names.indices.map { t -> String in
        let (mean, largest) = evaluation.whole.errors(ofTracked: t)
        let shown = Unit(names[t].units).convert([mean, largest]).map(number)
        return shown.map { "<td>\($0)</td>" }.joined()
      }
      return
        "<tr><td>\(title)</td><td>\(evaluation.stepSuccesses) of \(evaluation.steps.count)</td>"
        + errors.joined() + "</tr>"
    }
    let heads = names.map { channel in
      let title = escapedForHTML(channel.name) + Unit(channel.units).suffix
      return "<th>mean error of \(title)</th><th>largest error of \(title)</th>"
    }
    return [
      "<h3>Beside a PID controller</h3>",
      "<p>The same episodes with a PID controller that the same search found on the same model.</p>",
      "<table><tr><th>controller</th><th>successful steps</th>\(heads.joined())</tr>",
      row("this policy", evaluation), row("PID", rival), "</table>",
    ]
  }

  /// The table of the responses of one of the tracked.
  private func responses(_ evaluation: Evaluation, _ tracked: Int) -> [String] {
    let channel = task.goalChannels[task.evaluation.tracked[tracked].goal]
    let unit = Unit(channel.units)
    func value(_ x: Double) -> String { number(unit.convert([x])[0]) }
    let steps = evaluation.episodes.enumerated().flatMap { index, episode in
      episode.steps.map { (episode: index + 1, step: $0) }
    }
    let rows = steps.map { episode, step in
      let figures = step.tracked[tracked]
      return "<tr><td>\(episode)</td><td>\(number(step.time))</td>"
        + "<td>\(value(step.goal[figures.goal]))</td>"
        + "<td>\(figures.riseTime.map(number) ?? "-")</td>"
        + "<td>\(value(figures.overshoot))</td><td>\(value(figures.steadyStateError))</td>"
        + "<td>\(value(figures.largestError))</td><td>\(number(step.actionChange))</td>"
        + "<td>\(step.isSuccess ? "yes" : "<b>no</b>")</td></tr>"
    }
    let title =
      task.evaluation.tracked.count == 1 ? [] : ["<h3>\(escapedForHTML(channel.name))</h3>"]
    let header =
      "<table><tr><th>episode</th><th>from (s)</th><th>goal\(unit.suffix)</th><th>rise time (s)</th><th>overshoot\(unit.suffix)</th>"
      + "<th>steady-state error\(unit.suffix)</th><th>largest error\(unit.suffix)</th>"
      + "<th>action change a step</th><th>success</th></tr>"
    return title + [header] + rows + ["</table>"]
  }

  func policySummary(_ policy: OptimizedPolicy) -> [String] {
    var lines = [
      "<h2>Policy</h2>",
      "<p>Best return \(number(policy.state.bestReturn)) at iteration \(policy.state.bestIteration) of "
        + "\(policy.state.iteration); \(number(1e3 * policy.secondsPerIteration)) ms an iteration on "
        + "\(escapedForHTML(policy.device)); \(policy.state.diverged) diverged particles; "
        + "\(number(100 * policy.outsideFraction)) % of the particle-steps of the best "
        + "policy more than a tenth of the data's range outside the data.</p>",
      "<p>Sampler: \(escapedForHTML(policy.sampler.description)).</p>",
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
      for (output, error) in zip(certificate.outputs, certificate.errors) {
        lines.append(
          "<tr><td>\(certificate.sampler.rawValue), \(escapedForHTML(certificate.summary))</td>"
            + "<td>\(output + 1)</td><td>\(number(error.meanRMS))</td><td>\(number(error.meanMax))</td>"
            + "<td>\(number(error.deviationRMS))</td><td>\(number(error.deviationMax))</td></tr>")
      }
    }
    let kept = policy.constraints.map {
      "<p class=\"\($0.isKept ? "good" : "bad")\">\(escapedForHTML($0.sentence)).</p>"
    }
    let outcome = policy.sampler.certificate.outcome.map {
      "<p>\(escapedForHTML($0.sentence)).</p>"
    }
    return lines + ["</table>"] + (outcome.map { [$0] } ?? []) + kept
  }

  func fitSummary(_ fit: FittedModel) -> [String] {
    var lines = ["<h2>Model</h2><p>\(fit.model.features.rows) transitions.</p><ul>"]
    lines += fit.model.summaryLines.map { "<li>\(escapedForHTML($0))</li>" } + ["</ul>"]
    if !fit.readingSentences.isEmpty {
      lines.append("<p>Logs: \(escapedForHTML(fit.readingSentences.joined(separator: " | ")))</p>")
    }
    lines += choiceSummary(fit)
    if !fit.heldOut.isEmpty {
      lines.append(
        "<table><tr><th>held out</th><th>RMSE</th><th>persistence</th><th>linear</th><th>95 % coverage</th>"
          + "<th>free run</th><th>linear, free run</th></tr>")
      lines += fit.heldOut.map {
        "<tr><td>\(escapedForHTML($0.state))</td><td>\(number($0.rmse))</td>"
          + "<td>\(number($0.persistenceRMSE))</td><td>\(number($0.linearRMSE))</td>"
          + "<td>\(number(100 * $0.coverage95)) %</td><td>\(number($0.freeRunRMSE))</td>"
          + "<td>\(number($0.linearFreeRunRMSE))</td></tr>"
      }
      lines.append("</table>")
      if fit.choice == nil && !fit.heldOut.allSatisfy(\.beatsBaselines) {
        lines.append(
          "<p class=\"bad\">The Gaussian process does not beat the better baseline everywhere.</p>")
      }
    }
    return lines
  }
}
