// SPDX-License-Identifier: Apache-2.0
// A formula of states and commands as an input of the Gaussian processes: what couples the parts of a machine, in one number. The
// oil that three valves ask for is one input of each joint in place of two valves.

import Formulas
import Programs

/// A named formula of states and commands.
public struct InputFormula: Hashable, Sendable {
  public let name: String
  let formula: Formula
  /// Indices of the names in the formula.
  let states: [String: Int]
  let actions: [String: Int]

  /// - Parameters:
  ///   - states: names of all states; the formula names these ...
  ///   - actions: ... and these alone.
  public init(name: String, formula: Formula, states: [String], actions: [String]) {
    (self.name, self.formula) = (name, formula)
    func indices(_ all: [String]) -> [String: Int] {
      Dictionary(
        uniqueKeysWithValues: all.enumerated().filter { formula.names.contains($1) }.map { ($1, $0) })
    }
    (self.states, self.actions) = (indices(states), indices(actions))
    precondition(
      self.states.count + self.actions.count == formula.names.count,
      "\(formula.text) names more than \(states) and \(actions)")
  }

  public var readsCommands: Bool { !actions.isEmpty }

  /// Its number for states [S] and commands [A], physical units.
  func value(_ state: [Double], _ action: [Double]) -> Double {
    var values = states.mapValues { state[$0] }
    for (name, j) in actions { values[name] = action[j] }
    return formula.value(values)
  }

  /// Its value [1] in a program, of physical states [S] and commands [A].
  func value(_ state: Value, _ action: Value) -> Value {
    formula.value(state.builder) { name in
      if let i = states[name] { return state[i] }
      return action[actions[name, default: 0]]
    }
  }

  func isSound(states count: Int, actions actionCount: Int) -> Bool {
    states.values.allSatisfy((0..<count).contains)
      && actions.values.allSatisfy((0..<actionCount).contains)
      && formula.names == Set(states.keys).union(actions.keys)
  }
}

/// As a model's file has it: the formula as text, and what its names are.
extension InputFormula: Codable {
  private enum CodingKeys: CodingKey {
    case name, formula, states, actions
  }

  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    name = try values.decode(String.self, forKey: .name)
    states = try values.decode([String: Int].self, forKey: .states)
    actions = try values.decode([String: Int].self, forKey: .actions)
    let text = try values.decode(String.self, forKey: .formula)
    do {
      formula = try Formula(text, names: Array(states.keys) + Array(actions.keys))
    } catch {
      throw DecodingError.dataCorruptedError(
        forKey: .formula, in: values, debugDescription: "\(error)")
    }
  }

  public func encode(to encoder: any Encoder) throws {
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encode(name, forKey: .name)
    try values.encode(formula.wholeText, forKey: .formula)
    try values.encode(states, forKey: .states)
    try values.encode(actions, forKey: .actions)
  }
}
