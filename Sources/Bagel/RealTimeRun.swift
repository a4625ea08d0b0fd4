// SPDX-License-Identifier: Apache-2.0
// A controller on a plant in real time: a step begins one time step after the last, late steps are counted, the log is written
// as it goes, and whatever ends the run, the safe action is the last.

import Foundation
import MachineLogs
import Plants
import Policies
import Tasks

/// How a run kept its time.
public struct DeadlineRecord: Sendable {
  /// Steps that began more than a twentieth of a time step late.
  public var late = 0
  public var steps = 0
  /// Largest lateness, s.
  public var worst = 0.0
}

/// Waits for the time of every step.
final class StepClock {
  private let timeStep: Double
  private var due: ContinuousClock.Instant?
  private(set) var record = DeadlineRecord()

  init(timeStep: Double) { self.timeStep = timeStep }

  /// Returns when the next step is due, one time step after the last, or at once if it is late. A late step shifts those
  /// after it: they do not hurry, and a machine that waits for its own time step is never waited for twice.
  ///
  /// - Parameter goesOn: false ends the waiting.
  func wait(while goesOn: () -> Bool) {
    let now = ContinuousClock.now
    let planned = due ?? now
    due = max(planned, now) + .seconds(timeStep)
    if planned == now { return }
    record.steps += 1
    let late = planned.duration(to: now).seconds
    guard late > 0 else { return sleep(until: planned, while: goesOn) }
    if late > 0.05 * timeStep { record.late += 1 }
    record.worst = max(record.worst, late)
  }

  private func sleep(until time: ContinuousClock.Instant, while goesOn: () -> Bool) {
    while goesOn() {
      let left = ContinuousClock.now.duration(to: time).seconds
      guard left > 0 else { return }
      Thread.sleep(forTimeInterval: min(left, 0.05))
    }
  }
}

extension ControlTask {
  /// Drives the task's plant in real time.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - goal: [S], physical units; nil for the task's schedule, or its goal if it has one only.
  ///   - bounds: of the data behind the policy; goals beyond them are refused.
  ///   - seconds: how long.
  ///   - seed: of a simulated plant's noise.
  ///   - log: path of the CSV that is written line by line.
  ///   - goesOn: false ends the run with the safe action.
  /// - Throws: `LogError`. A failure of the plant is in the outcome, with the rows so far.
  public func runInRealTime(
    _ controller: PolicyController, goal: [Double]?, within bounds: [ClosedRange<Double>]? = nil,
    seconds: Double, seed: UInt64 = 0, log: String,
    goesOn: @escaping () -> Bool
  ) throws -> (outcome: EpisodeRun.Outcome, deadlines: DeadlineRecord) {
    var plant = try makePlant()
    defer { plant.close(safeAction: safeAction) }
    var goals = try goalSchedule(goal)
    for scheduled in goals.goals {
      try checkGoal(scheduled.goal, for: controller.policy.inputs.goal, within: bounds)
    }
    let clock = StepClock(timeStep: layout.timeStep)
    let writer = try LogWriter(path: log, layout: layout)
    defer { writer.close() }
    var run = episodeRun(seconds: seconds)
    run.log = writer
    run.pace = { clock.wait(while: goesOn) }
    run.goesOn = goesOn
    var controllerRun = controller.begin()
    let outcome = try run.run(&plant, seed: seed, name: log) { step, states in
      controllerRun.action(state: states, goal: goals.goal(step: step, states: states))
    }
    return (outcome, clock.record)
  }

  private func goalSchedule(_ wanted: [Double]?) throws -> GoalSchedule {
    if let wanted { return GoalSchedule(wanted, timeStep: layout.timeStep) }
    return try GoalSchedule(evaluation, timeStep: layout.timeStep) {
      guard case .fixed(let goal) = goal else {
        throw LogError(file: name, "has no single goal; say where to go with --goal")
      }
      return goal
    }
  }
}
