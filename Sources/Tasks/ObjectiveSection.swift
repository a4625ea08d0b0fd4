// SPDX-License-Identifier: Apache-2.0
// The aim in a task file: policy, reward, start and goal of episodes.

import Formulas
import MachineLogs
import Policies
import PolicySearch
import Rollouts
import SafeText

extension ControlTask {
  mutating func readRewards(_ yaml: YAMLMapping) throws {
    objective.rewards = try (yaml.mappings("reward") ?? []).map { try rewardTerm($0) }
    for case .learned(let column, _) in objective.rewards {
      guard rewardColumn ?? column == column else {
        throw yaml.error("reward", "learns from two columns; use only one `learned`")
      }
      rewardColumn = column
    }
  }

  private func rewardTerm(_ entry: YAMLMapping) throws -> Objective.RewardTerm {
    func weights(_ term: YAMLMapping) throws -> ([Double], RewardUnits) {
      guard objective.hasGoal else {
        throw term.error(
          "weights", "measures the distance to the goal, but the task has no `goal:`")
      }
      let weights = try weightsByGoal(term)
      guard weights.allSatisfy({ $0 >= 0 }), weights.contains(where: { $0 > 0 }) else {
        throw term.error(
          "weights",
          "must not be negative, and at least one must be above 0: rewards grow towards the goal"
        )
      }
      let units = try term.choice("units", RewardUnits.self, among: ["standardised", "physical"])
      return (weights, units ?? .standardised)
    }
    if let term = try entry.mapping("saturating") {
      let (weights, units) = try weights(term)
      return .saturating(
        weights: weights, width: try term.positive("width", 1e-6...1e6) ?? 1, units: units)
    }
    if let term = try entry.mapping("quadratic") {
      let (weights, units) = try weights(term)
      let actions = try term.numbers("actionWeights") ?? []
      guard actions.isEmpty || actions.count == layout.actions.count else {
        throw term.error(
          "actionWeights", "has \(actions.count) numbers for \(layout.actions.count) actions")
      }
      return .quadratic(weights: weights, actionWeights: actions, units: units)
    }
    if let text = try entry.string("formula") {
      let formula = try formula(text, entry, key: "formula", names: rewardNames)
      try checkAtGoal(formula, entry)
      return .formula(formula)
    }
    if let weight = try entry.number("actionChange") { return .actionChange(weight) }
    if let term = try entry.mapping("learned") {
      let column = try required(term.column("column"), "column", term)
      return .learned(column: column, weight: try term.positive("weight") ?? 1)
    }
    try entry.finish()
    throw entry.error(
      "saturating", "or quadratic, formula, actionChange or learned is needed in a reward")
  }

  /// weights: [one a goal], or {NAME: weight, ...} where the others are 0.
  private func weightsByGoal(_ term: YAMLMapping) throws -> [Double] {
    let names = goalChannels.map(\.name)
    if term.isMapping("weights"), let named = try term.namedNumbers("weights") {
      if let unknown = named.keys.sorted().first(where: { !names.contains($0) }) {
        throw term.error(
          "weights",
          "'\(shortened(unknown))' has no goal; there are goals of \(names.joined(separator: ", "))"
        )
      }
      if named.isEmpty { throw term.error("weights", "contains no goal") }
      return names.map { named[$0] ?? 0 }
    }
    let weights = try required(term.numbers("weights"), "weights", term)
    guard weights.count == names.count else {
      let what =
        objective.goalQuantities == nil ? "states" : "goals (\(names.joined(separator: ", ")))"
      throw term.error("weights", "has \(weights.count) numbers for \(names.count) \(what)")
    }
    return weights
  }

  /// Names that a reward's formula may use.
  private var rewardNames: [String] {
    let actions = layout.actions.map(\.name)
    return measureNames + actions + actions.map { "previous.\($0)" }
  }

  /// Names that a measure of success may use: states, what goals are of, goals.
  var measureNames: [String] {
    let states = layout.states.map(\.name)
    let goals = goalChannels.map(\.name)
    return states + goals.filter { !states.contains($0) }
      + (objective.hasGoal ? goals.map { "goal.\($0)" } : [])
  }

  /// A formula over these names and those of quantities.
  ///
  /// - Parameter ofStates: whether it may not read commands.
  func formula(
    _ text: String, _ entry: YAMLMapping, key: String, names: [String], ofStates: Bool = false
  ) throws -> Formula {
    if let unfitForFormulas { throw unfitForFormulas }
    do {
      return try Formula(text, names: names, definitions: definitions(ofStates: ofStates))
    } catch let error as FormulaError {
      if let name = disturbedNames.first(where: { "\(error)".contains(": '\($0)' is unknown") }) {
        throw entry.error(
          key,
          "'\(name)' is a disturbance or reads one; rewards, measures of success and limits must not"
        )
      }
      let hint = objective.hasGoal || !text.contains("goal.") ? "" : "; the task has no `goal:`"
      throw entry.error(key, "\(error)\(hint)")
    }
  }

  /// Refuses a reward with a pole at the goal, or of no use in single precision. A search would be drawn into the pole.
  private func checkAtGoal(_ formula: Formula, _ entry: YAMLMapping) throws {
    // Where the goal is not one point, some may be out of the formula's domain (a logarithm); a pole at the goal is at all.
    let values = goalExamples.map { goal -> Double in
      var values: [String: Double] = [:]
      // States that no goal is of are at some value.
      for channel in layout.states { values[channel.name] = 0.37 }
      for (channel, x) in zip(goalChannels, goal) {
        (values[channel.name], values["goal.\(channel.name)"]) = (x, x)
      }
      for (channel, u) in zip(layout.actions, safeAction) {
        (values[channel.name], values["previous.\(channel.name)"]) = (u, u)
      }
      return formula.value(values)
    }
    let place = objective.hasGoal ? "at the goal" : "at all tested states"
    guard let value = values.first(where: \.isFinite) else {
      throw entry.error(
        "formula",
        "'\(shortened(formula.text))' is \(values[0]) \(place): a pole or not a number; for example "
          + "log(abs(x - goal.x) + 0.01) has none")
    }
    guard abs(value) <= Formula.largestNumber else {
      throw entry.error(
        "formula",
        "'\(shortened(formula.text))' is \(value) \(place), beyond \(Formula.largestNumber); rollouts compute in "
          + "single precision, so scale the formula")
    }
  }

  /// Points that are goals, or might be: the goal itself, or some of a range.
  private var goalExamples: [[Double]] {
    // No round numbers: a formula may have its pole at one on purpose.
    let fractions = [0.5, 0.37, 0.71, 0.13]
    guard objective.hasGoal, let support = objective.goal.support else {
      let isFree: [Bool] =
        if case .bounds(let states) = objective.goal, objective.hasGoal { states } else {
          goalChannels.map { _ in true }
        }
      return [0.37, -0.37, 0.0137, 13.7].map { value in isFree.map { $0 ? value : 0 } }
    }
    if support.allSatisfy({ $0.lowerBound == $0.upperBound }) { return [support.map(\.lowerBound)] }
    return fractions.map { fraction in
      support.map { $0.lowerBound + fraction * ($0.upperBound - $0.lowerBound) }
    }
  }

  /// [x, ...], or {lower: [...], upper: [...]}, or {mean: [...], deviation: [...]}; `bounds`: uniform within the
  /// data's bounds, {bounds: [names]} with the other states at zero; `logged`: one of the logged states. nil where it is
  /// not said.
  func distribution(_ key: String, _ yaml: YAMLMapping) throws -> StateDistribution? {
    let result: StateDistribution
    if yaml.isList(key), let state = try yaml.numbers(key) {
      result = .fixed(state)
    } else if yaml.isMapping(key), let entry = try yaml.mapping(key) {
      if let names = try entry.strings("bounds") {
        let known = layout.states.map(\.name)
        if let unknown = names.first(where: { !known.contains($0) }) {
          throw entry.error("bounds", "'\(shortened(unknown))' is not a state")
        }
        return .bounds(states: known.map(names.contains))
      }
      if let lower = try entry.numbers("lower") {
        let upper = try required(entry.numbers("upper"), "upper", entry)
        guard lower.count == upper.count, zip(lower, upper).allSatisfy({ $0 <= $1 }) else {
          throw entry.error("lower", "must be as long as 'upper' and not above it")
        }
        result = .uniform(lower: lower, upper: upper)
      } else {
        let mean = try required(entry.numbers("mean"), "mean", entry)
        let deviation = try required(entry.numbers("deviation"), "deviation", entry)
        guard mean.count == deviation.count, deviation.allSatisfy({ $0 >= 0 }) else {
          throw entry.error("deviation", "must be as long as 'mean' and not negative")
        }
        result = .normal(mean: mean, deviation: deviation)
      }
    } else if let word = try yaml.string(key) {
      if word == "bounds" { return .bounds(states: layout.states.map { _ in true }) }
      guard word == "logged", key == "start" else {
        throw yaml.error(
          key,
          "must be numbers, bounds\(key == "start" ? " or logged" : ""), not '\(shortened(word))'")
      }
      return .logged(length: layout.states.count)
    } else {
      return nil
    }
    guard result.length == layout.states.count else {
      throw yaml.error(key, "has \(result.length) numbers for \(layout.states.count) states")
    }
    return result
  }
}
