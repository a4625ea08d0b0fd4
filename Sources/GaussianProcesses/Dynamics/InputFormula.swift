// SPDX-License-Identifier: Apache-2.0
// A formula of states, commands and disturbances as an input of the Gaussian processes: what couples the parts of a machine, in one number. The
// oil demand of three valves is one input of each joint instead of two valves.

import Formulas
import Programs

/// A named formula of states, commands and disturbances.
package struct InputFormula: Hashable, Sendable, Codable {
  package let name: String
  let formula: Formula
  /// Indices of the names in the formula.
  let states: [String: Int]
  let actions: [String: Int]
  /// nil where it names none.
  private let ownDisturbances: [String: Int]?
  var disturbances: [String: Int] { ownDisturbances ?? [:] }

  private enum CodingKeys: String, CodingKey {
    case name, formula, states, actions
    case ownDisturbances = "disturbances"
  }

  /// Its numbers for many states [S], actions [A] and disturbances [W], physical units.
  struct Evaluator {
    private let evaluator: FormulaEvaluator
    /// Indices of the names, states first.
    private let states: [Int]
    private let actions: [Int]
    private let disturbances: [Int]

    init(_ formula: InputFormula) {
      let parts = [formula.states, formula.actions, formula.disturbances].map { Array($0) }
      evaluator = FormulaEvaluator(formula.formula, names: parts.joined().map(\.key))
      let indices = parts.map { $0.map(\.value) }
      (states, actions, disturbances) = (indices[0], indices[1], indices[2])
    }

    func value(_ state: [Double], _ action: [Double], _ disturbance: [Double]) -> Double {
      evaluator.value(
        states.map { state[$0] } + actions.map { action[$0] }
          + disturbances.map { disturbance[$0] })
    }
  }

  /// - Parameters:
  ///   - name: of the quantity.
  ///   - formula: of physical values.
  ///   - states: names of all states; the formula names these ...
  ///   - actions: ... those of actions ...
  ///   - disturbances: ... and of disturbances alone.
  package init(
    name: String, formula: Formula, states: [String], actions: [String],
    disturbances: [String] = []
  ) {
    (self.name, self.formula) = (name, formula)
    func indices(_ all: [String]) -> [String: Int] {
      Dictionary(
        uniqueKeysWithValues: all.enumerated().filter { formula.names.contains($1) }.map {
          ($1, $0)
        })
    }
    (self.states, self.actions) = (indices(states), indices(actions))
    let disturbing = indices(disturbances)
    ownDisturbances = disturbing.isEmpty ? nil : disturbing
    precondition(
      self.states.count + self.actions.count + disturbing.count == formula.names.count,
      "\(formula.text) names more than \(states), \(actions) and \(disturbances)")
  }

  package var readsCommands: Bool { !actions.isEmpty }

  package func reads(state i: Int) -> Bool { states.values.contains(i) }

  /// Its value [1] in a program, of physical states [S], actions [A] and disturbances [W].
  func value(
    _ state: Value, _ action: @autoclosure () -> Value, _ disturbance: @autoclosure () -> Value
  ) -> Value {
    formula.value(state.builder) { name in
      if let i = states[name] { return state[i] }
      if let w = disturbances[name] { return disturbance()[w] }
      return action()[actions[name, default: 0]]
    }
  }

  func isSound(states count: Int, actions actionCount: Int, disturbances more: Int) -> Bool {
    states.values.allSatisfy((0..<count).contains)
      && actions.values.allSatisfy((0..<actionCount).contains)
      && disturbances.values.allSatisfy((0..<more).contains)
      && formula.names.count == states.count + actions.count + disturbances.count
      && formula.names == Set(states.keys).union(actions.keys).union(disturbances.keys)
  }
}
