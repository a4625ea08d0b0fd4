// SPDX-License-Identifier: Apache-2.0
// An evaluation on the plant in words and as JSON: successes, what was judged, the responses of the tracked states.

import Bagel
import Foundation
import MachineLogs
import Tasks

extension Evaluation {
  func json(_ task: ControlTask) -> [String: Any] {
    let measures = zip(task.evaluation.measures, worstMeasures(task)).map { measure, worst in
      ["measure": measure.formula.text, "below": measure.below, "worst": worst] as [String: Any]
    }
    let unjudged = unjudged(task).map {
      ["state": $0.channel.name, "meanEndError": $0.endError] as [String: Any]
    }
    let tracked = task.evaluation.tracked.indices.map { ResponseFigures(self, $0) }
    let names = task.evaluation.tracked.map { task.goalChannels[$0.goal].name }
    let first = tracked.first?.json ?? [:]
    let kept = task.violations(in: self).map { $0.json("episodes") }
    return first.merging([
      "constraints": kept,
      "criterion": task.criterion, "measures": measures, "unjudged": unjudged,
      "failedByActionChange": failedByActionChange.count,
      "successes": successes, "episodes": episodes.count,
      "steps": steps.count, "stepSuccesses": stepSuccesses,
      "actionChange": steps.map(\.actionChange).max() ?? 0,
      "tracked": Dictionary(zip(names, tracked.map(\.json))) { $1 },
    ]) { $1 }
  }

  func describe(_ task: ControlTask, _ console: Console) {
    console.say(
      "\(successes) of \(episodes.count) episodes succeed on the plant '\(task.plant?.name ?? "")'")
    if steps.count > episodes.count {
      console.say("  \(stepSuccesses) of \(steps.count) steps of the reference")
    }
    describeCriterion(task, console)
    for figures in task.violations(in: self) { console.say("  \(figures.plantSentence)") }
    // An angle that turns has no rise time or overshoot; measures judge it.
    guard task.evaluation.measures.isEmpty else { return }
    if whole.episodes.isEmpty { return }
    whole.describeSteps(task, console)
  }

  /// What was judged, what failed by one part of it alone, and what was not judged.
  private func describeCriterion(_ task: ControlTask, _ console: Console) {
    guard !task.evaluation.measures.isEmpty else {
      console.say("  success: \(task.criterion)")
      let failed = failedByActionChange
      if !failed.isEmpty {
        let worst = failed.flatMap(\.steps).map(\.actionChange).max() ?? 0
        console.say(
          "  \(counted(failed.count, "episode")) failed only by the action change, at most \(number(worst)) per step "
            + "(largestActionChange: \(number(task.evaluation.largestActionChange)))")
      }
      for state in unjudged(task) {
        console.say(
          "  not judged: \(state.channel.name), which ends "
            + "\(Unit(state.channel.units).shown(state.endError)) from its goal (mean)")
      }
      describeFailures(task, console)
      return
    }
    let steps = counted(task.evaluation.lastSteps, "step")
    for (measure, worst) in zip(task.evaluation.measures, worstMeasures(task)) {
      console.say(
        "  success: \(measure.formula.text) below \(number(measure.below)) in the last \(steps); worst of the episodes "
          + (worst.isNaN ? "unknown: all ended early" : number(worst)))
    }
  }

  /// Why steps failed, the first few.
  private func describeFailures(_ task: ControlTask, _ console: Console) {
    let failures = failures(task)
    for failure in failures.prefix(Self.mostFailures) { console.say("  failed: \(failure)") }
    if failures.count > Self.mostFailures {
      console.say("  ... and \(failures.count - Self.mostFailures) more")
    }
  }

  private static let mostFailures = 4

  func describeSteps(_ task: ControlTask, _ console: Console) {
    for (index, tracked) in task.evaluation.tracked.enumerated() {
      let (channel, figures) = (task.goalChannels[tracked.goal], ResponseFigures(self, index))
      let unit = Unit(channel.units)
      let name = task.evaluation.tracked.count == 1 ? "" : "\(channel.name), "
      if task.evaluation.isPath {
        console.say(
          "  \(channel.name) from its path after \(number(task.evaluation.settle)) s: at most "
            + "\(unit.shown(figures.largestError)), \(unit.shown(figures.steadyStateError)) on average"
        )
        continue
      }
      console.say(
        "  \(name)worst of them: rise time \(figures.slowestRise.map { number($0) + " s" } ?? "never"), overshoot "
          + "\(unit.shown(figures.overshoot)), largest error after "
          + "\(number(task.evaluation.settle)) s "
          + "\(unit.shown(figures.largestError)), action change "
          + "\(number(steps.map(\.actionChange).max() ?? 0)) per step")
      console.say("  mean steady-state error \(unit.shown(figures.steadyStateError))")
    }
  }
}

/// What the responses of one of the tracked come to over all steps, physical units.
private struct ResponseFigures {
  /// Largest rise time; nil if a step never got there.
  let slowestRise: Double?
  let overshoot: Double
  /// Mean over the steps.
  let steadyStateError: Double
  let largestError: Double
  /// Steps that stayed within the tolerance.
  let successes: Int

  init(_ evaluation: Evaluation, _ tracked: Int) {
    let figures = evaluation.figures(ofTracked: tracked)
    slowestRise =
      figures.contains { $0.riseTime == nil } ? nil : figures.compactMap(\.riseTime).max()
    overshoot = figures.map(\.overshoot).max() ?? 0
    successes = figures.count(where: \.isNear)
    (steadyStateError, largestError) =
      figures.isEmpty ? (0, 0) : evaluation.errors(ofTracked: tracked)
  }

  var json: [String: Any] {
    [
      "steadyStateError": steadyStateError, "largestError": largestError,
      "riseTime": slowestRise ?? .nan, "overshoot": overshoot, "successes": successes,
    ]
  }
}
