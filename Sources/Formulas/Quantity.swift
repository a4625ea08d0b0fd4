// SPDX-License-Identifier: Apache-2.0
// Quantities: values that matter to an operator but are not states. The tip of a crane's tool is a formula
// of three angles; goals, rewards, limits and reports may use it.

import Programs

/// A number that a row of states says: one of them, or a formula of them.
package struct Quantity: Sendable {
  package let name: String
  /// As in the task; "" for none.
  package let units: String
  package let definition: Definition
  /// Of a formula, and the states [S] whose values it takes.
  private let evaluator: (formula: FormulaEvaluator, states: [Int])?

  package enum Definition: Hashable, Sendable {
    /// State i.
    case state(Int)
    /// The formula's names are states with these indices.
    case formula(Formula, states: [String: Int])
  }

  package init(name: String, units: String, definition: Definition) {
    (self.name, self.units, self.definition) = (name, units, definition)
    if case .formula(let formula, let states) = definition {
      evaluator = (FormulaEvaluator(formula, names: Array(states.keys)), Array(states.values))
    } else {
      evaluator = nil
    }
  }

  /// A formula of states.
  ///
  /// - Parameter states: their names; the formula has no others.
  package init(name: String, units: String, formula: Formula, states: [String]) {
    let indices = formula.names.map { name in
      guard let index = states.firstIndex(of: name) else {
        preconditionFailure("'\(name)' is not among \(states)")
      }
      return (name, index)
    }
    self.init(
      name: name, units: units,
      definition: .formula(formula, states: Dictionary(uniqueKeysWithValues: indices)))
  }

  /// Its value [1] in a program, for a state [S] in physical units.
  package func value(_ state: Value) -> Value {
    switch definition {
    case .state(let i): state[i]
    case .formula(let formula, let states):
      formula.value(state.builder) { state[states[$0, default: 0]] }
    }
  }

  /// Its value for a state [S] in physical units.
  package func value(_ state: [Double]) -> Double {
    if let evaluator { return evaluator.formula.value(evaluator.states.map { state[$0] }) }
    return self.state.map { state[$0] } ?? .nan
  }

  /// "tip_x (m) = ...", with its whole formula; a state's name alone.
  package var statement: String {
    let named = name + (units.isEmpty ? "" : " (\(units))")
    guard case .formula(let formula, _) = definition else { return named }
    return "\(named) = \(formula.wholeText)"
  }

  /// The state that it is, if it is one.
  package var state: Int? { if case .state(let i) = definition { i } else { nil } }
}

extension Quantity: Hashable {
  package static func == (a: Quantity, b: Quantity) -> Bool {
    a.name == b.name && a.units == b.units && a.definition == b.definition
  }

  package func hash(into hasher: inout Hasher) {
    hasher.combine(name)
    hasher.combine(units)
    hasher.combine(definition)
  }
}
