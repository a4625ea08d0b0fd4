// SPDX-License-Identifier: Apache-2.0
// An exported controller as it runs, in Swift: what C code must do, row by row. Its answers are the vectors of controller_test.c.

import Draws
import MachineLogs
import Policies
import Watching

/// A run of an exported controller.
struct ExportedRun {
  private let export: ExportedController
  private var signals: CausalSignals
  private var controller: ControllerRun
  private var frozen: FrozenSensors
  private let box: DataBox?
  private var rows = 0
  private var elapsed = 0.0
  private var isStopped = false
  private var isHolding = false
  private var lastAction: [Double]

  init(_ export: ExportedController) {
    self.export = export
    signals = CausalSignals(export.layout)
    controller = export.controller.begin()
    frozen = FrozenSensors(
      longestRepeats: export.layout.measuredColumns.map { export.guards.longestRepeats[$0] ?? 0 })
    box = export.guards.bounds.map(DataBox.init)
    lastAction = export.policy.rest
  }

  /// The action [A] and the status of a row.
  ///
  /// - Parameters:
  ///   - measured: [C], physical units.
  ///   - goal: [G], physical units.
  ///   - seconds: since the last call; a time step where it is not positive or not finite.
  mutating func step(
    measured: [Double], goal: [Double], seconds: Double
  ) -> (action: [Double], status: Int) {
    elapsed += seconds > 0 && seconds.isFinite ? seconds : export.layout.timeStep
    var found: Set<ControllerFinding> = []
    let seesGoal = export.policy.inputs.goal != .none
    var action = export.policy.rest
    if !measured.allSatisfy(\.isFinite) || seesGoal && !goal.allSatisfy(\.isFinite) {
      found.insert(.notFinite)
    } else {
      let states = signals.next(measured, elapsed: rows > 0 ? elapsed : nil)
      found = findings(measured, states)
      (rows, elapsed) = (rows + 1, 0)
      follow(found)
      let own = controller.action(observed: states, goal: goal)
      if own.allSatisfy(\.isFinite) { action = own } else { found.insert(.notFinite) }
    }
    if isHolding { action = held() }
    if isStopped { action = export.policy.rest }
    controller.sent(action)
    lastAction = action
    if isStopped { found.insert(.stopped) }
    if isHolding { found.insert(.holding) }
    return (action, found.reduce(0) { $0 | $1.bit })
  }

  private mutating func findings(_ measured: [Double], _ states: [Double]) -> Set<ControllerFinding>
  {
    var found: Set<ControllerFinding> = []
    let responses = export.guards.responses
    let isFrozen = !frozen.next(measured).isEmpty
    if responses[.frozen] != .off, isFrozen { found.insert(.frozen) }
    if responses[.late] != .off, rows > 0, elapsed >= RunWatch.lateSteps * export.layout.timeStep {
      found.insert(.late)
    }
    if responses[.beyondData] != .off, let box,
      export.boundedStates.contains(where: { box.isWellBeyond(states[$0], of: $0) })
    {
      found.insert(.beyondData)
    }
    if export.guards.limits.contains(where: { !$0.range.contains($0.quantity.value(states)) }) {
      found.insert(.leftLimits)
    }
    return found
  }

  private mutating func follow(_ found: Set<ControllerFinding>) {
    if found.contains(.leftLimits) { isStopped = true }
    for (matter, finding) in ExportedGuards.watched where found.contains(finding) {
      switch export.guards.responses[matter] {
      case .stop: isStopped = true
      case .fallback: isHolding = true
      case .off, .warn: break
      }
    }
  }

  /// The resting action, within the rate limits.
  private func held() -> [Double] {
    let policy = export.policy
    return policy.rest.indices.map { j in
      guard !policy.largestChange.isEmpty else { return policy.rest[j] }
      let change = policy.largestChange[j]
      return min(max(policy.rest[j], lastAction[j] - change), lastAction[j] + change)
    }
  }
}

/// A row that a test feeds to exported code, and what must come of it.
struct ControllerVector {
  /// Whether a reset stands before it.
  var isFirst: Bool
  var seconds: Double
  var measured: [Double]
  var goal: [Double]
  var action: [Double]
  var status: Int
}

/// A walk over measurements: smooth, about the data's mean.
private struct RandomWalk {
  private let centres: [Double]
  private let widths: [Double]
  private(set) var measured: [Double]
  private var pace: [Double]
  private let turns: [Double?]

  init(_ export: ExportedController) {
    func ofState(_ column: String, _ values: [Double], or other: Double) -> Double {
      export.layout.state(ofColumn: column).map { values[$0] } ?? other
    }
    let columns = export.layout.measuredColumns
    centres = columns.map { ofState($0, export.controller.stateMean, or: 0) }
    widths = columns.map { ofState($0, export.controller.stateScale, or: 1) }
    (measured, pace) = (centres, centres.map { _ in 0 })
    turns = columns.map { export.layout.turn(ofColumn: $0) }
  }

  /// As sensors give it: angles that turn within half a turn of zero.
  var seen: [Double] { zip(measured, turns).map { shorterWay($0, turn: $1) } }

  /// - Parameters:
  ///   - draws: standard normal [C].
  ///   - drift: towards larger values, in deviations of the data a row.
  mutating func step(_ draws: [Double], drift: Double) {
    for c in measured.indices {
      pace[c] = 0.9 * pace[c] + 0.01 * widths[c] * draws[c]
      let back = drift > 0 || turns[c] != nil ? 0 : 0.02 * (centres[c] - measured[c])
      measured[c] += (turns[c] == nil ? pace[c] : 3 * pace[c]) + back + drift * widths[c]
    }
  }
}

extension ExportedController {
  /// Rows of random walks over the data, with lost samples, numbers that are not finite, sensors that freeze and states that leave, each
  /// in a part of its own, and what the controller answers. Where it has stopped or holds, it is reset some rows later; where it drifts,
  /// after many rows.
  ///
  /// - Parameter count: of rows.
  func vectors(_ count: Int) -> [ControllerVector] {
    let key = DrawKey(seed: 1, stream: .exportedVectors)
    var (run, walk, goal, latchedRows) = (ExportedRun(self), RandomWalk(self), goalMean, 0)
    let latched = ControllerFinding.stopped.bit | ControllerFinding.holding.bit
    return (0..<count).map { k in
      // Fifths: plain, lost samples, numbers that are none, sensors that freeze, drift out of the data and of any limits.
      let (part, row) = (min(5 * k / count, 4), k % max(count / 5, 1))
      let isFirst =
        row == 0 || (part < 4 ? latchedRows > Self.latchedVectors : row % Self.driftVectors == 0)
      if isFirst { (run, walk, latchedRows) = (ExportedRun(self), RandomWalk(self), 0) }
      let draws = key.normals(particle: k, step: 0, count: layout.measuredColumns.count)
      if !(part == 3 && row % 20 > 12) { walk.step(draws, drift: part == 4 ? 0.05 : 0) }
      if row % 40 == 0 {
        let draws = key.normals(particle: k, step: 1, count: goal.count)
        goal = goal.indices.map { goalMean[$0] + 0.5 * goalScale[$0] * draws[$0] }
      }
      var seconds = layout.timeStep * (part == 1 && row % 7 == 6 ? 2.5 : 1)
      if part == 1, row % 50 == 48 { seconds = [0, -1, .infinity, .nan][row / 50 % 4] }
      var (seen, wanted) = (walk.seen, goal)
      if part == 2, row % 11 == 10 { seen[row % seen.count] = row % 2 == 0 ? .nan : .infinity }
      if part == 2, row % 29 == 28 { wanted[row % wanted.count] = -.infinity }
      let (action, status) = run.step(measured: seen, goal: wanted, seconds: seconds)
      latchedRows += status & latched == 0 ? 0 : 1
      return ControllerVector(
        isFirst: isFirst, seconds: seconds, measured: seen, goal: wanted, action: action,
        status: status)
    }
  }

  /// Rows of a controller that has stopped or holds, before it is reset.
  private static let latchedVectors = 4
  /// Rows in which states drift out of the data, before the controller is reset.
  private static let driftVectors = 100

  private var goalMean: [Double] {
    controller.goals?.mean ?? Array(controller.stateMean.prefix(goals.count))
  }
  private var goalScale: [Double] {
    controller.goals?.scale ?? Array(controller.stateScale.prefix(goals.count))
  }
}
