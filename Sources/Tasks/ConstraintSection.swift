// SPDX-License-Identifier: Apache-2.0
// The section `constraints` of a task file, and the constraints from limits: bounds that a search keeps with a probability.

import Formulas
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Rollouts
import SafeText

extension ControlTask {
  /// A bound on a formula of states and commands, at every step after the first.
  package struct Constraint: Hashable, Sendable {
    /// As the task says it: "abs(rate)", or the name of a state with limits.
    package var name: String
    /// What is bounded ...
    package var number: Number
    /// ... and the least and the most that it may be, physical units; one of them at least.
    package var lower: Double?
    package var upper: Double?
    /// That a whole episode keeps it.
    package var probability = Constraint.defaultProbability

    /// What is bounded.
    package enum Number: Hashable, Sendable {
      /// State i.
      case state(Int)
      /// Of states, actions and `previous.ACTION`.
      case formula(Formula)
    }

    /// Of constraints that do not say one, and of limits.
    package static let defaultProbability = 0.99

    /// "abs(rate) below 0.35", "x within -0.6 to 0.6"
    package var words: String {
      switch (lower, upper) {
      case (let lower?, let upper?): "\(name) within \(lower) to \(upper)"
      case (let lower?, nil): "\(name) above \(lower)"
      case (nil, let upper?): "\(name) below \(upper)"
      case (nil, nil): name
      }
    }

    /// Whether a value keeps it; NaN does not.
    package func isKept(by value: Double) -> Bool {
      value >= lower ?? -.infinity && value <= upper ?? .infinity
    }
  }

  /// constraints: [{quantity: abs(rate), below: 0.35, probability: 0.99}, ...]
  mutating func readConstraints(_ yaml: YAMLMapping) throws {
    objective.ownConstraints = try (yaml.mappings("constraints") ?? []).map { entry in
      let text = try required(entry.string("quantity"), "quantity", entry)
      let formula = try constrained(text, entry)
      let (upper, lower) = (try entry.number("below"), try entry.number("above"))
      guard upper != nil || lower != nil else {
        throw entry.error("quantity", "has no bound: below, above, or both")
      }
      if let upper, let lower, lower >= upper {
        throw entry.error("above", "is \(lower), but below is \(upper): no value lies between")
      }
      // What is rarer cannot be seen in the rollouts that are counted.
      let probability = try entry.number("probability", 0.5...0.999)
      return Constraint(
        name: formula.text, number: .formula(formula), lower: lower, upper: upper,
        probability: probability ?? Constraint.defaultProbability)
    }
    let names = objective.ownConstraints.map(\.words)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw yaml.error("constraints", "has '\(shortened(twice))' twice")
    }
  }

  /// A formula of states, actions and `previous.ACTION`, in which quantities are what they stand for.
  private func constrained(_ text: String, _ entry: YAMLMapping) throws -> Formula {
    if let unfitForFormulas { throw unfitForFormulas }
    let formulas = namedFormulas.filter { !disturbedNames.contains($0.name) }
    do {
      return try Formula(
        text, names: constrainedNames,
        definitions: Dictionary(uniqueKeysWithValues: formulas.map { ($0.name, $0.formula) }))
    } catch let error as FormulaError {
      let isDisturbed = disturbedNames.contains { "\(error)".contains(": '\($0)' is unknown") }
      throw entry.error(
        "quantity", isDisturbed ? "reads a disturbance, so a policy cannot keep it" : "\(error)")
    }
  }

  private var constrainedNames: [String] {
    let actions = layout.actions.map(\.name)
    return layout.states.map(\.name) + actions + actions.map { "previous.\($0)" }
  }

  /// All that a search keeps: the task's own constraints, then the limits of states and quantities.
  package var constraints: [Constraint] {
    guard objective.keepsLimits else { return objective.ownConstraints }
    let ofStates = states.enumerated().compactMap { i, state in
      state.limits.map {
        Constraint(
          name: state.channel.name, number: .state(i), lower: $0.lowerBound,
          upper: $0.upperBound)
      }
    }
    let ofQuantities = namedFormulas.compactMap { named in
      named.limits.map {
        Constraint(
          name: named.name, number: .formula(named.formula), lower: $0.lowerBound,
          upper: $0.upperBound)
      }
    }
    // A bound that the task says itself, with a probability of its own, is not said twice.
    let said = Set(objective.ownConstraints.map(\.words))
    return objective.ownConstraints + (ofStates + ofQuantities).filter { !said.contains($0.words) }
  }

  /// The constraints on a model's rollouts, each in the deviation that its number has over logged states, with safe commands.
  package func makeConstraints(_ model: DynamicsModel) -> [StepConstraint] {
    constraints.map { constraint in
      let values = model.loggedStates.map {
        value(of: constraint, state: $0, action: safeAction, previous: safeAction)
      }.filter(\.isFinite)
      let mean = values.reduce(0, +) / Double(max(values.count, 1))
      let spread =
        (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(max(values.count, 1)))
        .squareRoot()
      let bound = max(abs(constraint.lower ?? 0), abs(constraint.upper ?? 0))
      // A number of commands alone does not vary there.
      let scale = spread > 1e-6 * max(abs(mean), bound) ? spread : max(bound, 1e-3)
      let quantity =
        switch constraint.number {
        case .state(let i): Reward { $0.physicalState[i] }
        case .formula(let formula):
          Reward.formula(
            formula, states: layout.states.map(\.name), goals: [],
            actions: layout.actions.map(\.name))
        }
      return StepConstraint(
        name: constraint.words, quantity: quantity, lower: constraint.lower,
        upper: constraint.upper, scale: scale)
    }
  }

  /// The number of a constraint in one row.
  package func value(
    of constraint: Constraint, state: [Double], action: [Double], previous: [Double]
  ) -> Double {
    switch constraint.number {
    case .state(let i): return state[i]
    case .formula(let formula):
      var values: [String: Double] = [:]
      for (channel, x) in zip(layout.states, state) { values[channel.name] = x }
      for (j, channel) in layout.actions.enumerated() {
        (values[channel.name], values["previous.\(channel.name)"]) = (action[j], previous[j])
      }
      return formula.value(values)
    }
  }

  /// Whether an episode left a constraint in any row after the first.
  ///
  /// - Parameters:
  ///   - constraint: of this task.
  ///   - episode: what the machine did; the action of a row leads to the next one.
  package func isLeft(_ constraint: Constraint, by episode: Episode) -> Bool {
    episode.states.indices.dropFirst().contains { row in
      let action = episode.actions[row - 1]
      let previous = row > 1 ? episode.actions[row - 2] : safeAction
      return !constraint.isKept(
        by: value(of: constraint, state: episode.states[row], action: action, previous: previous))
    }
  }
}
