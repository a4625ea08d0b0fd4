// SPDX-License-Identifier: Apache-2.0
// A quantity in a file: its formula as text, with the names of the file's own states.

import Formulas
import SafeText

/// Words of a quantity.
struct StoredQuantity: Codable {
  var name: String
  var units: String
  /// Over the states' names; nil of a state.
  var formula: String?

  init(_ quantity: Quantity) {
    (name, units) = (quantity.name, quantity.units)
    if case .formula(let formula, _) = quantity.definition { self.formula = formula.wholeText }
  }

  /// What is wrong with it beside these states, in words, or nil.
  func problem(states: [String]) -> String? {
    if let problem = SafeText.problem(ofName: name) { return "the name of a quantity \(problem)" }
    if !units.isEmpty, let problem = SafeText.problem(ofName: units) {
      return "the unit of '\(name)' \(problem)"
    }
    guard let formula else {
      return states.contains(name) ? nil : "'\(name)' is neither a state nor has a formula"
    }
    do {
      _ = try Formula(formula, names: states)
      return nil
    } catch {
      return "the formula of '\(name)' cannot be read: \(error)"
    }
  }

  /// The quantity; nil where there is a `problem`.
  func quantity(states: [String]) -> Quantity? {
    if let formula = formula.flatMap({ try? Formula($0, names: states) }) {
      return Quantity(name: name, units: units, formula: formula, states: states)
    }
    return states.firstIndex(of: name).map {
      Quantity(name: name, units: units, definition: .state($0))
    }
  }
}
