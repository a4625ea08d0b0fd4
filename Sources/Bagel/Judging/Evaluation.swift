// SPDX-License-Identifier: Apache-2.0
// Figures of judged episodes, in the terms of a control engineer: rise time, overshoot, steady-state error, chatter,
// success. (`EpisodeJudge` makes it of an episode.)

import MachineLogs
import Plants
import Tasks

/// The response of one of what goals are of to one goal (physical units, seconds).
package struct TrackedFigures: Sendable {
  /// Its index.
  package var goal: Int
  /// |state - goal| that is allowed from the settling time on; 0 where nothing is judged by it.
  package var tolerance: Double
  /// Time from 10 % to 90 % of the way; nil if it did not get there.
  package var riseTime: Double?
  /// Largest excursion beyond the goal.
  package var overshoot: Double
  /// Mean |state - goal| from the settling time on.
  package var steadyStateError: Double
  /// Largest |state - goal| from the settling time on.
  package var largestError: Double

  package var isNear: Bool { largestError <= tolerance }
}

/// The response to one goal, from the goal's switch to the next.
package struct StepFigures: Sendable {
  /// Seconds from the start of the episode.
  package var time: Double
  package var goal: [Double]
  /// In the order of `EvaluationOptions.tracked`.
  package var tracked: [TrackedFigures]
  /// Mean |u_k - u_(k-1)| from the settling time on, the largest over the actions.
  package var actionChange: Double
  /// Whether every largest error is within its tolerance; false where measures judge.
  package var isNear: Bool
  /// The largest value of each measure in the last steps; empty without measures.
  package var measures: [Double]
  package var isSuccess: Bool
}

/// One episode of a policy on a plant, with one response, or as many as its schedule has goals.
public struct EvaluatedEpisode: Sendable {
  public var episode: Episode
  /// Its goals one after another.
  package var reference: [ControlTask.EvaluationOptions.ScheduledGoal]
  package var steps: [StepFigures]
  /// Why it ended before its time, in words.
  package var earlyEnd: String?
  /// What it means that the plant ended it; nil where it did not.
  package var doneAs: DoneMeaning?

  /// Mean |state - goal| from the settling time on [steps][tracked]; empty of an episode that ended early.
  package var responseErrors: [[Double]] {
    earlyEnd == nil ? steps.map { $0.tracked.map(\.steadyStateError) } : []
  }

  /// Whether the plant ended it with success, or it ran to its end and every step succeeded.
  public var isSuccess: Bool {
    switch doneAs {
    case .success: true
    case .failure: false
    case .neither: steps.allSatisfy(\.isSuccess)
    case nil: earlyEnd == nil && steps.allSatisfy(\.isSuccess)
    }
  }
}

/// The episodes of an evaluation.
public struct Evaluation: Sendable {
  public var episodes: [EvaluatedEpisode]

  package init(episodes: [EvaluatedEpisode]) { self.episodes = episodes }

  package var steps: [StepFigures] { episodes.flatMap(\.steps) }
  public var successes: Int { episodes.count { $0.isSuccess } }
  package var stepSuccesses: Int { steps.count { $0.isSuccess } }

  /// Of one tracked state in every step.
  package func figures(ofTracked index: Int) -> [TrackedFigures] { steps.map { $0.tracked[index] } }

  /// The mean of one tracked state's steady-state errors over all steps, and its largest error; NaN of none.
  package func errors(ofTracked index: Int) -> (mean: Double, largest: Double) {
    let figures = figures(ofTracked: index)
    return (
      figures.reduce(0) { $0 + $1.steadyStateError } / Double(figures.count),
      figures.map(\.largestError).max() ?? .nan
    )
  }
}

extension ControlTask {
  /// What errors of responses are of, in words that change with it.
  package var judgedResponses: String {
    let names = evaluation.tracked.map { goalChannels[$0.goal] }.map { "\($0.name) \($0.units)" }
    return "\(names.joined(separator: ", ")) from \(evaluation.settle) s on"
  }
}
