// SPDX-License-Identifier: Apache-2.0
// Which goal holds at a step of an episode.

import Policies
import Tasks

/// The goals of an episode, one after another.
struct GoalSchedule {
  private(set) var goals: [ControlTask.EvaluationOptions.ScheduledGoal]
  private let timeStep: Double
  private let form: GoalForm
  /// These stay where they start until the first switch; the others are the first goal's.
  private let staying: [Int]

  /// - Parameters:
  ///   - task: whose schedule it is, if it has one of fixed goals.
  ///   - drawn: the goal of this number; without a schedule there is one, where goals are drawn at intervals more.
  init(_ task: ControlTask, drawn: (_ number: Int) throws -> [Double]) rethrows {
    let evaluation = task.evaluation
    (timeStep, form) = (task.layout.timeStep, task.goalForm)
    goals =
      evaluation.schedule.isEmpty
      ? try evaluation.goalTimes.enumerated().map { .init(time: $1, goal: try drawn($0)) }
      : evaluation.schedule
    let staysFirst = goals[0].time > 0
    staying = staysFirst ? evaluation.tracked.map(\.goal) : []
    if staysFirst { goals.insert(.init(time: 0, goal: goals[0].goal), at: 0) }
  }

  /// One goal all the time.
  init(_ goal: [Double], of task: ControlTask) {
    (timeStep, form, staying) = (task.layout.timeStep, task.goalForm, [])
    goals = [.init(time: 0, goal: goal)]
  }

  /// The goal [G] of a step, whose states [S] are known.
  mutating func goal(step: Int, states: [Double]) -> [Double] {
    if step == 0, !staying.isEmpty {
      let reached = form.reached(states)
      for index in staying { goals[0].goal[index] = reached[index] }
    }
    let time = Double(step) * timeStep + 1e-9
    return goals.last { $0.time <= time }?.goal ?? goals[0].goal
  }
}
