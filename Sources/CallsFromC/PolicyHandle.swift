// SPDX-License-Identifier: Apache-2.0
// A policy in the hands of a C program: measured columns or states, and a goal -> an action; it has the memory of a controller on a
// machine. The model of its file tells from which columns its states come.

import Bagel
import CBagel
import GaussianProcesses
import MachineLogs
import Policies
import TensorFiles

/// Behind `bagel_policy`.
final class PolicyHandle: Handle {
  static var kind: String { "policy" }

  let controller: PolicyController
  let description: PolicyDescription
  let texts: ChannelTexts
  /// Whose states are what it sees; nil where nobody said.
  private let layout: LogLayout?
  private var run: ControllerRun
  private var signals: CausalSignals?
  /// Seconds that rows took which could not be used.
  private var elapsed = 0.0
  private var rows = 0

  var policy: Policy { controller.policy }
  /// Whether it takes measurements.
  var isMeasured: Bool { layout != nil }
  /// C
  var measuredCount: Int { layout?.measuredColumns.count ?? 0 }
  /// G
  var goalCount: Int { policy.inputs.goal == .none ? 0 : policy.inputs.goalForm.length }

  /// Reads a policy, and of a model how its states are measured.
  ///
  /// Throws: `TensorFileError`.
  init(path: String, model: String?) throws {
    let found = try PolicyController.read(path: path)
    (controller, description) = found
    layout = try model.map { try found.description.layout(ofModel: $0) }
    run = controller.begin()
    signals = layout.map(CausalSignals.init)
    texts = ChannelTexts(description, layout)
  }

  func reset() {
    run = controller.begin()
    signals = layout.map(CausalSignals.init)
    (elapsed, rows) = (0, 0)
  }

  /// A row that cannot be used: its seconds count for the next one.
  ///
  /// - Parameter seconds: since the last row; a time step where it is not positive or not finite.
  func pass(seconds: Double) {
    elapsed += seconds > 0 && seconds.isFinite ? seconds : description.timeStep
  }

  /// The action [A] for measured columns [C] and a goal [G].
  ///
  /// - Parameter seconds: as in `pass`.
  /// - Throws: `BadNumbers`.
  func action(measured: [Double], goal: [Double], seconds: Double) throws -> [Double] {
    guard var next = signals else { preconditionFailure("no layout says what is measured") }
    pass(seconds: seconds)
    let states = next.next(measured, elapsed: rows > 0 ? elapsed : nil)
    guard states.allSatisfy(\.isFinite) else {
      throw BadNumbers("a rate derived from 'measured' is not finite")
    }
    signals = next
    (rows, elapsed) = (rows + 1, 0)
    return try action(states: states, goal: goal)
  }

  /// The action [A] for states [S] and a goal [G]. Throws: `BadNumbers`.
  func action(states: [Double], goal: [Double]) throws -> [Double] {
    let action = run.action(observed: states, goal: goal)
    guard action.allSatisfy(\.isFinite) else {
      throw BadNumbers("the policy's action or its memory is not finite")
    }
    return action
  }

  /// A call that gave no action of the policy's: what is sent now replaces none of it.
  func refuse() { run.skip() }

  func sent(_ action: [Double]) { run.sent(action) }
}

extension PolicyDescription {
  /// How a model's file says that this policy's states are measured. Throws: `TensorFileError`, also of another machine's model.
  fileprivate func layout(ofModel path: String) throws(TensorFileError) -> LogLayout {
    var layout = try DynamicsModel(path: path).layout
    if inputs.disturbanceLength > 0 { layout.states += layout.disturbances.map(\.channel) }
    func differ<T: Equatable>(_ what: String, _ its: T, _ own: T) -> String? {
      its == own ? nil : "\(what): its \(its), the policy's \(own)"
    }
    let difference =
      differ("states", layout.states.map(\.name), stateNames)
      ?? differ("states' units", layout.states.map(\.units), stateUnits)
      ?? differ("actions", layout.actions.map(\.name), actionNames)
      ?? differ("time step in seconds", layout.timeStep, timeStep)
    if let difference {
      throw TensorFileError(path: path, "is a model of another machine; \(difference)")
    }
    return layout
  }
}

extension ChannelTexts {
  fileprivate init(_ description: PolicyDescription, _ layout: LogLayout?) {
    let states = zip(description.stateNames, description.stateUnits).map { ($0, $1) }
    let inputs = description.inputs
    let goals =
      inputs.goalQuantities?.map { ($0.name, $0.units) }
      ?? Array(states.dropLast(inputs.disturbanceLength))
    self.init(
      states: states, measured: layout?.measuredTexts ?? [],
      goals: inputs.goal == .none ? [] : goals,
      actions: description.actionNames.enumerated().map { ($1, layout?.actions[$0].units ?? "") })
  }
}

extension LogLayout {
  /// Names and units of the measured columns; a column that rates alone are read from has no unit that is known.
  var measuredTexts: [(String, String)] {
    measuredColumns.map { ($0, state(ofColumn: $0).map { states[$0].units } ?? "") }
  }
}
