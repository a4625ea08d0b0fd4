// SPDX-License-Identifier: Apache-2.0
// The keys of a task file for the search and evaluation of policies, and for collecting data.

import MachineLogs
import Plants
import PolicySearch
import SafeText

extension ControlTask {
  mutating func readSearch(_ yaml: YAMLMapping) throws {
    guard let entry = try yaml.mapping("optimise") else { return }
    if let value = try entry.integer("particles", 1...10_000_000) { search.particles = value }
    if let values = try entry.integers("horizon", 1...1_000_000) {
      guard !values.isEmpty, zip(values, values.dropFirst()).allSatisfy({ $0 < $1 }) else {
        throw entry.error("horizon", "must be a number of steps, or an increasing list of them")
      }
      search.horizons = values
    }
    if let value = try entry.integer("iterations", 1...10_000_000) { search.iterations = value }
    if let value = try entry.integer("starts", 1...1_000) { search.starts = value }
    if let value = try entry.positive("learningRate", 1e-9...1e3) { search.learningRate = value }
    if let value = try entry.positive("adjointLimit", 1e-9...1e30) { search.adjointLimit = value }
    if let value = try entry.positive("gradientNorm", 1e-9...1e30) { search.gradientNorm = value }
    if let value = try entry.integer("evaluationInterval", 1...1_000_000) {
      search.evaluationInterval = value
    }
    if let value = try entry.integer("patience", 1...1_000_000) { search.patience = value }
    if let value = try entry.choice("draws", DrawSchedule.self, among: ["fresh", "fixed"]) {
      search.draws = value
    }
    if let value = try entry.bool("keepLimits") { objective.keepsLimits = value }
  }

  mutating func readEvaluation(_ yaml: YAMLMapping, _ folder: String) throws {
    evaluation.seconds = Double(search.horizon) * layout.timeStep
    guard let entry = try yaml.mapping("evaluate") else { return }
    if let value = try entry.integer("episodes", 1...100_000) { evaluation.episodes = value }
    if let value = try entry.positive("seconds", YAMLMapping.anyTime) {
      evaluation.seconds = value
    }
    try checkSteps(evaluation.seconds, "seconds", entry)
    if let value = try entry.number("startSpread", 0...1e9) {
      guard value == 0 || objective.goalQuantities == nil else {
        throw entry.error("startSpread", "is for tracked states; give it in `start:`")
      }
      evaluation.startSpread = value
    }
    try readSuccess(entry)
    try readSchedule(entry, folder)
    try readSettling(entry)
    if let value = try entry.positive("largestActionChange") {
      evaluation.largestActionChange = value
    }
  }

  /// From when on each step of the schedule is judged: `settle`, or what the last steps and the shortest step say.
  private mutating func readSettling(_ entry: YAMLMapping) throws {
    let ends = evaluation.goalTimes.dropFirst() + [evaluation.seconds]
    let starts = evaluation.goalTimes
    let shortest = (zip(ends, starts).map { $0 - $1 }.min() ?? 0) - evaluation.ramp
    let steps = max(1, Int((shortest / layout.timeStep).rounded()))
    if let last = try entry.integer("lastSteps", 1...1_000_000) {
      guard last <= steps else {
        throw entry.error(
          "lastSteps",
          "is \(last), \(Double(last) * layout.timeStep) s; the shortest step to a goal has \(steps), "
            + "\(shortest) s")
      }
      evaluation.lastSteps = last
    } else {
      evaluation.lastSteps = min(evaluation.lastSteps, steps)
    }
    if let value = try entry.number("settle", 0...1e7) {
      guard value < shortest else {
        throw entry.error(
          "settle", "must be below the \(shortest) s of the shortest step to a goal, not \(value) s"
        )
      }
      evaluation.settle = value
    } else if evaluation.measures.isEmpty {
      if evaluation.settle >= shortest { evaluation.settle = shortest / 2 }
    } else {
      evaluation.settle = max(0, shortest - Double(evaluation.lastSteps) * layout.timeStep)
    }
  }

  /// tolerance (and settle, largestActionChange), or measures that must be small in the last steps.
  private mutating func readSuccess(_ entry: YAMLMapping) throws {
    for measure in try entry.mappings("success") ?? [] {
      let text = try required(measure.string("measure"), "measure", measure)
      evaluation.measures.append(
        EvaluationOptions.Measure(
          formula: try formula(
            text, measure, key: "measure", names: measureNames, ofStates: true),
          below: try required(measure.number("below"), "below", measure)))
    }
    guard evaluation.measures.isEmpty || !entry.has("track") else {
      throw entry.error(
        "track", "and success exclude each other: give only one of them")
    }
    if let tolerance = try entry.positive("tolerance") {
      guard objective.hasGoal else {
        throw entry.error(
          "tolerance",
          "is a distance to the goal, but the task has no `goal:`; use success: [{measure: ...}]")
      }
      guard objective.goalQuantities == nil else {
        let names = goalChannels.map(\.name)
        throw entry.error(
          "tolerance",
          "is for the first state only; give one for each goal: track: {\(names.map { "\($0): \(tolerance)" }.joined(separator: ", "))}"
        )
      }
      guard !entry.has("track") else {
        throw entry.error(
          "tolerance", "and track exclude each other: track has the tolerance of each goal")
      }
      evaluation.tracked = [.init(goal: 0, tolerance: tolerance)]
    }
    try readTracked(entry)
  }

  /// track: {NAME: tolerance, ...}: what must come to its goal, and how near.
  private mutating func readTracked(_ entry: YAMLMapping) throws {
    guard entry.has("track") else { return }
    let names = goalChannels.map(\.name)
    guard objective.hasGoal else {
      throw entry.error("track", "is for distances to the goal, but the task has no `goal:`")
    }
    guard entry.isMapping("track"), let tracked = try entry.mapping("track") else {
      throw entry.error(
        "track",
        "needs a tolerance for each: {\(names.map { "\($0): 0.05" }.joined(separator: ", "))}")
    }
    let wanted = tracked.keys
    guard !wanted.isEmpty else { throw entry.error("track", "is empty") }
    evaluation.tracked = try wanted.map { name in
      guard let goal = names.firstIndex(of: name) else {
        let known = (layout.states.map(\.name) + namedFormulas.map(\.name)).contains(name)
        throw tracked.error(
          name,
          known
            ? "has no goal; there are goals of \(names.joined(separator: ", "))"
            : "is neither a state nor a quantity")
      }
      return .init(goal: goal, tolerance: try required(tracked.positive(name), name, tracked))
    }
  }

  /// A goal beyond a state's limits cannot be reached, and an episode that starts there is over. Throws: `LogError`.
  func checkWithinLimits(_ states: StateDistribution, _ key: String, _ yaml: YAMLMapping) throws {
    guard let support = states.support else { return }
    let channels = key == "start" ? layout.states : goalChannels
    for (channel, range) in zip(channels, support) {
      guard let limit = limits(of: channel.name) else { continue }
      for value in [range.lowerBound, range.upperBound] where !limit.contains(value) {
        throw yaml.error(
          key,
          "reaches \(value), outside the limits of '\(shortened(channel.name))', "
            + "\(limit.lowerBound) to \(limit.upperBound)")
      }
    }
  }

  /// Whether a state or quantity ends episodes.
  package var hasLimits: Bool {
    states.contains { $0.limits != nil } || namedFormulas.contains { $0.limits != nil }
  }

  /// Where a state or quantity ends episodes, or nil.
  package func limits(of name: String) -> ClosedRange<Double>? {
    states.first { $0.channel.name == name }?.limits
      ?? namedFormulas.first { $0.name == name }?.limits
  }

  /// explore: how data are collected where there are no logs; learn: the interaction loop.
  mutating func readLearning(_ yaml: YAMLMapping) throws {
    exploration.seconds = evaluation.seconds
    if let entry = try yaml.mapping("explore") {
      if let kind = try entry.choice("kind", ExplorationKind.self) {
        exploration.kind = kind
      }
      if let episodes = try entry.integer("episodes", 1...10_000) {
        exploration.episodes = episodes
      }
      if let seconds = try entry.positive("seconds", YAMLMapping.anyTime) {
        exploration.seconds = seconds
      }
      exploration.holdSeconds = try entry.positive("holdSeconds", YAMLMapping.anyTime)
      if let amplitude = try entry.positive("amplitude", 1e-9...1) {
        exploration.amplitude = amplitude
      }
      try readTurningPoints(entry)
    }
    try checkSteps(exploration.seconds, "explore", yaml)
    guard let entry = try yaml.mapping("learn") else { return }
    if let value = try entry.integer("trials", 1...100_000) { learning.trials = value }
    if let value = try entry.choice("policy", Continuation.self, among: ["warm", "fresh", "both"]) {
      learning.policy = value
    }
    if let value = try entry.choice("model", Continuation.self, among: ["warm", "fresh"]) {
      learning.model = value
    }
    if let value = try entry.bool("untilSolved") { learning.untilSolved = value }
  }

  /// turningPoints: [lower, upper] of the first state, or a list of them: of state j, moved by action j.
  private mutating func readTurningPoints(_ entry: YAMLMapping) throws {
    let wanted = "[lower, upper] of the first state, or a list of them, one per action"
    guard entry.has("turningPoints") else {
      guard exploration.kind != .manual else {
        throw entry.error("turningPoints", "is missing: \(wanted)")
      }
      return
    }
    let isList = entry.isListOfLists("turningPoints")
    let ranges =
      isList ? try entry.lists("turningPoints") : try entry.numbers("turningPoints").map { [$0] }
    exploration.turningPoints = try (ranges ?? []).map { range in
      guard range.count == 2, range[0] < range[1] else {
        throw entry.error("turningPoints", "must be \(wanted)")
      }
      return range[0]...range[1]
    }
    guard exploration.turningPoints.count <= min(layout.actions.count, layout.states.count) else {
      throw entry.error(
        "turningPoints",
        "has \(exploration.turningPoints.count) ranges for \(counted(layout.actions.count, "action"))"
      )
    }
  }
}
