// SPDX-License-Identifier: Apache-2.0
// Goals of quantities in a task file, and which of them logged poses reach.

import Faults
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import SafeText

extension ControlTask {
  /// What goals are of.
  package var goalForm: GoalForm {
    objective.goalQuantities.map { .quantities($0) } ?? .states(count: layout.states.count)
  }

  /// Name, units and turn of each of what goals are of [G].
  package var goalChannels: [Channel] {
    objective.goalQuantities?.map { Channel(name: $0.name, units: $0.units) } ?? layout.states
  }

  /// goal: {tip_x: [1.2, 2.6], tip_z: 0.5}: goals of these quantities or states, in this order; nil where the section has
  /// another form.
  mutating func readNamedGoal(_ yaml: YAMLMapping) throws -> StateDistribution? {
    let names = yaml.keys(of: "goal")
    if names.isEmpty, yaml.isMapping("goal") {
      throw yaml.error("goal", "is empty; for example {NAME: [lower, upper]}")
    }
    let ofDistribution = names.filter(Self.distributionKeys.contains)
    if let name = ofDistribution.first(where: {
      quantity($0) != nil && !yaml.isList($0, of: "goal")
    }) {
      throw yaml.error(
        "goal.\(name)", "is a key of goals, and also the name of a channel; rename the channel")
    }
    guard !names.isEmpty, ofDistribution.isEmpty, let entry = try yaml.mapping("goal")
    else { return nil }
    var lower: [Double] = []
    var upper: [Double] = []
    objective.goalQuantities = try names.map { name in
      guard let quantity = quantity(name) else {
        let known = layout.states.map(\.name) + quantities.map(\.name)
        let why =
          namedFormulas.contains { $0.name == name }
          ? "reads a command or disturbance; goals are for states"
          : "is neither a state nor a quantity"
        let hint = nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        throw entry.error(name, why + hint)
      }
      if let state = quantity.state, layout.states[state].turn != nil {
        throw entry.error(
          name, "is an angle of full turns; give its goals with those of all states")
      }
      let range = entry.isList(name) ? try limits(entry, name) : nil
      let single = range == nil ? try entry.number(name) : nil
      lower.append(range?.lowerBound ?? single ?? 0)
      upper.append(range?.upperBound ?? single ?? 0)
      return quantity
    }
    return lower == upper ? .fixed(lower) : .reached(lower: lower, upper: upper)
  }

  private static let distributionKeys: Set = ["lower", "upper", "mean", "deviation", "bounds"]

  /// What goals are of at the logged states of a model [n][G]; empty where goals are of the states.
  func loggedGoals(_ model: DynamicsModel) -> [[Double]] {
    if objective.goalQuantities == nil { return [] }
    // Where a formula is no number, nothing is reached.
    return model.loggedStates.map(goalForm.reached).filter { $0.allSatisfy(\.isFinite) }
  }

  /// The standardiser of goals that are of quantities: mean and deviation at the logged states; nil where goals are of the
  /// states.
  package func goalStandardiser(_ model: DynamicsModel) -> GoalStandardiser? {
    if objective.goalQuantities == nil { return nil }
    let own = Standardiser(fitting: loggedGoals(model))
    return GoalStandardiser(mean: own.mean, scale: own.scale)
  }

  /// The goals of a search on a model, with everything put in that it knows of its data.
  ///
  /// - Throws: `LogError` where no logged state reaches one of them.
  package func goals(for model: DynamicsModel) throws -> StateDistribution {
    try goals(amongLogged: loggedGoals(model), bounds: model.stateBounds)
  }

  /// The same from what a policy's file knows.
  ///
  /// - Parameters:
  ///   - logged: what goals are of at logged states [n][G]; empty where goals are of the states.
  ///   - bounds: of the logged states [S].
  package func goals(
    amongLogged logged: [[Double]], bounds: [ClosedRange<Double>]
  ) throws -> StateDistribution {
    if objective.goalQuantities != nil, logged.isEmpty {
      // Nothing is known of the data: goals that are given are taken, none can be drawn.
      if case .fixed = objective.goal { return objective.goal }
      throw LogError(
        file: place,
        "draws goals among those that the data reach, but the data are not known here",
        remedy: .optimize)
    }
    if objective.goalQuantities != nil, case .fixed(let goal) = objective.goal {
      try checkReached(goal, logged)
    }
    let goals = objective.goal.resolved(bounds: bounds).reaching(logged)
    if case .cells(let cells) = goals, cells.isEmpty, let support = objective.goal.support {
      for (k, range) in support.enumerated() {
        try checkReached(range, ofGoal: k, logged)
      }
      throw LogError(
        file: place, "no logged pose reaches any of its goals of \(goalWords) together")
    }
    return goals
  }

  private var goalWords: String { goalChannels.map(\.name).joined(separator: ", ") }

  /// Refuses a range of goals beyond all logged ones. Throws: `LogError`.
  private func checkReached(
    _ range: ClosedRange<Double>, ofGoal k: Int, _ logged: [[Double]]
  ) throws {
    let reached = logged.map { $0[k] }
    let (low, high) = (reached.min() ?? .nan, reached.max() ?? .nan)
    if low <= range.upperBound && high >= range.lowerBound { return }
    let channel = goalChannels[k]
    let wanted =
      range.lowerBound == range.upperBound
      ? format(range.lowerBound) : "\(format(range.lowerBound)) to \(format(range.upperBound))"
    throw LogError(
      file: place, column: channel.name,
      "has the goal \(wanted), which no logged pose reaches; the log has \(format(low)) to \(format(high)) "
        + channel.units)
  }

  /// Refuses a goal of quantities far from all logged ones: nothing is known of the way there, or there is none.
  ///
  /// - Parameters:
  ///   - wanted: [G], physical units.
  ///   - logged: [n][G].
  /// - Throws: `LogError`.
  func checkReached(_ wanted: [Double], _ logged: [[Double]]) throws {
    let margins = wanted.indices.map { k in
      let reached = logged.map { $0[k] }
      return StateDistribution.nearness * ((reached.max() ?? 0) - (reached.min() ?? 0))
    }
    for (k, value) in wanted.enumerated() {
      try checkReached(value - margins[k]...value + margins[k], ofGoal: k, logged)
    }
    let isReached = logged.contains { goal in
      goal.indices.allSatisfy { abs(goal[$0] - wanted[$0]) <= margins[$0] }
    }
    guard isReached else {
      throw LogError(
        file: place,
        "has the goal \(goalWords) = \(wanted.map(format).joined(separator: ", ")), which no logged pose reaches: "
          + "each value was reached, but not together")
    }
  }
}
