// SPDX-License-Identifier: Apache-2.0
// Known physics of the machine's motion in a task: model: {mean: {RATE: formula}, constants: {NAME: number, or free}}.

import Formulas
import GaussianProcesses
import MachineLogs
import SafeText

extension ControlTask {
  /// mean: {STATE: its rate of change, per second}, over states, actions, disturbances, quantities and constants.
  func knownPhysics(_ entry: YAMLMapping) throws -> KnownPhysics? {
    if let unfitForFormulas { throw unfitForFormulas }
    guard !entry.has("restPseudoData") else {
      throw entry.error("mean", "of known physics and restPseudoData exclude each other")
    }
    let constants = try knownConstants(entry)
    guard let section = try entry.mapping("mean") else { return nil }
    let outputs = try modelForm().outputStates.map { layout.states[$0].name }
    let channels = channelNames
    let definitions = Dictionary(
      uniqueKeysWithValues: namedFormulas.map { ($0.name, $0.formula) })
    let rates = try section.keys.map { name -> KnownPhysics.Rate in
      guard outputs.contains(name) else {
        let isState = layout.states.contains { $0.name == name }
        throw section.error(
          name,
          (isState ? "is integrated or derived, not predicted" : "is not an output of the model")
            + "; the outputs are \(outputs.joined(separator: ", "))")
      }
      let text = try required(section.string(name), name, section)
      do {
        return KnownPhysics.Rate(
          state: name,
          formula: try Formula(
            text, names: channels + constants.map(\.name), definitions: definitions))
      } catch let fault as FormulaError {
        throw section.error(name, "\(fault)")
      }
    }
    guard !rates.isEmpty else { throw entry.error("mean", "contains no state") }
    let used = rates.reduce(into: Set<String>()) { $0.formUnion($1.formula.names) }
    if let idle = constants.first(where: { !used.contains($0.name) }) {
      throw entry.error("constants", "has '\(shortened(idle.name))', which is in no formula")
    }
    return KnownPhysics(rates: rates, constants: constants, delay: model.actionDelay)
  }

  /// constants: {b: 0.1, m: free, J: {start: 0.05, lower: 0, upper: 1}}
  private func knownConstants(_ entry: YAMLMapping) throws -> [KnownPhysics.Constant] {
    let names = entry.keys(of: "constants")
    guard entry.has("constants"), let section = try entry.mapping("constants") else { return [] }
    let taken = channelNames + namedFormulas.map(\.name)
    return try names.map { name in
      guard Formula.canHold(name), !Formula.isAmbiguous(name) else {
        throw section.error(
          name, "cannot name a constant; a name has letters, digits and _, and is not a function")
      }
      guard !taken.contains(name) else {
        throw section.error(
          name, "is a state, action, disturbance or quantity; give the constant another name")
      }
      if section.isMapping(name), let one = try section.mapping(name) {
        let lower = try one.number("lower") ?? -Self.largestConstant
        let upper = try one.number("upper") ?? Self.largestConstant
        guard lower < upper else { throw one.error("lower", "must be below upper") }
        let start = try one.number("start") ?? min(max(1, lower), upper)
        guard (lower...upper).contains(start) else {
          throw one.error("start", "must lie within lower and upper")
        }
        return .init(name: name, from: start, within: lower...upper)
      }
      if try section.word(name) == "free" {
        return .init(
          name: name, from: 1, within: -Self.largestConstant...Self.largestConstant)
      }
      return .init(name: name, value: try required(section.number(name), name, section))
    }
  }

  private static let largestConstant = 1e9
}
