// SPDX-License-Identifier: Apache-2.0
// The steps of one episode (`EpisodeRun`), from the plant's reset to the row of the safe action: what is known so far, and the
// order in which it is stamped, logged and sent.

import MachineLogs

/// An episode while it is driven.
struct EpisodeDrive {
  let run: EpisodeRun
  /// Where the layout's measured columns stand in what the plant measures.
  let columns: [Int]
  /// Where its disturbances stand in the disturbances that the plant measures.
  let disturbanceIndices: [Int]
  let plantName: String
  var outcome: EpisodeRun.Outcome
  /// Actions sent so far, and the last of them.
  var step = 0
  var lastAction: [Double]?
  /// Whether the plant has answered its reset.
  private(set) var hasBegun = false
  private var signals: CausalSignals
  private var time: EpisodeTime
  private var pace: StepPace?
  /// The measurement that no action has followed yet.
  private var current: (measured: Measurement, states: [Double])?
  private var lastSent: Double?
  /// Seconds between the last two measurements; nil where nobody knows.
  private var sinceLast: Double?
  /// When the measurement before came, and when it was made by the plant's clock.
  private var lastMeasured: (time: Double, own: Double?)?

  init(
    _ run: EpisodeRun, _ plant: any Plant, columns: [Int], disturbances: [Int], name: String
  ) {
    (self.run, self.columns, plantName) = (run, columns, plant.name)
    disturbanceIndices = disturbances
    signals = CausalSignals(run.layout)
    let isPaced = run.isInRealTime || plant.clock == .machine
    let clock = plant.clock ?? (isPaced ? .machine : nil)
    time = EpisodeTime(timeStep: run.layout.timeStep, plantClock: clock)
    pace = isPaced ? StepPace(timeStep: run.layout.timeStep, clock: run.clock) : nil
    outcome = EpisodeRun.Outcome(
      episode: Episode(name: name, timeStep: run.layout.timeStep, states: [], actions: []),
      timing: StepTiming(timeStep: run.layout.timeStep))
  }

  /// From the reset to the safe action. Throws what ends it in another way, `PlantInterruption` among it.
  mutating func run(
    _ plant: inout any Plant, from state: [Double]?, seed: UInt64,
    _ controller: (_ step: Int, _ observed: [Double]) throws -> [Double]
  ) throws {
    guard run.goesOn() else { throw PlantInterruption() }
    var measured = try plant.reset(to: state, seed: seed)
    hasBegun = true
    while true {
      let arrived = run.clock.now()
      // Asked at every row: what was typed while the plant overrides does not wait for its end.
      let command = run.operatorCommand()
      measured.override = measured.override ?? command
      let states = try take(measured)
      outcome.earlyEnd = earlyEnd(measured, states)
      let isLast = step == run.steps || outcome.earlyEnd != nil
      let ready = run.clock.now()
      if outcome.earlyEnd == nil {
        pace?.wait(while: run.goesOn)
        guard isLast || run.goesOn() else { throw PlantInterruption() }
      }
      if isLast { return try finish(&plant, measured) }
      let begun = run.clock.now()
      try checkAge(measured.age + begun - arrived)
      let wanted = try controller(step, states + disturbing(measured))
      let action = try limited(measured.override ?? wanted)
      if measured.override != nil { outcome.overridden += 1 }
      run.sent(action)
      try keep(action, stamp(at: run.clock.now(), measured))
      let sent = run.clock.now()
      outcome.timing.add(decision: ready - arrived + sent - begun)
      endPeriod(at: sent)
      (current, lastAction, lastSent) = (nil, action, sent)
      step += 1
      measured = try plant.step(action)
      outcome.timing.add(answer: run.clock.now() - sent)
    }
  }

  /// The action before, if there is one, has lasted until now.
  private mutating func endPeriod(at now: Double) {
    if let lastSent { outcome.timing.add(period: now - lastSent) }
    lastSent = nil
  }

  /// A machine may be anywhere by the time that this process runs again after a stop: nothing is decided on where it was.
  private func checkAge(_ age: Double) throws {
    let oldest = LogLayout.longestGap * run.layout.timeStep + Self.busyMachine
    if time.isReal && age > oldest { throw StaleMeasurement(age: age, step: step) }
  }

  /// The part of a time step below which an answer is one at once.
  private static let atOnce = 0.5

  /// Seconds that a step has lasted as its plant answers, for the watch: from its action on; nil of a simulation.
  private func stepSeconds(until arrived: Double, _ measured: Measurement) -> Double? {
    if measured.time != nil { return sinceLast }
    guard time.isReal, let lastSent else { return nil }
    return max(arrived - measured.age - lastSent, run.layout.timeStep)
  }

  /// Seconds without a turn that a busy computer can cause.
  private static let busyMachine = 0.1

  /// States [S] of a measurement, which waits for an action from now on.
  private mutating func take(_ measured: Measurement) throws -> [Double] {
    guard (measured.states + measured.disturbances).allSatisfy(\.isFinite) else {
      throw PlantFailure(
        plant: plantName, "it measured \(measured.states + measured.disturbances)")
    }
    sinceLast = elapsed(until: measured)
    let states = signals.next(columns.map { measured.states[$0] }, elapsed: sinceLast)
    outcome.lastStates = states
    current = (measured, states)
    return states
  }

  /// Seconds since the measurement before, by the plant's clock or else a machine's own time; nil of a simulation, whose steps
  /// are time steps, and of the first.
  private mutating func elapsed(until measured: Measurement) -> Double? {
    let now = run.clock.now() - measured.age
    defer { lastMeasured = (now, measured.time) }
    guard let lastMeasured else { return nil }
    if let own = measured.time, let before = lastMeasured.own { return own - before }
    // A plant that answers at once, and is then waited for, has moved by a time step all the same.
    let seconds = now - lastMeasured.time
    return time.isReal && seconds > Self.atOnce * run.layout.timeStep ? seconds : nil
  }

  /// The last step: the safe action, while the plant answers as it should.
  private mutating func finish(_ plant: inout any Plant, _ measured: Measurement) throws {
    // A plant that is done may have ended; the next episode starts it again. Its last measurement is kept all the same.
    if measured.isDone {
      let now = run.clock.now()
      endPeriod(at: now)
      let stamp = try stamp(at: now, measured)
      outcome.safeEnd = plant.close(safeAction: run.safeAction)
      return try keep(run.safeAction, stamp)
    }
    let sent = run.clock.now()
    endPeriod(at: sent)
    let after = try plant.step(run.safeAction)
    outcome.safeEnd = SafeEnd(.confirmed, after: after)
    try keep(run.safeAction, stamp(at: sent, measured))
  }

  /// After the plant was closed in another way: the row of the safe action, if it took it and said where it was then.
  ///
  /// - Parameters:
  ///   - end: what became of the safe action.
  ///   - now: when it was sent.
  ///   - canLog: false where the log has failed.
  mutating func end(_ end: SafeEnd, at now: Double, canLog: Bool) {
    // A plant that was done is closed already.
    if end.delivery != .notStarted { outcome.safeEnd = end }
    if let lastSent, current == nil { outcome.timing.add(answer: now - lastSent) }
    endPeriod(at: now)
    guard end.wasTaken, canLog, hasBegun else { return }
    do {
      var steps = 1
      if current == nil {
        guard let measured = end.awaited ?? end.after else { return }
        steps = end.awaited == nil ? 2 : 1
        _ = try take(measured)
      }
      guard let current else { return }
      try keep(run.safeAction, stamp(at: now, current.measured, steps: steps))
    } catch {
      // The episode has failed already, and why is said; this row stays out.
    }
  }

  private mutating func stamp(
    at now: Double, _ measured: Measurement, steps: Int = 1
  ) throws -> Double {
    do {
      defer { outcome.timing.isReal = time.isReal }
      return try time.next(now: now, own: measured.time, steps: steps)
    } catch {
      throw PlantFailure(plant: plantName, error.problem)
    }
  }

  /// Keeps the current measurement as a row with the action that follows it.
  private mutating func keep(_ action: [Double], _ stamp: Double) throws {
    guard let (measured, states) = current else { return }
    var rewards: [Double] = []
    if let column = run.layout.rewardColumn {
      // The first measurement follows no action, and may have no reward.
      guard let reward = measured.reward ?? (step > 0 && run.needsReward ? nil : .nan) else {
        throw PlantFailure(
          plant: plantName,
          "its answer has no \"reward\", but the task learns its reward from '\(column)'")
      }
      rewards = [reward]
    }
    let disturbing = disturbing(measured)
    try run.log?.append(
      time: stamp, measured: columns.map { measured.states[$0] }, exogenous: action + disturbing,
      reward: measured.reward, extra: run.extraColumns(states))
    outcome.rows += 1
    guard run.keepsRows else { return }
    outcome.episode.states.append(states)
    outcome.episode.actions.append(action)
    if !disturbing.isEmpty { outcome.episode.disturbances.append(disturbing) }
    outcome.episode.rewards += rewards
  }

  /// [W]
  private func disturbing(_ measured: Measurement) -> [Double] {
    disturbanceIndices.map { measured.disturbances[$0] }
  }

  private func limited(_ action: [Double]) throws -> [Double] {
    guard action.allSatisfy(\.isFinite) else {
      throw ControllerFailure(action: action, step: step)
    }
    let last = lastAction ?? run.safeAction
    return action.indices.map { j in
      let limits = run.actionLimits[j]
      let within = min(max(action[j], limits.lowerBound), limits.upperBound)
      guard j < run.largestChange.count, let change = run.largestChange[j] else { return within }
      return min(max(within, last[j] - change), last[j] + change)
    }
  }

  private mutating func earlyEnd(_ measured: Measurement, _ states: [Double]) -> String? {
    let row = MeasuredRow(
      measured: columns.map { measured.states[$0] }, states: states,
      disturbances: disturbing(measured), action: lastAction,
      elapsed: stepSeconds(until: run.clock.now(), measured),
      isOverridden: measured.override != nil)
    let stop = run.supervise(row)
    for limit in run.limits {
      let value = limit.quantity.value(states)
      if limit.range.contains(value) { continue }
      outcome.hasLeftLimits = true
      return "'\(limit.quantity.name)' left its limits at step \(step): \(value)"
    }
    if let stop {
      outcome.isStopped = true
      return stop
    }
    guard measured.isDone else { return nil }
    let meaning = measured.isSuccess.map { $0 ? .success : .failure } ?? run.doneMeans
    // At its last step an episode is over in any case.
    let isEarly = step < run.steps
    if isEarly || meaning == .success { outcome.doneAs = meaning }
    guard isEarly else { return nil }
    let ending = meaning == .success ? ", with success" : ""
    return "the plant ended the episode at step \(step)\(ending)"
  }
}
