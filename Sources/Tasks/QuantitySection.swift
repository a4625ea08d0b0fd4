// SPDX-License-Identifier: Apache-2.0
// The section `quantities` of a task file: named formulas of states (and of commands and disturbances, for the model alone), and what names them:
// goals, what is tracked, limits, the model's inputs.

import Formulas
import GaussianProcesses
import MachineLogs
import Policies
import PolicySearch
import SafeText

extension ControlTask {
  /// A line of the section.
  public struct NamedFormula: Hashable, Sendable {
    public var name: String
    public var units: String
    public var formula: Formula
    /// Where episodes end, or nil; of states' formulas only.
    public var limits: ClosedRange<Double>?
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
          name, "cannot name a quantity; a name has letters, digits and _, and is no function")
      }
      guard !channels.contains(name) else {
        throw section.error(
          name, "is a state, action or disturbance; give the quantity another name")
      }
      guard !["t", "time", "goal", "previous", layout.timeColumn].contains(name) else {
        throw section.error(name, "is something else in a log or a formula; give it another name")
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
        throw section.error(name, "is too long once the quantities that it names are put in")
      }
      let limits = try entry.flatMap { try self.limits($0, "limits") }
      if limits != nil, !isOfStates(formula) {
        throw section.error(name, "reads a command or disturbance; limits are of states' formulas")
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
      // What is left has a fault of its own, or waits for what is left.
      let names = channels + texts.map(\.name)
      for (name, text) in left {
        do {
          _ = try Formula(text, names: names)
        } catch let fault as FormulaError {
          throw error(name, "\(fault)")
        }
      }
      let waiting = left.map { "'\($0.name)'" }.joined(separator: ", ")
      throw error(
        left[0].name,
        left.count == 1
          ? "is defined by itself" : "is defined by itself: \(waiting) name each other in a circle")
    }
    return made
  }

  /// Whether a formula of channels names states alone.
  private func isOfStates(_ formula: Formula) -> Bool {
    formula.names.isSubset(of: layout.states.map(\.name))
  }

  /// Formulas of states, as quantities.
  public var quantities: [Quantity] {
    let states = layout.states.map(\.name)
    return namedFormulas.filter { isOfStates($0.formula) }.map {
      Quantity(name: $0.name, units: $0.units, formula: $0.formula, states: states)
    }
  }

  /// What stands for the names of quantities in a formula that has no such names itself.
  ///
  /// - Parameter ofStates: whether those that read commands are left out.
  func definitions(ofStates: Bool = false) -> [String: Formula] {
    let goals = Set(goalQuantities?.map(\.name) ?? [])
    let used = namedFormulas.filter {
      !goals.contains($0.name) && (!ofStates || isOfStates($0.formula))
    }
    return Dictionary(uniqueKeysWithValues: used.map { ($0.name, $0.formula) })
  }

  /// A state or a quantity of this name, or nil.
  public func quantity(_ name: String) -> Quantity? {
    if let i = layout.states.firstIndex(where: { $0.name == name }) {
      return Quantity(name: name, units: layout.states[i].units, definition: .state(i))
    }
    return quantities.first { $0.name == name }
  }

  // MARK: picture

  /// A coordinate: a number, or a quantity.
  public enum PictureCoordinate: Hashable, Sendable {
    case fixed(Double)
    case quantity(Quantity)

    public var quantity: Quantity? {
      if case .quantity(let quantity) = self { quantity } else { nil }
    }

    /// Its value at a state [S].
    public func value(_ state: [Double]) -> Double {
      switch self {
      case .fixed(let value): value
      case .quantity(let quantity): quantity.value(state)
      }
    }
  }

  /// A point of a machine in its plane.
  public struct PicturePoint: Hashable, Sendable {
    public var x: PictureCoordinate
    public var y: PictureCoordinate
  }

  /// picture: [[0, 0.8], [elbow_x, elbow_z], ...]
  mutating func readPicture(_ yaml: YAMLMapping) throws {
    guard let points = try yaml.words(inLists: "picture") else { return }
    picture = try points.map { point in
      guard point.count == 2 else {
        throw yaml.error("picture", "must be a list of points [x, y], of numbers or quantities")
      }
      let parts = try point.map { word -> PictureCoordinate in
        if let number = Double(word), number.isFinite { return .fixed(number) }
        guard let quantity = quantity(word) else {
          throw yaml.error(
            "picture", "has '\(shortened(word))', which is no number, state or quantity")
        }
        return .quantity(quantity)
      }
      return PicturePoint(x: parts[0], y: parts[1])
    }
    guard points.count > 1 else { throw yaml.error("picture", "needs two points or more") }
  }

  // MARK: goals

  /// What goals are of.
  public var goalForm: GoalForm {
    goalQuantities.map { .quantities($0) } ?? .states(count: layout.states.count)
  }

  /// Name, units and turn of each of what goals are of [G].
  public var goalChannels: [Channel] {
    goalQuantities?.map { Channel(name: $0.name, units: $0.units) } ?? layout.states
  }

  /// goal: {tip_x: [1.2, 2.6], tip_z: 0.5}: goals of these quantities or states, in this order; nil where the section has
  /// another form.
  mutating func readNamedGoal(_ yaml: YAMLMapping) throws -> StateDistribution? {
    let names = yaml.keys(of: "goal")
    guard !names.isEmpty, !names.contains(where: Self.distributionKeys.contains),
      let entry = try yaml.mapping("goal")
    else { return nil }
    var lower: [Double] = []
    var upper: [Double] = []
    goalQuantities = try names.map { name in
      guard let quantity = quantity(name) else {
        let known = layout.states.map(\.name) + quantities.map(\.name)
        let why =
          namedFormulas.contains { $0.name == name }
          ? "reads a command or disturbance; a goal is of states"
          : "is neither a state nor a quantity"
        let hint = nearest(to: name, among: known).map { "; did you mean '\($0)'?" } ?? ""
        throw entry.error(name, why + hint)
      }
      if let state = quantity.state, layout.states[state].turn != nil {
        throw entry.error(
          name, "is an angle that turns round; its goals are given with those of all states")
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
    if goalQuantities == nil { return [] }
    // Where a formula is no number, nothing is reached.
    return model.loggedStates.map(goalForm.reached).filter { $0.allSatisfy(\.isFinite) }
  }

  /// The standardiser of goals that are of quantities: mean and deviation at the logged states; nil where goals are of the
  /// states.
  public func goalStandardiser(_ model: DynamicsModel) -> GoalStandardiser? {
    if goalQuantities == nil { return nil }
    let own = Standardiser(fitting: loggedGoals(model))
    return GoalStandardiser(mean: own.mean, scale: own.scale)
  }

  /// The goals of a search on a model, with everything put in that it knows of its data.
  ///
  /// - Throws: `LogError` where no logged state reaches one of them.
  public func goals(for model: DynamicsModel) throws -> StateDistribution {
    try goals(amongLogged: loggedGoals(model), bounds: model.stateBounds)
  }

  /// The same from what a policy's file knows.
  ///
  /// - Parameters:
  ///   - logged: what goals are of at logged states [n][G]; empty where goals are of the states.
  ///   - bounds: of the logged states [S].
  public func goals(
    amongLogged logged: [[Double]], bounds: [ClosedRange<Double>]
  ) throws -> StateDistribution {
    if goalQuantities != nil, logged.isEmpty {
      // Nothing is known of the data: goals that are given are taken, none can be drawn.
      if case .fixed = goal { return goal }
      throw LogError(
        file: place,
        "draws goals among those that the data reach, which are not known here; search the policy again, or pass what "
          + "its file says (within:)")
    }
    if goalQuantities != nil, case .fixed(let goal) = goal { try checkReached(goal, logged) }
    let goals = goal.resolved(bounds: bounds).reaching(logged)
    if case .cells(let cells) = goals, cells.isEmpty, let support = goal.support {
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
          + "each was there, but not together")
    }
  }
}
