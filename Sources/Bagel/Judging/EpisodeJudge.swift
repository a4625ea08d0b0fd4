// SPDX-License-Identifier: Apache-2.0
// An episode -> its figures, and whether it is a success: by the tolerance and the action change, or by measures. A function of the
// episode and the task; no plant is needed.

import MachineLogs
import Plants
import Tasks

/// Judges episodes by what a task calls success.
package struct EpisodeJudge: Sendable {
  private let task: ControlTask

  package init(_ task: ControlTask) { self.task = task }

  /// The figures of what a plant did.
  package func judge(
    _ outcome: EpisodeRun.Outcome, goals: [ControlTask.EvaluationOptions.ScheduledGoal]
  ) -> EvaluatedEpisode {
    judge(outcome.episode, goals: goals, earlyEnd: outcome.earlyEnd, doneAs: outcome.doneAs)
  }

  /// The figures of an episode.
  package func judge(
    _ episode: Episode, goals: [ControlTask.EvaluationOptions.ScheduledGoal],
    earlyEnd: String? = nil, doneAs: DoneMeaning? = nil
  ) -> EvaluatedEpisode {
    let judged = task.evaluation.isPath ? [goals.count - 1] : Array(goals.indices)
    let steps = judged.map { index -> StepFigures in
      let start =
        task.evaluation.isPath ? 0 : Int((goals[index].time / task.timeStep).rounded())
      let isLast = index + 1 == goals.count
      let next =
        isLast
        ? episode.count : Int((goals[index + 1].time / task.timeStep).rounded())
      var figures = judge(
        episode, goals, index, rows: min(start, episode.count - 1)..<min(next, episode.count))
      // What the episode did not reach is no success.
      let isBegun = start < episode.count
      let isCut = next > episode.count || isLast && earlyEnd != nil
      // What the plant ended with success has reached what it was about.
      if doneAs == .success && isCut { figures.isSuccess = true }
      if !isBegun || isCut && (doneAs ?? .failure) == .failure { figures.isSuccess = false }
      return figures
    }
    return EvaluatedEpisode(
      episode: episode, reference: goals, steps: steps, earlyEnd: earlyEnd, doneAs: doneAs)
  }

  /// The figures of the response to one goal, or to a whole path, within some rows.
  private func judge(
    _ episode: Episode, _ goals: [ControlTask.EvaluationOptions.ScheduledGoal], _ index: Int,
    rows: Range<Int>
  ) -> StepFigures {
    let scheduled = goals[index]
    // A stretch shorter than the settling time is judged by its end; a ramp's begins as it ends.
    let settling = task.evaluation.settle + (task.evaluation.isPath ? 0 : scheduled.ramp)
    let settled = min(Int((settling / task.timeStep).rounded()), max(rows.count - 1, 0))
    // Of a goal that was never begun, as it would have been.
    let begin = task.evaluation.isPath ? 0 : scheduled.time
    let wanted = rows.map { goals.goal(at: max(Double($0) * task.timeStep, begin)) }
    let reached = episode.states[rows].map(task.goalForm.reached)
    let tracked = task.evaluation.tracked.map {
      response(of: $0, in: reached, to: wanted, settled: settled)
    }
    let from = rows.lowerBound + settled
    let until = min(rows.upperBound, episode.count - 1)
    let changes = task.actions.indices.map { j in
      let actions = from < until ? episode.actions[from..<until].map { $0[j] } : []
      let differences = zip(actions.dropFirst(), actions).map { abs($0 - $1) }
      return differences.reduce(0, +) / Double(max(differences.count, 1))
    }
    let change = changes.max() ?? 0
    let measures = worstMeasures(episode.states[rows], goals: wanted)
    let isNear = task.evaluation.measures.isEmpty && tracked.allSatisfy(\.isNear)
    let isSuccess =
      task.evaluation.measures.isEmpty
      ? isNear && change < task.evaluation.largestActionChange : isBelow(measures)
    return StepFigures(
      time: task.evaluation.isPath ? 0 : scheduled.time, goal: scheduled.goal, tracked: tracked,
      actionChange: change,
      isNear: isNear, measures: measures, isSuccess: isSuccess)
  }

  /// The response of one of what goals are of, in rows of them [G] with the goals [G] of each row.
  private func response(
    of tracked: ControlTask.EvaluationOptions.Tracked, in rows: [[Double]], to wanted: [[Double]],
    settled: Int
  ) -> TrackedFigures {
    let response = rows.map { $0[tracked.goal] }
    let first = response.first ?? 0
    let target = wanted.last?[tracked.goal] ?? first
    let turn = task.goalChannels[tracked.goal].turn
    let errors = zip(response, wanted).dropFirst(settled).map { value, goal in
      abs(shorterWay(value - goal[tracked.goal], turn: turn))
    }
    let way = response.map { target == first ? 1 : ($0 - first) / (target - first) }
    let tenth = way.firstIndex { $0 >= 0.1 }
    let ninetieth = way.firstIndex { $0 >= 0.9 }
    return TrackedFigures(
      goal: tracked.goal, tolerance: tracked.tolerance,
      riseTime: tenth.flatMap { a in ninetieth.map { Double($0 - a) * task.timeStep } },
      overshoot: max(0, ((way.max() ?? 1) - 1) * abs(target - first)),
      steadyStateError: errors.reduce(0, +) / Double(max(errors.count, 1)),
      largestError: errors.max() ?? .infinity)
  }

  /// Whether every measure is small in each of the last steps.
  func meetsMeasures(_ states: ArraySlice<[Double]>, goal: [Double]) -> Bool {
    isBelow(worstMeasures(states, goals: states.map { _ in goal }))
  }

  private func isBelow(_ measures: [Double]) -> Bool {
    zip(measures, task.evaluation.measures).allSatisfy { $0 < $1.below }
  }

  /// The largest value of each measure in the last steps, with the goals of each; infinite where one is no number.
  private func worstMeasures(_ states: ArraySlice<[Double]>, goals: [[Double]]) -> [Double] {
    var worst = task.evaluation.measures.map { _ in -Double.infinity }
    if worst.isEmpty { return [] }
    let (form, names, goalNames) = (
      task.goalForm, task.states.map(\.channel.name), task.goalChannels.map(\.name)
    )
    for (state, goal) in zip(states, goals).suffix(task.evaluation.lastSteps) {
      var values: [String: Double] = [:]
      for (name, value) in zip(names, state) { values[name] = value }
      for (k, (name, reached)) in zip(goalNames, form.reached(state)).enumerated() {
        values[name] = reached
        values["goal.\(name)"] = goal[k]
      }
      for (m, measure) in task.evaluation.measures.enumerated() {
        let value = measure.formula.value(values)
        worst[m] = max(worst[m], value.isNaN ? .infinity : value)
      }
    }
    return worst
  }
}
