// SPDX-License-Identifier: Apache-2.0
// The innovations of a run: from its measured rows, one after another, to whitened ones and to alarms. A replayed log is processed in the same way
// from `WhitenedInnovations` on. The tests of a state restart after an alarm.

import MachineLogs

/// What is known of a model's innovations on a machine.
struct InnovationLimits: Hashable, Sendable {
  /// Of innovations, physical units [S], and of changes of commands from row to row [A].
  var deviations: [Double]
  var changeDeviations: [Double]
  var whitening: Whitening
  /// How much more they scatter after changes of commands, one per state [S].
  var excitation: [Excitation]
  /// Of whitened innovations [S]; and how far their mean is off for a second and more.
  var whitenedDeviations: [Double]
  var slacks: [Double]
  /// Of each test's statistic [S][departures].
  var limits: [[Double]]

  /// The tests of state i.
  func tests(of i: Int, timeStep: Double) -> DepartureTests {
    DepartureTests(
      slack: slacks[i], response: whitening.response(of: i), timeStep: timeStep)
  }
}

/// Whitened innovations of consecutive rows.
struct WhitenedInnovations: Sendable {
  private let limits: InnovationLimits
  /// The last rows, newest last: at most `order + 1`.
  private var rows: [Whitening.Row] = []
  private var commands: [[Double]] = []
  private var delays: [[Double]] = []
  private var activity = CommandActivity()

  /// One judged row: whitened innovations in their deviations, and what the directions come to in them [S] each.
  struct Row {
    var innovations: [Double]
    var ofCommands: [Double]
    var ofDelay: [Double]
    /// The factors of their deviations after changes of commands [S], and what these have changed lately (`CommandActivity`).
    var deviations: [Double]
    var activity: [Double]
  }

  init(_ limits: InnovationLimits) { self.limits = limits }

  /// - Parameters:
  ///   - innovation: of the row.
  ///   - change: of the commands, the last one that was sent less the one before [A].
  /// - Returns: nil of a row that is not judged.
  mutating func next(_ innovation: Innovation, change: [Double]) -> Row? {
    guard innovation.isKnown else {
      restart()
      return nil
    }
    func scaled(_ values: [Double], _ scales: [Double]) -> [Double] {
      zip(values, scales).map { $0 / $1 }
    }
    rows.append(
      (scaled(innovation.values, limits.deviations), scaled(change, limits.changeDeviations)))
    commands.append(scaled(innovation.ofCommands, limits.deviations))
    delays.append(scaled(innovation.ofDelay, limits.deviations))
    let active = activity.next(rows[rows.count - 1].change)
    let order = limits.whitening.order
    guard rows.count > order else { return nil }
    if rows.count > order + 1 {
      rows.removeFirst()
      commands.removeFirst()
      delays.removeFirst()
    }
    let factors = limits.excitation.map { $0.deviation(active) }
    let deviations = zip(limits.whitenedDeviations, factors).map { $0 * $1 }
    return Row(
      innovations: scaled(limits.whitening.whitened(rows), deviations),
      ofCommands: scaled(limits.whitening.whitened(direction: commands), deviations),
      ofDelay: scaled(limits.whitening.whitened(direction: delays), deviations),
      deviations: factors, activity: active)
  }

  mutating func restart() {
    rows = []
    commands = []
    delays = []
    activity = CommandActivity()
  }
}

/// The tests of a run.
struct InnovationWatch: Sendable {
  private let limits: InnovationLimits
  private let predictor: StepPredictor
  private let timeStep: Double
  private var whitened: WhitenedInnovations
  private var tests: [DepartureTests]
  /// The last measured rows, and the commands that followed each.
  private var window: Episode
  /// Rows that were judged.
  private(set) var judged = 0

  /// A row whose time differs from a time step by more than this part of it is not judged: the model is of whole steps.
  static let steadiness = 0.25

  init(_ limits: InnovationLimits, _ predictor: StepPredictor, timeStep: Double) {
    (self.limits, self.predictor, self.timeStep) = (limits, predictor, timeStep)
    whitened = WhitenedInnovations(limits)
    tests = limits.deviations.indices.map { limits.tests(of: $0, timeStep: timeStep) }
    window = Episode(name: "", timeStep: timeStep, states: [], actions: [])
  }

  /// - Parameters:
  ///   - row: of the run.
  ///   - isOnTime: false of a row that comes too late or early: all begins anew.
  mutating func next(_ row: MeasuredRow, isOnTime: Bool) -> [DepartureAlarm] {
    guard let innovation = innovation(of: row, isOnTime: isOnTime) else { return [] }
    let count = window.count
    // Of the first command nobody knows how it changed.
    let change =
      count > 2
      ? zip(window.actions[count - 2], window.actions[count - 3]).map { $0 - $1 }
      : window.actions[0].map { _ in 0 }
    guard let judgedRow = whitened.next(innovation, change: change) else {
      for i in tests.indices { tests[i].restart() }
      return []
    }
    judged += 1
    return tests.indices.compactMap { i in
      tests[i].add(
        judgedRow.innovations[i], deviation: judgedRow.deviations[i],
        commands: judgedRow.ofCommands[i], delay: judgedRow.ofDelay[i])
      // Of tests that alarm together the one that is furthest over its limit says what it is.
      let excess = zip(tests[i].statistics, limits.limits[i]).map { $0 / $1 }
      guard
        let departure = Departure.allCases.max(by: { excess[$0.rawValue] < excess[$1.rawValue] }),
        excess[departure.rawValue] > 1
      else { return nil }
      let alarm = DepartureAlarm(
        departure: departure, state: i,
        seconds: Double(tests[i].rows[departure.rawValue]) * timeStep,
        size: judgedRow.innovations[i])
      tests[i].restart()
      return alarm
    }
  }

  /// Adds the row to the window; nil where the model cannot say what it should be.
  private mutating func innovation(of row: MeasuredRow, isOnTime: Bool) -> Innovation? {
    guard let action = row.action, isOnTime, window.count > 0 else {
      begin(row)
      return nil
    }
    window.actions[window.count - 1] = action
    add(row)
    guard window.count > predictor.history + 1 else { return nil }
    let most = max(predictor.memory + 2, 3)
    if window.count > most { window = window.dropFirst(window.count - most) }
    return predictor.innovations(of: window, from: window.count - 1).first
  }

  private mutating func begin(_ row: MeasuredRow) {
    window = Episode(name: "", timeStep: timeStep, states: [], actions: [])
    whitened.restart()
    for i in tests.indices { tests[i].restart() }
    add(row)
  }

  /// The row; its command is not known yet, and what stands for it is replaced when the next row says it.
  private mutating func add(_ row: MeasuredRow) {
    window.states.append(row.states)
    window.actions.append(row.action ?? [])
    if !row.disturbances.isEmpty { window.disturbances.append(row.disturbances) }
  }
}
