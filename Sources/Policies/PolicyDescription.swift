// SPDX-License-Identifier: Apache-2.0
// The description in a policy's file: its machine (channels, units, limits, time step), its inputs, and
// its origin. A policy is refused for another machine.

import Formulas

/// What a policy file says about itself.
package struct PolicyDescription: Hashable, Sendable {
  package var task: String
  /// Of the states, and after them of the disturbances that it sees.
  package var stateNames: [String]
  package var stateUnits: [String]
  package var actionNames: [String]
  package var lower: [Double]
  package var upper: [Double]
  /// Largest change of each action a step; nil for none.
  package var largestChange: [Double?]
  /// What actuators are sent before the first action.
  package var rest: [Double]
  package var timeStep: Double
  package var form: PolicyForm
  package var inputs: PolicyInputs
  /// Bounds of those in the data that its model was learnt from; goals beyond were never tried.
  package var dataBounds: [ClosedRange<Double>]?
  /// What goals are of at some of those states [n][G], where they are of quantities: others were never tried.
  package var loggedGoals: [[Double]] = []
  /// The plant of its task, in words; nil where there was none.
  package var plant: String?
  /// Fingerprint of the model that it was found on (`DynamicsModel.fingerprint`); nil where nobody knows.
  package var model: String?
  /// Fingerprint of the task that it was searched for; nil where nobody asks.
  package var searched: String?
  /// Its return on its model, as the search judged it.
  package var predictedReturn: Double?
  /// What its search read of the model, in words; nil where nobody knows.
  package var sampler: String?

  package init(
    task: String, stateNames: [String], stateUnits: [String], actionNames: [String],
    lower: [Double], upper: [Double], largestChange: [Double?], rest: [Double],
    timeStep: Double, form: PolicyForm, inputs: PolicyInputs
  ) {
    self.task = task
    self.stateNames = stateNames
    self.stateUnits = stateUnits
    self.actionNames = actionNames
    self.lower = lower
    self.upper = upper
    self.largestChange = largestChange
    self.rest = rest
    self.timeStep = timeStep
    self.form = form
    self.inputs = inputs
  }

  /// The largest change of each action a step as policies take it [A]; empty where none has a limit.
  package var largestChanges: [Double] {
    largestChange.contains { $0 != nil } ? largestChange.map { $0 ?? .infinity } : []
  }

  /// The policy it describes.
  package func makePolicy() -> Policy {
    form.makePolicy(
      inputs: inputs, lower: lower, upper: upper, largestChange: largestChanges, rest: rest)
  }

  /// The first difference that makes the policy useless for `other`'s machine, or nil.
  package func mismatch(with other: PolicyDescription) -> String? {
    func differ<T: Equatable>(_ what: String, _ a: T, _ b: T) -> String? {
      a == b ? nil : "\(what): its \(a), the task's \(b)"
    }
    func words(_ changes: [Double?]) -> String {
      changes.isEmpty
        ? "none" : changes.map { $0.map { "\($0)" } ?? "none" }.joined(separator: ", ")
    }
    func words(_ goals: [Quantity]?) -> String {
      goals?.map(\.statement).joined(separator: ", ") ?? "the states"
    }
    let differences = [
      inputs.disturbanceLength == other.inputs.disturbanceLength
        ? nil
        : "disturbances that it sees: its \(inputs.disturbanceLength), the task's "
          + "\(other.inputs.disturbanceLength) (policy: {disturbances: ...})",
      differ("states", stateNames, other.stateNames),
      differ("states' units", stateUnits, other.stateUnits),
      inputs.goalQuantities == other.inputs.goalQuantities
        ? nil
        : "goals: its \(words(inputs.goalQuantities)), the task's \(words(other.inputs.goalQuantities))",
      differ("actions", actionNames, other.actionNames),
      differ("lower limits", lower, other.lower),
      differ("upper limits", upper, other.upper),
      largestChange == other.largestChange
        ? nil
        : differ(
          "largest changes per step", words(largestChange), words(other.largestChange)),
      differ("safe actions", rest, other.rest),
      differ("time step in seconds", timeStep, other.timeStep),
    ]
    return differences.lazy.compactMap { $0 }.first
  }
}
