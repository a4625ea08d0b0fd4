// SPDX-License-Identifier: Apache-2.0
// Episodes on a plant as sentences and JSON: how they ended, what became of the safe action, how they kept their time.

import Bagel
import Foundation
import LinearAlgebra
import MachineLogs
import Plants
import Tasks

/// Hears of the episodes of a command, and says what nobody else says of them.
final class EpisodeWords {
  private let console: Console
  private let task: ControlTask
  private(set) var timing: StepTiming
  /// What became of the safe action at the end of the last episode.
  private(set) var safety: String?
  private(set) var earlyEnds: [String] = []
  private var logs: [String] = []
  private var hasSaidSimulation = false

  init(_ console: Console, _ task: ControlTask) {
    (self.console, self.task) = (console, task)
    timing = StepTiming(timeStep: task.layout.timeStep)
  }

  func tell(_ outcome: EpisodeRun.Outcome) {
    timing += outcome.timing
    safety = outcome.safety
    for remark in outcome.remarks { console.say(remark) }
    if let end = outcome.earlyEnd { earlyEnds.append(end) }
    if let log = outcome.log, outcome.rows > 0 { logs.append(log) }
    saySimulation(outcome.timing)
  }

  /// Says once that a program which answers sooner than its time step is taken as a simulation.
  private func saySimulation(_ timing: StepTiming) {
    guard case .process(let process) = task.plant, process.clock == nil, !timing.isReal,
      timing.steps > 2, !hasSaidSimulation
    else { return }
    hasSaidSimulation = true
    console.say(
      "the plant answers in \(milliseconds(timing.answer.quantile(0.5))) ms, faster than its timeStep of "
        + "\(milliseconds(timing.timeStep)) ms: it is treated as a simulation, in which every step is one timeStep (for a machine, set "
        + "`clock: machine` beside `process:`)")
  }

  /// How many episodes ended early and why, each reason once.
  func sayEarlyEnds(of episodes: Int) {
    guard !earlyEnds.isEmpty else { return }
    console.say("  \(earlyEnds.count) of \(episodes) episodes ended early:")
    var said: [String: Int] = [:]
    for end in earlyEnds { said[end, default: 0] += 1 }
    for (end, count) in said.sorted(by: { $0.key < $1.key }).prefix(10) {
      console.say("    \(end)" + (count > 1 ? " (\(count) times)" : ""))
    }
    if said.count > 10 { console.say("    and \(said.count - 10) more") }
  }

  /// Where the episodes' logs are.
  var logWords: String? {
    guard let first = logs.first, let last = logs.last else { return nil }
    return logs.count == 1 ? "log: \(first)" : "logs: \(first) to \(last)"
  }

  /// How an interrupted command left the machine, and where the rows are; nil where nothing was driven.
  var leaving: String? {
    safety.map { ([$0] + [logWords].compactMap { $0 }).joined(separator: "; ") }
  }

  /// The timing of a machine's steps; a simulation's says nothing.
  func sayTiming() {
    guard timing.isReal else { return }
    timing.describe(console)
    guard case .process(let process) = task.plant, process.clock == nil,
      2 * timing.late > timing.steps
    else { return }
    console.say(
      "  (for a simulation that computes longer than a time step, set `clock: simulation` beside `process:`)"
    )
  }
}

private func milliseconds(_ seconds: Double) -> String { number(1e3 * seconds) }

extension DurationHistogram {
  fileprivate var words: String {
    "\(milliseconds(quantile(0.5))) ms (median), \(milliseconds(quantile(0.99))) ms (99 %), \(milliseconds(worst)) ms (worst)"
  }

  fileprivate var json: [String: Any] {
    ["median": quantile(0.5), "p99": quantile(0.99), "worst": worst]
  }
}

extension StepTiming {
  func describe(_ console: Console) {
    guard steps > 0 else { return }
    console.say(
      "\(late) of \(steps) steps late (by more than 5 % of the \(milliseconds(timeStep)) ms), worst by "
        + "\(milliseconds(worstLateness)) ms")
    for (name, durations) in [("period", period), ("decision", decision), ("answer", answer)]
    where durations.count > 0 { console.say("  \(name) \(durations.words)") }
    if 2 * late > steps {
      let (answer, decision) = (answer.quantile(0.5), decision.quantile(0.5))
      console.say(
        "  most steps are late: "
          + (answer >= decision
            ? "the plant needs \(milliseconds(answer)) ms for its answer"
            : "BAGEL needs \(milliseconds(decision)) ms for its decision")
          + " (median), timeStep is \(milliseconds(timeStep)) ms")
    }
  }

  var json: [String: Any] {
    [
      "steps": steps, "late": late, "worstLatenessSeconds": worstLateness, "isRealTime": isReal,
      "periodSeconds": period.json, "decisionSeconds": decision.json, "answerSeconds": answer.json,
    ]
  }
}

extension RealTimeRun {
  /// The verdict of a run, for people.
  func describe(_ task: ControlTask, _ console: Console) {
    if task.hasLimits, !outcome.hasLeftLimits, outcome.rows > 0 {
      console.say("  everything stayed inside its limits")
    }
    let hasMeasures = !task.evaluation.measures.isEmpty
    for verdict in goals where task.objective.hasGoal || hasMeasures {
      func tracked(_ value: (GoalVerdict.Nearness) -> Double) -> String {
        let values = verdict.tracked.map {
          Unit(task.goalChannels[$0.goal].units).shown(value($0))
        }
        return values.joined(separator: ", ")
      }
      let names = verdict.tracked.map { task.goalChannels[$0.goal].name }
      let goal = tracked { verdict.goal[$0.goal] }
      let name = hasMeasures ? "success" : "goal \(names.joined(separator: ", ")) \(goal)"
      let (nearest, last) = (tracked(\.nearest), tracked(\.last))
      let met: String
      if let reached = verdict.reached {
        let since = tracked { $0.worstSinceReached ?? 0 }
        met =
          "reached after \(number(reached - verdict.time)) s and held for \(number(verdict.end - reached)) s"
          + (hasMeasures ? "" : "; largest deviation since then \(since)")
      } else if task.isJudged {
        met =
          "not reached"
          + (hasMeasures ? " at the end" : "; nearest \(nearest), at the end \(last) away")
      } else {
        met = "\(last) away at the end, nearest \(nearest)"
      }
      console.say("  \(name) (from \(number(verdict.time)) s): \(met)")
    }
  }

  func json(_ task: ControlTask) -> [String: Any] {
    let verdicts = goals.map { goal -> [String: Any] in
      let names = goal.tracked.map { task.goalChannels[$0.goal].name }
      let first = goal.tracked.first?.json ?? [:]
      return first.merging([
        "time": goal.time, "goal": goal.goal, "end": goal.end,
        "reached": goal.reached.map { $0 as Any } ?? Double.nan,
        "tracked": Dictionary(zip(names, goal.tracked.map(\.json))) { $1 },
      ]) { $1 }
    }
    return [
      "rows": outcome.rows, "steps": outcome.timing.steps, "lateSteps": outcome.timing.late,
      "worstLatenessSeconds": outcome.timing.worstLateness, "timing": outcome.timing.json,
      "goals": verdicts, "leftLimits": outcome.hasLeftLimits, "safety": outcome.safety,
    ]
  }
}

extension GoalVerdict.Nearness {
  fileprivate var json: [String: Any] {
    ["nearest": nearest, "last": last, "worstSinceReached": worstSinceReached ?? .nan]
  }
}
