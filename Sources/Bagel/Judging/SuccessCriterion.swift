// SPDX-License-Identifier: Apache-2.0
// The criterion of an evaluation in words and numbers, what failed only by the action change, the measures'
// worst values, and states whose goal was not judged.

import MachineLogs
import Tasks

extension ControlTask {
  /// When an episode is a success, in words; angles in degrees, as everywhere, but for measures, which are formulas.
  package var criterion: String {
    guard evaluation.measures.isEmpty else {
      let measures = evaluation.measures.map { "\($0.formula.text) < \(number($0.below))" }
      return measures.joined(separator: " and ")
        + " in each of the last \(counted(evaluation.lastSteps, "step"))"
        + (evaluation.schedule.isEmpty ? "" : " of every goal")
    }
    if !evaluation.tracked.contains(where: { $0.tolerance > 0 }), doneMeans == .success {
      return "the plant ends the episode with success"
    }
    let near = evaluation.tracked.map { tracked -> String in
      let channel = goalChannels[tracked.goal]
      return "|\(channel.name) - goal| <= \(Unit(channel.units).shown(tracked.tolerance))"
    }
    return near.joined(separator: " and ") + " from \(number(evaluation.settle)) s "
      + (evaluation.goalTimes == [0] ? "on" : "after each switch of the goal on")
      + " and an action change below \(number(evaluation.largestActionChange)) per step "
      + "(largestActionChange)"
  }
}

extension StepFigures {
  /// Why it failed, in words; nil where it did not, or nothing but the end of its episode made it fail.
  package func reason(_ task: ControlTask) -> String? {
    if isSuccess { return nil }
    let left = zip(task.evaluation.measures, measures).filter { !($1 < $0.below) }
    if !left.isEmpty {
      return left.map { measure, worst in
        "\(measure.formula.text) is \(worst.isFinite ? "up to \(number(worst))" : "not a number"), not below \(number(measure.below))"
      }.joined(separator: ", ")
    }
    if !task.evaluation.measures.isEmpty { return nil }
    let missed = tracked.filter { !$0.isNear }.map { figures in
      let channel = task.goalChannels[figures.goal]
      let unit = Unit(channel.units)
      return
        "\(channel.name) is up to \(unit.shown(figures.largestError)) from \(task.evaluation.isPath ? "its path" : unit.shown(goal[figures.goal]))"
    }
    if !missed.isEmpty { return missed.joined(separator: ", ") }
    let allowed = task.evaluation.largestActionChange
    return actionChange < allowed
      ? nil
      : "commands change by \(number(actionChange)) per step on average, not below \(number(allowed))"
  }
}

extension EvaluatedEpisode {
  /// Why it failed where its steps do not say it.
  private func ownReason(_ task: ControlTask) -> String? {
    if doneAs == .failure || doneAs == nil, let earlyEnd { return earlyEnd }
    return task.doneMeans == .success
      && !task.evaluation.tracked.contains(where: { $0.tolerance > 0 })
      ? "the plant did not end it with success" : nil
  }

  /// Why it failed, a line for each step that did, of those that are asked for.
  func reasons(
    _ task: ControlTask, of isAsked: (StepFigures) -> Bool = { _ in true }
  ) -> [String] {
    if isSuccess { return [] }
    if let own = ownReason(task) { return [own] }
    return steps.filter(isAsked).compactMap { step in
      step.reason(task).map { "goal from \(number(step.time)) s: \($0)" }
    }
  }

  /// Why one of its steps failed; nil where it did not.
  package func reason(ofStep index: Int, _ task: ControlTask) -> String? {
    if steps[index].isSuccess && (isSuccess || steps.count > 1) { return nil }
    return steps[index].reason(task) ?? ownReason(task) ?? "the episode does not succeed"
  }

  /// Whether nothing but the action change made it fail.
  package var failsByActionChange: Bool {
    earlyEnd == nil && !isSuccess && steps.allSatisfy(\.isNear)
  }
}

/// A measured state, or what another goal is of, that is not judged.
package struct UnjudgedState: Hashable, Sendable {
  package var channel: Channel
  /// Mean |state - goal| at the end of each goal, physical units.
  package var endError: Double
}

extension Evaluation {
  /// Those that ran to their end, or whose end is no failure: one that ended early did not meet its later goals at all.
  package var whole: Evaluation {
    Evaluation(
      episodes: episodes.filter { $0.earlyEnd == nil || ($0.doneAs ?? .failure) != .failure })
  }

  /// Episodes that only the action change made fail.
  package var failedByActionChange: [EvaluatedEpisode] { episodes.filter(\.failsByActionChange) }

  /// The largest value of each of the task's measures in the last steps of the whole episodes.
  package func worstMeasures(_ task: ControlTask) -> [Double] {
    task.evaluation.measures.indices.map { m in
      whole.steps.map { $0.measures[m] }.max() ?? .nan
    }
  }

  /// Why each step that failed did, in words; the action change alone is said elsewhere.
  package func failures(_ task: ControlTask) -> [String] { reasons(task) { !$0.isNear } }

  /// Why each step that failed did, in words.
  package func reasons(
    _ task: ControlTask, of isAsked: (StepFigures) -> Bool = { _ in true }
  ) -> [String] {
    episodes.enumerated().flatMap { index, episode in
      episode.reasons(task, of: isAsked).map { "episode \(index + 1), \($0)" }
    }
  }

  /// What goals are of and not tracked, which no tolerance judges; of states those that are measured. None where measures judge,
  /// or no episode ran to its end.
  package func unjudged(_ task: ControlTask) -> [UnjudgedState] {
    guard task.evaluation.measures.isEmpty, !whole.episodes.isEmpty else { return [] }
    let tracked = task.evaluation.tracked.map(\.goal)
    let form = task.goalForm
    return task.goalChannels.enumerated().filter {
      $1.source == .column && !tracked.contains($0)
    }.map { index, channel in
      let errors = whole.episodes.flatMap { episode in
        let end = Double(episode.episode.count) * task.layout.timeStep
        let ends = task.evaluation.isPath ? [end] : episode.reference.ends(until: end)
        return zip(episode.steps, ends).map { step, end in
          let row = min(Int((end / task.layout.timeStep).rounded()), episode.episode.count) - 1
          return abs(
            shorterWay(
              form.reached(episode.episode.states[max(row, 0)])[index] - step.goal[index],
              turn: channel.turn))
        }
      }
      return UnjudgedState(
        channel: channel, endError: errors.reduce(0, +) / Double(max(errors.count, 1)))
    }
  }
}
