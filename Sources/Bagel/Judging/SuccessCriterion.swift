// SPDX-License-Identifier: Apache-2.0
// What an evaluation judges by, in words and numbers: the criterion, what failed by the action change alone, the measures'
// worst values, and states whose goal nobody judged.

import MachineLogs
import Tasks

extension ControlTask {
  /// When an episode is a success, in words; angles in degrees, as everywhere, but for measures, which are formulas.
  public var criterion: String {
    guard evaluation.measures.isEmpty else {
      let measures = evaluation.measures.map { "\($0.formula.text) < \(number($0.below))" }
      return measures.joined(separator: " and ")
        + " in each of the last \(counted(evaluation.lastSteps, "step"))"
        + (evaluation.schedule.isEmpty ? "" : " of every goal")
    }
    let near = evaluation.tracked.map { index -> String in
      let state = layout.states[index]
      return "|\(state.name) - goal| <= \(Unit(state.units).shown(evaluation.tolerance))"
    }
    return near.joined(separator: " and ") + " from \(number(evaluation.settle)) s "
      + (evaluation.schedule.isEmpty ? "on" : "after each switch of the goal on")
      + " and an action change below \(number(evaluation.largestActionChange)) a step "
      + "(largestActionChange)"
  }
}

extension EvaluatedEpisode {
  /// Whether nothing but the action change made it fail.
  public var failsByActionChange: Bool {
    earlyEnd == nil && !isSuccess && steps.allSatisfy(\.isNear)
  }
}

/// A measured state whose goal is not judged.
public struct UnjudgedState: Hashable, Sendable {
  public var channel: Channel
  /// Mean |state - goal| at the end of each goal, physical units.
  public var endError: Double
}

extension Evaluation {
  /// Those that ran to their end: an episode that ended early did not meet its later goals at all.
  public var whole: Evaluation { Evaluation(episodes: episodes.filter { $0.earlyEnd == nil }) }

  /// Episodes that only the action change made fail.
  public var failedByActionChange: [EvaluatedEpisode] { episodes.filter(\.failsByActionChange) }

  /// The largest value of each of the task's measures in the last steps of the whole episodes.
  public func worstMeasures(_ task: ControlTask) -> [Double] {
    task.evaluation.measures.indices.map { m in
      whole.steps.map { $0.measures[m] }.max() ?? .nan
    }
  }

  /// Measured states that are not tracked, which a tolerance does not judge; none where measures do, or no episode ran to its end.
  public func unjudged(_ task: ControlTask) -> [UnjudgedState] {
    guard task.evaluation.measures.isEmpty, !whole.episodes.isEmpty else { return [] }
    return task.layout.states.enumerated().filter {
      $1.source == .column && !task.evaluation.tracked.contains($0)
    }.map {
      index, channel in
      let errors = whole.episodes.flatMap { episode in
        let ends = episode.reference.ends(
          until: Double(episode.episode.count) * task.layout.timeStep)
        return zip(episode.steps, ends).map { step, end in
          let row = min(Int((end / task.layout.timeStep).rounded()), episode.episode.count) - 1
          return abs(
            shorterWay(
              episode.episode.states[max(row, 0)][index] - step.goal[index],
              turn: channel.turn))
        }
      }
      return UnjudgedState(
        channel: channel, endError: errors.reduce(0, +) / Double(max(errors.count, 1)))
    }
  }
}
