// SPDX-License-Identifier: Apache-2.0
// A policy on a plant, judged as a control engineer would: rise time, overshoot, steady-state error,
// chatter, success.

import Draws
import Foundation
import MachineLogs
import Plants
import Policies
import PolicySearch
import Tasks

/// The response of one of what goals are of to one goal (physical units, seconds).
public struct TrackedFigures: Sendable {
  /// Its index.
  public var goal: Int
  /// |state - goal| that is allowed from the settling time on; 0 where nothing is judged by it.
  public var tolerance: Double
  /// Time from 10 % to 90 % of the way; nil if it did not get there.
  public var riseTime: Double?
  /// Largest excursion beyond the goal.
  public var overshoot: Double
  /// Mean |state - goal| from the settling time on.
  public var steadyStateError: Double
  /// Largest |state - goal| from the settling time on.
  public var largestError: Double

  public var isNear: Bool { largestError <= tolerance }
}

/// The response to one goal, from the goal's switch to the next.
public struct StepFigures: Sendable {
  /// Seconds from the start of the episode.
  public var time: Double
  public var goal: [Double]
  /// In the order of `EvaluationOptions.tracked`.
  public var tracked: [TrackedFigures]
  /// Mean |u_k - u_(k-1)| from the settling time on, the largest over the actions.
  public var actionChange: Double
  /// Whether every largest error is within its tolerance; false where measures judge.
  public var isNear: Bool
  /// The largest value of each measure in the last steps; empty without measures.
  public var measures: [Double]
  public var isSuccess: Bool
}

/// One episode of a policy on a plant; one step, or as many as its schedule has goals.
public struct EvaluatedEpisode: Sendable {
  public var episode: Episode
  /// Its goals one after another.
  public var reference: [ControlTask.EvaluationOptions.ScheduledGoal]
  public var steps: [StepFigures]
  /// Why it ended before its time, in words.
  public var earlyEnd: String?
  /// What it means that the plant ended it; nil where it did not.
  public var doneAs: DoneMeaning?

  /// Mean |state - goal| from the settling time on [steps][tracked]; empty of an episode that ended early.
  public var responseErrors: [[Double]] {
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

  public init(episodes: [EvaluatedEpisode]) { self.episodes = episodes }

  public var steps: [StepFigures] { episodes.flatMap(\.steps) }
  public var successes: Int { episodes.count { $0.isSuccess } }
  public var stepSuccesses: Int { steps.count { $0.isSuccess } }

  /// Of one tracked state in every step.
  public func figures(ofTracked index: Int) -> [TrackedFigures] { steps.map { $0.tracked[index] } }

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
  public var judgedResponses: String {
    let names = evaluation.tracked.map { goalChannels[$0.goal] }.map { "\($0.name) \($0.units)" }
    return "\(names.joined(separator: ", ")) from \(evaluation.settle) s on"
  }
}

extension ControlTask {
  /// Drives the task's plant with a policy, each episode with its own noise and start.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - seed: of starts, goals, noise and parameters.
  ///   - spread: every parameter of a simulated plant varies within 1 - spread ... 1 + spread from episode to episode.
  ///   - data: behind the policy, where start or goal are drawn from it.
  ///   - logFolder: where what a machine did is written, line by line; nothing is written of simulations.
  ///   - logName: how the names of those files begin.
  ///   - goesOn: asked at every step; false ends the evaluation with the safe action.
  ///   - tell: hears of every episode as it ends.
  /// - Throws: `LogError` where the task has no plant or a goal of its schedule is out of bounds, `EpisodeFailure`.
  public func evaluate(
    _ controller: PolicyController, seed: UInt64 = 0, spread: Double = 0,
    within data: SearchedData = SearchedData(), logFolder: String? = nil,
    logName: String = "evaluation",
    goesOn: @escaping () -> Bool = { true }, tell: (EpisodeRun.Outcome) -> Void = { _ in }
  ) throws -> Evaluation {
    try checkSchedule(for: controller.policy.inputs.goal, within: data)
    var plant = try makePlant()
    defer { plant.close(safeAction: safeAction) }
    var episodes: [EvaluatedEpisode] = []
    for index in 0..<evaluation.episodes {
      if spread > 0 {
        plant.close(safeAction: safeAction)
        plant = try makePlant(spread: spread, seed: seed &+ UInt64(index))
      }
      let isMachine = !(plant is any SimulatedPlant)
      let log = try (isMachine ? logFolder : nil).map {
        try LogWriter(episode: "\(logName)-\(index + 1)", in: $0, layout)
      }
      defer { log?.close() }
      let (outcome, goals) = try drive(
        &plant, controller, index: index, seed: seed, within: data,
        name: "evaluation \(index + 1)", log: log, goesOn: goesOn)
      tell(outcome)
      if let failure = outcome.failure { throw failure }
      if outcome.isInterrupted { break }
      episodes.append(judge(outcome, goals: goals))
    }
    return Evaluation(episodes: episodes)
  }

  /// One episode of a controller; also returns its goals one after another.
  ///
  /// - Parameters:
  ///   - plant: the machine; it is reset first.
  ///   - controller: the policy with its numbers.
  ///   - index: of the episode; with the seed it determines start, goal and noise.
  ///   - seed: see `index`.
  ///   - data: behind the policy, where start or goal are drawn from it.
  ///   - name: of the episode.
  ///   - log: where rows are written as they come.
  ///   - isLearntFrom: the plant must say a reward if the task learns one.
  ///   - goesOn: asked at every step; false ends the episode with the safe action.
  /// - Throws: `LogError`.
  public func drive(
    _ plant: inout any Plant, _ controller: PolicyController, index: Int, seed: UInt64,
    within data: SearchedData = SearchedData(), name: String, log: LogWriter? = nil,
    isLearntFrom: Bool = false,
    goesOn: @escaping () -> Bool = { true }
  ) throws -> (outcome: EpisodeRun.Outcome, goals: [ControlTask.EvaluationOptions.ScheduledGoal]) {
    let key = DrawKey(seed: seed, stream: .evaluation)
    let distribution = try evaluation.schedule.isEmpty ? drawnGoals(within: data) : nil
    // No two episodes have a goal of the same number.
    let count = evaluation.goalTimes.count
    var goals = GoalSchedule(self) { number in
      distribution?.spreadGoal(episode: index * count + number, key: key) ?? []
    }
    var controllerRun = controller.begin()
    var run = episodeRun(seconds: evaluation.seconds)
    run.log = log
    run.needsReward = isLearntFrom
    run.goesOn = goesOn
    run.sent = { controllerRun.sent($0) }
    let outcome = try run.run(
      &plant, from: firstState(of: plant, key, index, data.bounds),
      seed: seed &* 1_000_003 &+ 7_919 &+ UInt64(index), name: name
    ) { step, observed in
      if step == 0 { goals.begin(Array(observed.prefix(layout.states.count))) }
      return controllerRun.action(observed: observed, goal: goals.seenGoal(step: step))
    }
    return (outcome, goals.goals)
  }

  private func drawnGoals(within data: SearchedData) throws -> StateDistribution {
    if case .bounds = goal, data.bounds == nil {
      throw LogError(
        file: place,
        "draws goals from the training data's bounds, which this policy file lacks; run `bagel optimize` again"
      )
    }
    return try goals(amongLogged: data.loggedGoals, bounds: data.bounds ?? [])
  }

  /// Where an episode starts; nil where the plant decides: programs, and starts drawn from logged states.
  private func firstState(
    of plant: any Plant, _ key: DrawKey, _ index: Int, _ bounds: [ClosedRange<Double>]?
  ) -> [Double]? {
    let isKnown =
      switch start {
      case .logged: false
      case .bounds: bounds != nil
      case .fixed, .uniform, .normal, .rows, .reached, .cells: true
      }
    guard hasStart, isKnown, plant is any SimulatedPlant else { return nil }
    var first = start.resolved(bounds: bounds ?? [])
      .draw(particle: index, key: key, for: .initialStates)
    let spread = key.uniforms(particle: index, step: 0, count: evaluation.tracked.count)
    let tracked = evaluation.tracked.map(\.goal)
    // Goals of quantities have no spread (it is refused).
    if goalQuantities == nil {
      for (state, u) in zip(tracked, spread) {
        first[state] += evaluation.startSpread * (2 * u - 1)
      }
      // A reference that begins with staying begins at rest.
      if let begin = evaluation.schedule.first, begin.time > 0 {
        for state in first.indices where !tracked.contains(state) {
          first[state] = begin.goal[state]
        }
      }
    }
    return initialState(first, of: plant)
  }

  /// The figures of what a plant did.
  public func judge(
    _ outcome: EpisodeRun.Outcome, goals: [ControlTask.EvaluationOptions.ScheduledGoal]
  ) -> EvaluatedEpisode {
    judge(outcome.episode, goals: goals, earlyEnd: outcome.earlyEnd, doneAs: outcome.doneAs)
  }

  /// The figures of an episode.
  public func judge(
    _ episode: Episode, goals: [ControlTask.EvaluationOptions.ScheduledGoal],
    earlyEnd: String? = nil, doneAs: DoneMeaning? = nil
  ) -> EvaluatedEpisode {
    let judged = evaluation.isPath ? [goals.count - 1] : Array(goals.indices)
    let steps = judged.map { index -> StepFigures in
      let start = evaluation.isPath ? 0 : Int((goals[index].time / layout.timeStep).rounded())
      let isLast = index + 1 == goals.count
      let next =
        isLast
        ? episode.count : Int((goals[index + 1].time / layout.timeStep).rounded())
      var figures = judge(
        episode, goals, index, rows: min(start, episode.count - 1)..<min(next, episode.count))
      // What the episode did not reach is no success.
      let isBegun = start < episode.count
      let isCut = next > episode.count || isLast && earlyEnd != nil
      // What the plant ended with success has reached what it was about.
      if doneAs == .success && isCut { figures.isSuccess = true }
      if !isBegun || isCut && (doneAs ?? .failure) == .failure { figures.isSuccess = false }
      return figures
    }
    return EvaluatedEpisode(
      episode: episode, reference: goals, steps: steps, earlyEnd: earlyEnd, doneAs: doneAs)
  }

  /// The figures of the response to one goal, or to a whole path, within some rows.
  private func judge(
    _ episode: Episode, _ goals: [ControlTask.EvaluationOptions.ScheduledGoal], _ index: Int,
    rows: Range<Int>
  ) -> StepFigures {
    let scheduled = goals[index]
    // A stretch shorter than the settling time is judged by its end; a ramp's begins as it ends.
    let settling = evaluation.settle + (evaluation.isPath ? 0 : scheduled.ramp)
    let settled = min(Int((settling / layout.timeStep).rounded()), max(rows.count - 1, 0))
    // Of a goal that was never begun, as it would have been.
    let begin = evaluation.isPath ? 0 : scheduled.time
    let wanted = rows.map { goals.goal(at: max(Double($0) * layout.timeStep, begin)) }
    let reached = episode.states[rows].map(goalForm.reached)
    let tracked = evaluation.tracked.map {
      response(of: $0, in: reached, to: wanted, settled: settled)
    }
    let from = rows.lowerBound + settled
    let until = min(rows.upperBound, episode.count - 1)
    let changes = layout.actions.indices.map { j in
      let actions = from < until ? episode.actions[from..<until].map { $0[j] } : []
      let differences = zip(actions.dropFirst(), actions).map { abs($0 - $1) }
      return differences.reduce(0, +) / Double(max(differences.count, 1))
    }
    let change = changes.max() ?? 0
    let measures = worstMeasures(episode.states[rows], goals: wanted)
    let isNear = evaluation.measures.isEmpty && tracked.allSatisfy(\.isNear)
    let isSuccess =
      evaluation.measures.isEmpty
      ? isNear && change < evaluation.largestActionChange : isBelow(measures)
    return StepFigures(
      time: evaluation.isPath ? 0 : scheduled.time, goal: scheduled.goal, tracked: tracked,
      actionChange: change,
      isNear: isNear, measures: measures, isSuccess: isSuccess)
  }

  /// The response of one of what goals are of, in rows of them [G] with the goals [G] of each row.
  private func response(
    of tracked: EvaluationOptions.Tracked, in rows: [[Double]], to wanted: [[Double]], settled: Int
  ) -> TrackedFigures {
    let response = rows.map { $0[tracked.goal] }
    let first = response.first ?? 0
    let target = wanted.last?[tracked.goal] ?? first
    let turn = goalChannels[tracked.goal].turn
    let errors = zip(response, wanted).dropFirst(settled).map { value, goal in
      abs(shorterWay(value - goal[tracked.goal], turn: turn))
    }
    let way = response.map { target == first ? 1 : ($0 - first) / (target - first) }
    let tenth = way.firstIndex { $0 >= 0.1 }
    let ninetieth = way.firstIndex { $0 >= 0.9 }
    return TrackedFigures(
      goal: tracked.goal, tolerance: tracked.tolerance,
      riseTime: tenth.flatMap { a in ninetieth.map { Double($0 - a) * layout.timeStep } },
      overshoot: max(0, ((way.max() ?? 1) - 1) * abs(target - first)),
      steadyStateError: errors.reduce(0, +) / Double(max(errors.count, 1)),
      largestError: errors.max() ?? .infinity)
  }

  /// Whether every measure is small in each of the last steps.
  func meetsMeasures(_ states: ArraySlice<[Double]>, goal: [Double]) -> Bool {
    isBelow(worstMeasures(states, goals: states.map { _ in goal }))
  }

  private func isBelow(_ measures: [Double]) -> Bool {
    zip(measures, evaluation.measures).allSatisfy { $0 < $1.below }
  }

  /// The largest value of each measure in the last steps, with the goals of each; infinite where one is no number.
  private func worstMeasures(_ states: ArraySlice<[Double]>, goals: [[Double]]) -> [Double] {
    var worst = evaluation.measures.map { _ in -Double.infinity }
    if worst.isEmpty { return [] }
    let form = goalForm
    for (state, goal) in zip(states, goals).suffix(evaluation.lastSteps) {
      var values: [String: Double] = [:]
      for (i, channel) in layout.states.enumerated() { values[channel.name] = state[i] }
      for (k, (channel, reached)) in zip(goalChannels, form.reached(state)).enumerated() {
        values[channel.name] = reached
        values["goal.\(channel.name)"] = goal[k]
      }
      for (m, measure) in evaluation.measures.enumerated() {
        let value = measure.formula.value(values)
        worst[m] = max(worst[m], value.isNaN ? .infinity : value)
      }
    }
    return worst
  }
}
