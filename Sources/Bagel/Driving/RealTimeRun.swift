// SPDX-License-Identifier: Apache-2.0
// A controller on a plant in real time: each action waits until it is due, and the log is written row by row. However the
// run ends, the safe action is the last one. A verdict describes the run. Memory does not grow with the run.

import Faults
import Foundation
import MachineLogs
import Plants
import Policies
import Tasks
import Watching

/// How a run in real time went.
package struct RealTimeRun {
  package var outcome: EpisodeRun.Outcome
  /// One a goal that was begun.
  package var goals: [GoalVerdict]
  /// What the watch found: the first findings, and how many there were of each matter.
  package var findings: [WatchFinding]
  package var findingCounts: [WatchedMatter: Int]
  /// Rows whose innovations were judged.
  package var judgedRows: Int
  /// Stretches as long as a rollout that left each of the task's constraints, of how many.
  package var constraintViolations: [Int]
  package var stretches: Int
  /// Row from which on the fallback drove; nil where the policy drove to the end.
  package var fallbackStep: Int?
  /// Whether that was the safe action, also where the task's fallback is another.
  package var holds: Bool
}

extension ControlTask {
  /// Drives the task's plant in real time.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - goal: [G], physical units; nil for the task's schedule, or its goal if it has one only.
  ///   - data: behind the policy; goals beyond it are refused.
  ///   - seconds: how long.
  ///   - seed: of a simulated plant's noise.
  ///   - log: path of the CSV that is written line by line.
  ///   - watch: over its rows; nil for none.
  ///   - fallback: drives after a finding that asks for it; nil for the safe action.
  ///   - input: of an operator, whose commands go to the machine in the controller's place; nil for nobody but the plant's own.
  ///   - clock: real, but in tests.
  ///   - tell: called for each finding of the watch, with the response.
  ///   - goesOn: false ends the run with the safe action.
  /// - Throws: `LogError`, `LogWritingError`, `PlantFailure` before anything moves. A failure afterwards is in the outcome.
  package func runInRealTime(
    _ controller: PolicyController, goal: [Double]?, within data: SearchedData = SearchedData(),
    seconds: Double, seed: UInt64 = 0, log: String, watch: RunWatch? = nil,
    fallback: PolicyController? = nil, operator input: OperatorInput? = nil,
    clock: StepClock = .real,
    tell: @escaping (WatchFinding, WatchResponse) -> Void = { _, _ in },
    goesOn: @escaping () -> Bool
  ) throws -> RealTimeRun {
    var goals = try goalSchedule(goal)
    for scheduled in goals.goals {
      try checkGoal(scheduled.goal, for: controller.policy.inputs.goal, within: data)
    }
    var wanted = goals.goals[0].goal
    let supervisor = RunSupervisor(
      watch: watch, options: self.watch, fallback: fallback, safeAction: safeAction, tell: tell)
    let extra = extraColumns(supervisor)
    let writer = try LogWriter(path: log, layout: layout, extra: extra.map(\.name))
    defer { writer.close() }
    var run = episodeRun(seconds: seconds)
    run.log = writer
    run.extraColumns = { states in
      extra.map { $0.value(states, wanted) }
    }
    run.isInRealTime = true
    run.keepsRows = false
    run.clock = clock
    run.goesOn = goesOn
    if let input { run.operatorCommand = { input.next() } }
    var controllerRun = controller.begin()
    var tracker = ConstraintTracker(self)
    run.supervise = { row in
      tracker.take(row)
      return supervisor.take(row)
    }
    run.sent = { action in
      controllerRun.sent(action)
      supervisor.sent(action)
    }
    var verdicts: [GoalVerdict] = []
    var begun: Double?
    var number: Int?
    func judge(_ states: [Double], _ wanted: [Double], of next: Int) {
      let now = clock.now()
      let start = begun ?? now
      begun = start
      let time = now - start
      if next != number {
        number = next
        verdicts.append(
          GoalVerdict(
            time: time, goal: wanted, tracked: evaluation.tracked.map(\.goal),
            settle: evaluation.settle))
      }
      verdicts[verdicts.count - 1].add(
        errors: errors(of: states, wanted), wanted: wanted, isMet: isMet(wanted, by: states),
        time: time)
    }
    let session = try PlantSession(self)
    defer { session.close() }
    let outcome = try session.run(run, seed: seed, name: log) { step, observed in
      let states = Array(observed.prefix(layout.states.count))
      if step == 0 { goals.begin(states) }
      wanted = goals.goal(step: step)
      judge(states, wanted, of: goals.number(step: step))
      let goal = goals.seenGoal(step: step)
      let action = controllerRun.action(observed: observed, goal: goal)
      return supervisor.action(observed: observed, goal: goal) ?? action
    }
    // The state in which the safe action met it.
    if let states = outcome.lastStates, let number { judge(states, wanted, of: number) }
    return RealTimeRun(
      outcome: outcome, goals: verdicts, findings: supervisor.findings,
      findingCounts: supervisor.counts, judgedRows: supervisor.watch?.judgedRows ?? 0,
      constraintViolations: tracker.violations, stretches: tracker.stretches,
      fallbackStep: supervisor.fallbackStep, holds: supervisor.holds)
  }

  /// A column that the log of a run has beside what was measured.
  private struct ExtraColumn {
    var name: String
    /// From the states [S] and the goal [G] of a row.
    var value: (_ states: [Double], _ goal: [Double]) -> Double
  }

  /// Derived states as the controller saw them, quantities, goals, and the mark of the watch; none whose name the log has already.
  private func extraColumns(_ supervisor: RunSupervisor) -> [ExtraColumn] {
    let derived = layout.states.enumerated().filter { $1.source != .column }
      .map { i, channel in ExtraColumn(name: channel.name) { states, _ in states[i] } }
    let formulas = quantities.map { quantity in
      ExtraColumn(name: quantity.name) { states, _ in quantity.value(states) }
    }
    let goals = goalChannels.enumerated().map { k, channel in
      ExtraColumn(name: "goal.\(channel.name)") { _, goal in goal[k] }
    }
    let mark = ExtraColumn(name: "watch") { _, _ in Double(supervisor.mark) }
    let taken = layout.writtenColumns
    return (derived + formulas + goals + [mark]).filter { !taken.contains($0.name) }
  }

  /// Whether a state is as near to a goal as the task wants at a step's end.
  private func isMet(_ goal: [Double], by states: [Double]) -> Bool {
    guard evaluation.measures.isEmpty else {
      return EpisodeJudge(self).meetsMeasures([states], goal: goal)
    }
    let errors = errors(of: states, goal)
    return evaluation.tracked.allSatisfy { errors[$0.goal] <= $0.tolerance }
  }

  /// |state - goal| of each of what goals are of, the shorter way of angles that turn [G].
  private func errors(of states: [Double], _ goal: [Double]) -> [Double] {
    zip(goalForm.reached(states), goal).enumerated().map { k, values in
      abs(shorterWay(values.0 - values.1, turn: goalChannels[k].turn))
    }
  }

  private func goalSchedule(_ wanted: [Double]?) throws -> GoalSchedule {
    if let wanted { return GoalSchedule(wanted, of: self) }
    return try GoalSchedule(self) { _ in
      guard case .fixed(let goal) = objective.goal else {
        throw LogError(file: place, "has no single goal", remedy: .goal)
      }
      return goal
    }
  }
}
