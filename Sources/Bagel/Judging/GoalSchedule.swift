// SPDX-License-Identifier: Apache-2.0
// Which goal holds at a step of an episode.

import Tasks

/// The goals of an episode, one after another.
struct GoalSchedule {
  private(set) var goals: [ControlTask.EvaluationOptions.ScheduledGoal]
  private let timeStep: Double
  /// These states stay where they start until the first switch; the others are the first goal's.
  private let staying: [Int]

  /// - Parameter single: the goal where there is no schedule.
  init(
    _ evaluation: ControlTask.EvaluationOptions, timeStep: Double, single: () throws -> [Double]
  ) rethrows {
    self.timeStep = timeStep
    goals = evaluation.schedule
    let staysFirst = goals.first.map { $0.time > 0 } ?? false
    staying = staysFirst ? evaluation.tracked : []
    if staysFirst { goals.insert(.init(time: 0, goal: goals[0].goal), at: 0) }
    if goals.isEmpty { goals = [.init(time: 0, goal: try single())] }
  }

  /// One goal all the time.
  init(_ goal: [Double], timeStep: Double) {
    (self.timeStep, staying) = (timeStep, [])
    goals = [.init(time: 0, goal: goal)]
  }

  /// The goal [S] of a step, whose states are known.
  mutating func goal(step: Int, states: [Double]) -> [Double] {
    if step == 0 { for state in staying { goals[0].goal[state] = states[state] } }
    let time = Double(step) * timeStep + 1e-9
    return goals.last { $0.time <= time }?.goal ?? goals[0].goal
  }
}
