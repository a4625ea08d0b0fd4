// SPDX-License-Identifier: Apache-2.0
// Goals that change during an episode: steps, ramps from one goal to the next, or a path through the rows of a CSV file.

import MachineLogs

extension ControlTask.EvaluationOptions {
  /// One of an episode's goals.
  package struct ScheduledGoal: Hashable, Sendable {
    /// Seconds from the start.
    package var time: Double
    package var goal: [Double]
    /// Seconds in which the goal before moves to this one, in a straight line; 0 for a step.
    package var ramp: Double

    package init(time: Double, goal: [Double], ramp: Double = 0) {
      (self.time, self.goal, self.ramp) = (time, goal, ramp)
    }
  }
}

extension [ControlTask.EvaluationOptions.ScheduledGoal] {
  /// Of the goal that holds or is moved to at a time (s).
  package func index(at time: Double) -> Int { lastIndex { $0.time <= time + 1e-9 } ?? 0 }

  /// The goal [G] at a time (s).
  package func goal(at time: Double) -> [Double] {
    let index = index(at: time)
    let present = self[index]
    let done = present.ramp > 0 ? (time - present.time) / present.ramp : 1
    guard index > 0, done < 1 else { return present.goal }
    return zip(self[index - 1].goal, present.goal).map { $0 + Swift.max(done, 0) * ($1 - $0) }
  }

  /// One of them over time, until `end`: corners of its line.
  package func line(of index: Int, until end: Double) -> (times: [Double], goals: [Double]) {
    var (times, goals) = ([Double](), [Double]())
    func add(_ time: Double, _ goal: Double) {
      times.append(Swift.min(time, end))
      goals.append(goal)
    }
    for (k, next) in zip(self.indices, ends(until: end)) {
      let scheduled = self[k]
      if scheduled.ramp > 0, k > 0 { add(scheduled.time, self[k - 1].goal[index]) }
      add(scheduled.time + scheduled.ramp, scheduled.goal[index])
      add(next, scheduled.goal[index])
    }
    return (times, goals)
  }

  /// When each ends, s.
  package func ends(until end: Double) -> [Double] { dropFirst().map(\.time) + [end] }
}

extension ControlTask {
  /// schedule: {at: [s, ...], goals: [[x, ...], ...]}: goals of one episode, one after another; {every: s}: another one is
  /// drawn so often; {file: path.csv}: a path through its rows. ramp: s, how long a goal takes to the next; preview: s, how far
  /// ahead the policy sees.
  mutating func readSchedule(_ entry: YAMLMapping, _ folder: String) throws {
    guard let schedule = try entry.mapping("schedule") else { return }
    guard objective.hasGoal else {
      throw entry.error("schedule", "needs goals, but the task has no `goal:` (a range of goals)")
    }
    let forms = ["at", "every", "file"].filter(schedule.has)
    if forms.count > 1 {
      throw schedule.error(
        forms[1],
        "and \(forms[0]) exclude each other: give goals at times, or an interval, or a path")
    }
    if let preview = try schedule.number("preview", 0...1e5) {
      guard policy.goalInput != .none else {
        throw schedule.error("preview", "has no effect: the policy does not read its goal")
      }
      guard preview < evaluation.seconds else {
        throw schedule.error(
          "preview", "must be shorter than the episode's \(evaluation.seconds) s")
      }
      evaluation.preview = preview
    }
    if let file = try schedule.string("file") {
      let path = resolved(file, in: folder)
      evaluation.schedule = try rows(of: path, schedule)
      return
    }
    let ramp = try schedule.number("ramp", 0...1e5) ?? 0
    evaluation.ramp = ramp
    if let interval = try schedule.positive("every", YAMLMapping.anyTime) {
      guard interval < evaluation.seconds, interval >= 2 * layout.timeStep else {
        throw schedule.error(
          "every", "must be from two time steps to the episode's \(evaluation.seconds) s")
      }
      if case .fixed = objective.goal {
        throw schedule.error(
          "every", "draws goals, but the task's `goal:` is a single one; give a range")
      }
      evaluation.goalInterval = interval
    } else {
      try readGoals(schedule)
    }
    let times = evaluation.goalTimes + [evaluation.seconds]
    guard zip(times.dropFirst(), times).allSatisfy({ $0 - $1 > ramp }) else {
      throw schedule.error(
        "ramp", "is \(ramp) s, but must be shorter than the time between two goals")
    }
  }

  private mutating func readGoals(_ schedule: YAMLMapping) throws {
    let times = try required(schedule.numbers("at"), "at", schedule)
    let goals = try required(schedule.lists("goals"), "goals", schedule)
    guard !times.isEmpty, times.count == goals.count,
      zip(times.dropFirst(), times).allSatisfy({ $0 > $1 }),
      times.allSatisfy({ (0..<evaluation.seconds).contains($0) })
    else {
      throw schedule.error(
        "at", "needs one time per goal, increasing, within the episode of \(evaluation.seconds) s")
    }
    for (index, goal) in goals.enumerated() {
      guard goal.count == goalForm.length else {
        let what = objective.goalQuantities == nil ? "states" : "goals"
        throw schedule.error(
          "goals",
          "number \(index + 1) has \(goal.count) numbers for \(goalForm.length) \(what)")
      }
      try checkWithinLimits(.fixed(goal), "goals", schedule)
    }
    let ramp = evaluation.ramp
    evaluation.schedule = zip(times, goals).map { .init(time: $0, goal: $1, ramp: ramp) }
  }

  /// Columns `time` and one for each of what goals are of; each row is reached in a straight line from the one before.
  private mutating func rows(
    of path: String, _ schedule: YAMLMapping
  ) throws -> [EvaluationOptions.ScheduledGoal] {
    let table = try NumberTable(path: path, columns: ["time"] + goalChannels.map(\.name))
    guard table.rows.count > 1 else { throw LogError(file: path, "needs at least two rows") }
    guard table.rows[0][0] == 0 else {
      throw LogError(
        file: path, line: table.lines[0], column: "time",
        "begins at \(table.rows[0][0]) s, not at 0")
    }
    if let last = table.rows.last?[0], last > evaluation.seconds {
      throw LogError(
        file: path, line: table.lines.last, column: "time",
        "continues until \(last) s, but the episode has \(evaluation.seconds) s (evaluate: {seconds: ...})"
      )
    }
    evaluation.isPath = true
    return try table.rows.indices.map { k in
      let (time, goal) = (table.rows[k][0], Array(table.rows[k].dropFirst()))
      try checkWithinLimits(.fixed(goal), "file", schedule)
      guard k > 0 else { return .init(time: 0, goal: goal) }
      let before = table.rows[k - 1][0]
      guard time > before else {
        throw LogError(
          file: path, line: table.lines[k], column: "time",
          "goes from \(before) to \(time) s; times of a path must increase")
      }
      return .init(time: before, goal: goal, ramp: time - before)
    }
  }
}
