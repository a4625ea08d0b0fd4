// SPDX-License-Identifier: Apache-2.0
// Which goal holds at a step of an episode.

import Policies
import Tasks

/// The goals of an episode, one after another.
struct GoalSchedule {
  private(set) var goals: [ControlTask.EvaluationOptions.ScheduledGoal]
  private let timeStep: Double
  private let preview: Double
  private let isPath: Bool
  private let form: GoalForm
  /// These stay where they start until the first switch; the others are the first goal's.
  private let staying: [Int]

  /// - Parameters:
  ///   - task: whose schedule it is, if it has one of fixed goals.
  ///   - drawn: the goal of this number; without a schedule there is one, where goals are drawn at intervals more.
  init(_ task: ControlTask, drawn: (_ number: Int) throws -> [Double]) rethrows {
    let evaluation = task.evaluation
    (timeStep, form) = (task.layout.timeStep, task.goalForm)
    (preview, isPath) = (evaluation.preview, evaluation.isPath)
    goals =
      evaluation.schedule.isEmpty
      ? try evaluation.goalTimes.enumerated().map {
        .init(time: $1, goal: try drawn($0), ramp: evaluation.ramp)
      }
      : evaluation.schedule
    let staysFirst = goals[0].time > 0
    staying = staysFirst ? evaluation.tracked.map(\.goal) : []
    if staysFirst { goals.insert(.init(time: 0, goal: goals[0].goal), at: 0) }
  }

  /// One goal all the time.
  init(_ goal: [Double], of task: ControlTask) {
    (timeStep, form, staying) = (task.layout.timeStep, task.goalForm, [])
    (preview, isPath) = (0, false)
    goals = [.init(time: 0, goal: goal)]
  }

  /// Tells it where an episode starts.
  mutating func begin(_ states: [Double]) {
    let reached = form.reached(states)
    for index in staying { goals[0].goal[index] = reached[index] }
  }

  /// The goal [G] of a step.
  func goal(step: Int) -> [Double] { goals.goal(at: Double(step) * timeStep) }

  /// What the policy sees of it: the goal as it will be (`EvaluationOptions.preview`).
  func seenGoal(step: Int) -> [Double] { goals.goal(at: Double(step) * timeStep + preview) }

  /// Number of the goal of a step among those that are judged.
  func number(step: Int) -> Int { isPath ? 0 : goals.index(at: Double(step) * timeStep) }
}
