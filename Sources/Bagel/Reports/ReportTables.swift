// SPDX-License-Identifier: Apache-2.0
// The report's sections as data: episodes of a loop, figures on the plant, the policy with its sampler's errors, the model.

import Foundation
import GaussianProcesses
import MachineLogs
import Samplers
import Tasks

extension Report {
  typealias Block = ReportPage.Block
  typealias Cell = ReportPage.Cell

  func loopSummary(_ loop: LoopRecord) -> [Block] {
    let rows = loop.episodes.map { episode -> [Cell] in
      let isTrial = episode.isTrial
      let isLucky = isTrial && episode.isSuccess == true && !episode.isSolved
      let verdict =
        isTrial
        ? (episode.isSolved ? "solved" : isLucky ? "succeeds; not solved" : "not solved")
        : episode.isSuccess.map { $0 ? "succeeds" : "fails" } ?? ""
      let outcome =
        episode.failure ?? episode.earlyEnd
        ?? [verdict, episode.reason].compactMap(\.self).joined(separator: ": ")
      let name =
        episode.trial == 0
        ? "exploration"
        : "trial \(episode.trial)" + (episode.judging.map { ", episode \($0 + 1)" } ?? "")
      return [
        "\(name)", "\(episode.rows)", "\(isTrial ? number(episode.fitSeconds) : "-")",
        "\(isTrial ? number(episode.optimizeSeconds) : "-")",
        "\(episode.predictedReturn.map(number) ?? "-")",
        "\(episode.trial > 0 ? "\(episode.stepSuccesses) of \(episode.steps)" : "-")",
        Cell(outcome),
      ]
    }
    return [
      .heading("Episodes of the loop", level: 2),
      .table(
        head: [
          "episode", "rows", "learnt in (s)", "policy in (s)", "predicted return",
          "successful steps", "outcome",
        ], rows: rows),
    ]
  }

  /// Reasons of failures that are listed.
  private static let mostReasons = 24

  func evaluationSummary(_ evaluation: Evaluation) -> [Block] {
    let isGood = evaluation.successes == evaluation.episodes.count
    // Figures of a step response say nothing where other measures judge.
    let isStepResponse = task.evaluation.measures.isEmpty
    let reasons = evaluation.reasons(task)
    let left = reasons.count - Self.mostReasons
    var blocks: [Block] = [
      .heading(loop == nil ? "Episodes on the plant" : "The last trial", level: 2),
      .words(
        "on the plant: \(task.criterion).",
        lead: "\(evaluation.successes) of \(evaluation.episodes.count) episodes succeed",
        mood: isGood ? .good : .bad),
    ]
    if !reasons.isEmpty {
      blocks += [
        .words("Why episodes failed:"),
        .list(reasons.prefix(Self.mostReasons) + (left > 0 ? ["and \(left) more"] : [])),
      ]
    }
    blocks += task.violations(in: evaluation).map {
      .words("\($0.plantSentence).", mood: $0.violations == 0 || $0.isKept ? .good : .bad)
    }
    blocks += comparison(evaluation)
    blocks += responsePanels(evaluation)
    blocks += pictures.map { .picture($0) }
    if isStepResponse {
      blocks += task.evaluation.tracked.indices.flatMap { responses(evaluation, $0) }
    }
    return blocks
  }

  /// The table of the responses of one of the tracked.
  private func responses(_ evaluation: Evaluation, _ tracked: Int) -> [Block] {
    let channel = task.goalChannels[task.evaluation.tracked[tracked].goal]
    let unit = Unit(channel.units)
    func value(_ x: Double) -> String { number(unit.convert([x])[0]) }
    let steps = evaluation.episodes.enumerated().flatMap { index, episode in
      episode.steps.map { (episode: index + 1, step: $0) }
    }
    let rows = steps.map { episode, step -> [Cell] in
      let figures = step.tracked[tracked]
      return [
        "\(episode)", "\(number(step.time))", "\(value(step.goal[figures.goal]))",
        "\(figures.riseTime.map(number) ?? "-")", "\(value(figures.overshoot))",
        "\(value(figures.steadyStateError))", "\(value(figures.largestError))",
        "\(number(step.actionChange))",
        Cell(step.isSuccess ? "yes" : "no", isBold: !step.isSuccess),
      ]
    }
    return [
      .heading("Every response of \(channel.name)", level: 3),
      .table(
        head: [
          "episode", "start (s)", "goal\(unit.suffix)", "rise time (s)", "overshoot\(unit.suffix)",
          "steady-state error\(unit.suffix)", "largest error\(unit.suffix)",
          "action change per step", "success",
        ], rows: rows),
    ]
  }

  func policySummary(_ policy: OptimizedPolicy) -> [Block] {
    var blocks: [Block] = [
      .heading("Policy", level: 2),
      .words(
        "Best return \(number(policy.state.bestReturn)) at iteration \(policy.state.bestIteration) of "
          + "\(policy.state.iteration); \(number(1e3 * policy.secondsPerIteration)) ms per iteration on "
          + "\(policy.device); \(policy.state.diverged) diverged particles; "
          + "\(number(100 * policy.outsideFraction)) % of the particle-steps of the best "
          + "policy are more than a tenth of the data's range outside the data."),
    ]
    blocks += policy.constraints.map {
      .words("\($0.sentence).", mood: $0.isKept ? .good : .bad)
    }
    if let besideFormer {
      blocks.append(.words("\(besideFormer).", lead: "Beside the former policy:"))
    }
    // With episodes on the plant they stand beside those.
    if evaluation == nil { blocks += pictures.map { .picture($0) } }
    blocks += [
      .picture(returnPlot(policy.state)), .words("Sampler: \(policy.sampler.description)."),
    ]
    let certificates = [policy.sampler.certificate] + policy.sampler.rejected
    blocks.append(
      .words(
        "Errors against \(certificates[0].reference) at \(certificates[0].points) random points of the box and at as many "
          + "data points"
          + (certificates.count > 1
            ? "; the sampler used first, then those beyond the tolerance" : "") + ":"))
    let rows = certificates.flatMap { certificate in
      zip(certificate.outputs, certificate.errors).map { output, error -> [Cell] in
        [
          Cell(
            certificate.summary.hasPrefix(certificate.sampler.rawValue)
              ? certificate.summary : "\(certificate.sampler.rawValue), \(certificate.summary)"),
          "\(output + 1)",
          "\(number(error.meanRMS))", "\(number(error.meanMax))",
          "\(number(error.deviationRMS))", "\(number(error.deviationMax))",
        ]
      }
    }
    blocks.append(
      .table(
        head: [
          "sampler", "output", "mean, RMS of signal", "max", "deviation, RMS of predictive", "max",
        ], rows: rows))
    if let outcome = policy.sampler.certificate.outcome {
      blocks.append(.words("\(outcome.sentence)."))
    }
    return blocks
  }

  func fitSummary(_ fit: FittedModel) -> [Block] {
    var blocks: [Block] = [
      .heading("Model", level: 2), .words("\(counted(fit.model.features.rows, "transition"))."),
      .list(fit.model.summaryLines),
    ]
    if !fit.readingSentences.isEmpty {
      blocks.append(.words("Logs: \(fit.readingSentences.joined(separator: " | "))"))
    }
    blocks += choiceSummary(fit)
    if !fit.heldOut.isEmpty {
      let rows = fit.heldOut.map { figures -> [Cell] in
        [
          Cell(figures.state), "\(number(figures.rmse))", "\(number(figures.persistenceRMSE))",
          "\(number(figures.linearRMSE))", "\(number(100 * figures.coverage95)) %",
          "\(number(figures.freeRunRMSE))", "\(number(figures.linearFreeRunRMSE))",
        ]
      }
      blocks.append(
        .table(
          head: [
            "held out", "RMSE", "persistence", "linear", "95 % coverage", "free run",
            "linear, free run",
          ], rows: rows))
      if fit.choice == nil && !fit.heldOut.allSatisfy(\.beatsBaselines) {
        blocks.append(
          .words(
            "The Gaussian process does not beat the better baseline everywhere.", mood: .bad))
      }
    }
    return blocks + ModelPictures(fit, task.layout).plots.map { .picture($0) }
  }
}
