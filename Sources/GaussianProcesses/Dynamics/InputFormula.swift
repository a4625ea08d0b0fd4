// SPDX-License-Identifier: Apache-2.0
// A formula of states and exogenous inputs as an input of the Gaussian processes: what couples the parts of a machine, in one number. The
// oil that three valves ask for is one input of each joint in place of two valves.

import Formulas
import Programs

/// A named formula of states and exogenous inputs (commands and disturbances).
public struct InputFormula: Hashable, Sendable, Codable {
  public let name: String
  let formula: Formula
  /// Indices of the names in the formula.
  let states: [String: Int]
  let actions: [String: Int]

  /// Its numbers for many states [S] and exogenous inputs [A + W], physical units.
  struct Evaluator {
    private let evaluator: FormulaEvaluator
    /// Indices of the names, states first.
    private let states: [Int]
    private let actions: [Int]

    init(_ formula: InputFormula) {
      let (states, actions) = (Array(formula.states), Array(formula.actions))
      evaluator = FormulaEvaluator(
        formula.formula, names: states.map(\.key) + actions.map(\.key))
      (self.states, self.actions) = (states.map(\.value), actions.map(\.value))
    }

    func value(_ state: [Double], _ action: [Double]) -> Double {
      evaluator.value(states.map { state[$0] } + actions.map { action[$0] })
    }
  }

  /// - Parameters:
  ///   - name: of the quantity.
  ///   - formula: of physical values.
  ///   - states: names of all states; the formula names these ...
  ///   - exogenous: ... and these alone: names of all exogenous inputs.
  public init(name: String, formula: Formula, states: [String], exogenous actions: [String]) {
    (self.name, self.formula) = (name, formula)
    func indices(_ all: [String]) -> [String: Int] {
      Dictionary(
        uniqueKeysWithValues: all.enumerated().filter { formula.names.contains($1) }.map {
          ($1, $0)
        })
    }
    (self.states, self.actions) = (indices(states), indices(actions))
    precondition(
      self.states.count + self.actions.count == formula.names.count,
      "\(formula.text) names more than \(states) and \(actions)")
  }

  /// Whether it reads one of the first exogenous inputs, the commands.
  public func readsCommand(of commands: Int) -> Bool { actions.values.contains { $0 < commands } }

  public func reads(state i: Int) -> Bool { states.values.contains(i) }

  /// Its value [1] in a program, of physical states [S] and exogenous inputs by number.
  func value(_ state: Value, _ exogenous: (Int) -> Value) -> Value {
    formula.value(state.builder) { name in
      if let i = states[name] { return state[i] }
      return exogenous(actions[name, default: 0])
    }
  }

  func isSound(states count: Int, actions actionCount: Int) -> Bool {
    states.values.allSatisfy((0..<count).contains)
      && actions.values.allSatisfy((0..<actionCount).contains)
      && formula.names == Set(states.keys).union(actions.keys)
  }
}
