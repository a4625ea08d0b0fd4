// SPDX-License-Identifier: Apache-2.0
// A fit as sentences for a control engineer and as keys of the JSON contract, side by side so that neither says what the other
// does not.

import Bagel
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import ModelChoice

extension FittedModel {
  package var json: [String: Any] {
    var result: [String: Any] = [
      "fitSeconds": seconds, "transitions": model.features.rows,
      "outputs": model.outputNames, "modelFingerprint": model.fingerprint,
      "logMarginalLikelihood": model.processes.map(\.logMarginalLikelihood),
      "noiseDeviation": zip(model.processes, model.incrementStandardiser.scale).map {
        $0.hyperparameters.noiseVariance.squareRoot() * $1
      },
      "fullEvaluations": results.map(\.fullEvaluations),
      "reward": model.rewardModel.map { ["column": $0.column] as [String: Any] } ?? NSNull(),
      "warnings": notes + findings, "advice": advice, "read": readingSentences,
      "unconvergedSolves": results.reduce(0) { $0 + $1.unconvergedSolves },
    ]
    if let physics = model.physics {
      result["physics"] = [
        "explained": Dictionary(
          uniqueKeysWithValues: physics.rates.map { ($0.state, $0.explained ?? .nan) }),
        "constants": Dictionary(
          uniqueKeysWithValues: physics.constants.map {
            ($0.name, ["value": $0.value, "standardError": $0.error ?? .nan, "isTold": $0.isTold])
          }),
      ]
    }
    if !heldOut.isEmpty {
      result["heldOut"] = [
        "states": heldOut.map(\.state), "rmse": heldOut.map(\.rmse), "nll": heldOut.map(\.nll),
        "coverage95": heldOut.map(\.coverage95),
        "persistenceRMSE": heldOut.map(\.persistenceRMSE), "linearRMSE": heldOut.map(\.linearRMSE),
        "freeRunRMSE": heldOut.map(\.freeRunRMSE),
        "linearFreeRunRMSE": heldOut.map(\.linearFreeRunRMSE),
        "freeRunSteps": heldOut.map(\.freeRunSteps),
      ]
    }
    if let horizons {
      result["heldOut"] = merged(
        result["heldOut"], ["horizons": horizons.json, "residuals": residuals.map(\.json)])
    }
    if let choice {
      result["model"] = [
        "chosen": choice.candidates[choice.chosen].name,
        "candidates": choice.candidates.map { candidate in
          [
            "name": candidate.name, "score": candidate.score ?? NSNull(),
            "scoreAtWorst": candidate.scoreAtWorst ?? NSNull(),
            "failure": candidate.failure ?? NSNull(), "seconds": candidate.seconds,
          ] as [String: Any]
        },
        "processNoise": choice.noise?.json ?? NSNull(),
        "inputs": choice.relevance?.json(model) ?? NSNull(),
      ]
    }
    return result
  }

  private func merged(_ a: Any?, _ b: [String: Any]) -> [String: Any] {
    (a as? [String: Any] ?? [:]).merging(b) { $1 }
  }

  /// How the model was chosen.
  private func describeChoice(_ console: Console) {
    guard let choice else { return }
    func score(_ value: Double) -> String { String(format: "%.3f", value) }
    let names = choice.candidates
    console.say(
      "  chosen of \(names.count): \(names[choice.chosen].name)"
        + (names[choice.chosen].score.map {
          " (\(score($0)) times the references' error over the horizon, on left-out blocks"
            + (names[choice.chosen].scoreAtWorst.map { "; \(score($0)) at worst" } ?? "") + ")"
        } ?? ""))
    let others = names.indices.filter {
      $0 != choice.chosen && names[$0].scoreAtWorst != nil && names[$0].mayWin
    }
    .sorted { (names[$0].scoreAtWorst ?? 0) < (names[$1].scoreAtWorst ?? 0) }.prefix(3)
    if !others.isEmpty {
      console.say(
        "  next, at worst: "
          + others.map { "\(names[$0].name) \(score(names[$0].scoreAtWorst ?? .nan))" }.joined(
            separator: "; ")
          + " (all in --json and the report)")
    }
    let chosen = names[choice.chosen]
    if let better = others.map({ names[$0] }).first,
      let best = better.scoreAtWorst, let own = chosen.scoreAtWorst, best < own
    {
      console.say(
        better.inputs > chosen.inputs && chosen.inputs > 0
          ? "  its processes read \(chosen.inputs) inputs, not \(better.inputs), so that tables make a search hundreds of times faster "
            + "(sampler: sparse selects the other)"
          : "  the simpler of models within 2 % was chosen")
    }
    for line in choice.relevance?.sentences(model) ?? [] { console.say("  " + line) }
    for line in choice.noise?.sentences(outputs: model.outputNames) ?? [] {
      console.say("  " + line)
    }
    for candidate in names {
      if let failure = candidate.failure {
        console.say("  not possible: \(candidate.name): \(failure)")
      }
    }
  }

  /// What was read: files, episodes, rows, and what was done to them.
  private func logSummary(_ episodes: [Episode]) -> String {
    let readings = episodes.compactMap(\.reading)
    let files = Set(readings.map(\.file)).count
    let rows = episodes.reduce(0) { $0 + $1.count }
    let timeStep = model.layout.timeStep
    let resampled = readings.filter(\.isResampled)
    let filled = readings.reduce(0) { $0 + $1.filled }
    var words =
      (files > 0 ? "\(counted(files, "log")): " : "")
      + "\(counted(episodes.count, "episode")), \(counted(rows, "row")) of \(number(timeStep)) s"
    if !resampled.isEmpty {
      words +=
        "; \(counted(resampled.count, "episode")) resampled from \(resampled.reduce(0) { $0 + $1.rows }) logged rows"
    }
    if filled > 0 { words += "; \(counted(filled, "row")) filled in within holes of the stamps" }
    return words
  }

  package func describe(_ console: Console) {
    console.say(
      "learnt \(model.outputNames.count) output\(model.outputNames.count == 1 ? "" : "s") from "
        + "\(model.features.rows) transitions in \(number(seconds)) s")
    for line in model.summaryLines { console.say("  " + line) }
    console.say("  " + logSummary(training))
    for line in readingSentences { console.say("  " + line) }
    describeChoice(console)
    for note in notes + findings { console.say("  warning: \(note)") }
    for line in advice { console.say("  note: \(line)") }
    if let reward = model.rewardModel {
      console.say(
        "  reward '\(reward.column)': learnt from \(reward.process.x.rows) rows, unexplained: "
          + "\(number(100 * reward.process.hyperparameters.noiseVariance.squareRoot())) % of its standard deviation"
      )
    }
    let unconverged = results.reduce(0) { $0 + $1.unconvergedSolves }
    if unconverged > 0 {
      console.say(
        "  warning: \(unconverged) solves by conjugate gradients ended above their tolerance; "
          + "the hyperparameters are less certain (--likelihood row-blocks in `bagel benchmark fit` shows how much)"
      )
    }
    if heldOut.isEmpty {
      console.say("not judged: no log was held out (--held-out FILE, or heldOut: in a task)")
      return
    }
    horizons?.describe(console, hasWarnings: !(notes + findings).isEmpty)
    let isSearchable =
      !model.form.hasFeedthrough && model.processes.allSatisfy { !$0.isNoise }
    if horizons?.verdict.hasPrefix("no") == false, !isSearchable {
      console.say(
        "  this model cannot be used in a search: put the log into a task (`bagel new`); its fit chooses among Gaussian processes"
          + (model.form.hasFeedthrough ? " that do not read the next command" : ""))
    }
    for figures in residuals { console.say("  " + figures.sentence) }
    console.say("held out, one step ahead:")
    for figures in heldOut {
      let steps = Double(figures.freeRunSteps) * model.layout.timeStep
      console.say(
        "  \(figures.state): RMSE \(number(figures.rmse)) \(figures.units) (persistence "
          + "\(number(figures.persistenceRMSE)), linear \(number(figures.linearRMSE))), "
          + "\(number(100 * figures.coverage95)) % within the 95 % band, NLL \(number(figures.nll))"
      )
      console.say(
        "    after \(number(steps)) s on its own predictions: RMSE \(number(figures.freeRunRMSE)) "
          + "\(figures.units) (linear \(number(figures.linearFreeRunRMSE)))")
      if !figures.beatsBaselines && choice == nil {
        console.say(
          "    the Gaussian process does NOT beat the better baseline here: log more, and more varied, "
            + "driving, or try actionHistory: 1 in a task file")
      }
      if figures.coverage95 < 0.9 {
        console.say(
          "    the band is too narrow here: the held-out log has motion that the training logs do not have"
        )
      }
      if figures.freeRunRMSE > figures.linearFreeRunRMSE {
        console.say(
          "    on its own predictions the model drifts more than the linear one")
      }
    }
  }
}

extension ProcessNoiseJudgement {
  var json: [String: Any] {
    switch self {
    case .judged(let figures): figures.json
    case .unknown(let reason): ["isTaken": false, "reason": reason]
    }
  }
}

extension ProcessNoiseFigures {
  var json: [String: Any] {
    [
      "shares": noise.map(\.share), "correlations": noise.map(\.correlation),
      "isTaken": isSure, "relativeCRPS": relativeCRPS, "standardError": standardError,
      "steps": bandFactors.map(\.steps),
      "bandFactors": bandFactors.map { $0.factors.map { $0.isFinite ? $0 as Any : NSNull() } },
    ]
  }
}
