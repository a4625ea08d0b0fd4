// SPDX-License-Identifier: Apache-2.0
// The section `quantities` of a task file: named formulas of states (for the model also of commands and disturbances), which
// goals, tracked values, limits, pictures and the model's inputs may name.

import Formulas
import MachineLogs
import SafeText

extension ControlTask {
  /// A line of the section.
  package struct NamedFormula: Hashable, Sendable {
    package var name: String
    package var units: String
    package var formula: Formula
    /// Where episodes end, or nil; of states' formulas only.
    package var limits: ClosedRange<Double>?
  }

  /// quantities: {NAME: formula, NAME: {formula: ..., units: m, limits: [lower, upper]}, ...}; a formula may name others.
  mutating func readQuantities(_ yaml: YAMLMapping) throws {
    guard let section = try yaml.mapping("quantities") else { return }
    if let unfitForFormulas { throw unfitForFormulas }
    let channels = channelNames
    let names = section.keys
    for name in names {
      guard Formula.canHold(name), !Formula.isAmbiguous(name) else {
        throw section.error(
          name, "cannot name a quantity; a name has letters, digits and _, and is not a function")
      }
      guard !channels.contains(name) else {
        throw section.error(
          name, "is a state, action or disturbance; give the quantity another name")
      }
      guard !["t", "time", "goal", "previous", layout.timeColumn].contains(name) else {
        throw section.error(name, "has another meaning in a log or a formula; give it another name")
      }
    }
    let entries = try names.map { try section.isMapping($0) ? section.mapping($0) : nil }
    let texts = try zip(names, entries).map { name, entry -> (name: String, text: String) in
      let text =
        try entry.map { try required($0.string("formula"), "formula", $0) }
        ?? required(section.string(name), name, section)
      return (name: name, text: text)
    }
    let resolved = try Self.resolved(texts, over: channels) { section.error($0, $1) }
    namedFormulas = try zip(names, entries).map { name, entry in
      guard let formula = resolved[name] else { preconditionFailure("'\(name)' is resolved") }
      // Files hold its whole text.
      guard (try? Formula(formula.wholeText, names: channels)) != nil else {
        throw section.error(
          name, "is too long after the quantities in it are replaced by their formulas")
      }
      let limits = try entry.flatMap { try self.limits($0, "limits") }
      if limits != nil, !isOfStates(formula) {
        throw section.error(
          name, "reads a command or disturbance; limits are for formulas of states")
      }
      return NamedFormula(
        name: name, units: try entry?.units() ?? "", formula: formula, limits: limits)
    }
  }

  /// Formulas whose names are channels alone. Throws: what `error` makes, of an unknown name or of formulas that name each other.
  private static func resolved(
    _ texts: [(name: String, text: String)], over channels: [String],
    error: (_ name: String, _ why: String) -> LogError
  ) throws -> [String: Formula] {
    var made: [String: Formula] = [:]
    var left = texts
    while !left.isEmpty {
      let before = left.count
      left.removeAll { name, text in
        guard let formula = try? Formula(text, names: channels, definitions: made) else {
          return false
        }
        made[name] = formula
        return true
      }
      guard left.count == before else { continue }
      // What is left has a fault of its own, waits for what is left, or is too long with what it names put in.
      let names = channels + texts.map(\.name)
      var waitsFor: [String: Set<String>] = [:]
      for (name, text) in left {
        do {
          let others = try Formula(text, names: names).names.subtracting(channels)
          waitsFor[name] = others.filter { made[$0] == nil }
          if waitsFor[name] == [] {
            _ = try Formula(text, names: channels, definitions: made)
          }
        } catch let fault as FormulaError {
          throw error(name, "\(fault)")
        }
      }
      // What nobody in a circle waits for is not in it.
      var circle = waitsFor
      while let outside = circle.keys.first(where: { name in
        !circle.values.contains { $0.contains(name) }
      }) { circle[outside] = nil }
      let waiting = left.map(\.name).filter { circle[$0] != nil }
      throw error(
        waiting.first ?? left[0].name,
        waiting.count == 1
          ? "is defined by itself"
          : "is defined by itself: \(waiting.map { "'\($0)'" }.joined(separator: ", ")) name each other in a circle"
      )
    }
    return made
  }

  /// Whether a formula of channels names states alone.
  private func isOfStates(_ formula: Formula) -> Bool {
    formula.names.isSubset(of: layout.states.map(\.name))
  }

  /// Whether a formula of channels names a disturbance.
  private func isDisturbed(_ formula: Formula) -> Bool {
    layout.disturbances.contains { formula.names.contains($0.channel.name) }
  }

  /// Names of disturbances and of quantities that read one: what serves the model alone.
  var disturbedNames: [String] {
    layout.disturbances.map(\.channel.name)
      + namedFormulas.filter { isDisturbed($0.formula) }.map(\.name)
  }

  /// Formulas of states, as quantities.
  package var quantities: [Quantity] {
    let states = layout.states.map(\.name)
    return namedFormulas.filter { isOfStates($0.formula) }.map {
      Quantity(name: $0.name, units: $0.units, formula: $0.formula, states: states)
    }
  }

  /// What stands for the names of quantities in a formula that has no such names itself.
  ///
  /// - Parameter ofStates: whether those that read commands are left out; those that read disturbances are.
  func definitions(ofStates: Bool = false) -> [String: Formula] {
    let goals = Set(objective.goalQuantities?.map(\.name) ?? [])
    let used = namedFormulas.filter {
      !goals.contains($0.name) && !isDisturbed($0.formula)
        && (!ofStates || isOfStates($0.formula))
    }
    return Dictionary(uniqueKeysWithValues: used.map { ($0.name, $0.formula) })
  }

  /// A state or a quantity of this name, or nil.
  package func quantity(_ name: String) -> Quantity? {
    if let i = layout.states.firstIndex(where: { $0.name == name }) {
      return Quantity(name: name, units: layout.states[i].units, definition: .state(i))
    }
    return quantities.first { $0.name == name }
  }
}
