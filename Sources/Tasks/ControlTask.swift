// SPDX-License-Identifier: Apache-2.0
// Tasks: what a user wants, in one YAML file -> values for all the other targets. In: text, whose keys are read by
// section: the machine (MachineSection), the model (ModelSection), policy, reward, start and goal (ObjectiveSection),
// search, evaluation, exploration and learning (SearchSection). Out: a `ControlTask`. Units are those of the log,
// except where a key says standardised.

import Formulas
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import PolicySearch
import Rollouts
import SafeText
import Samplers

/// A complete description of a control problem.
public struct ControlTask: Sendable {
  public var name = ""
  public var layout = LogLayout(states: [], actions: [], timeStep: 0)
  /// One an action, physical units.
  public var actionLimits: [ClosedRange<Double>] = []
  /// Largest change of an action per second, or nil; one an action.
  public var actionRates: [Double?] = []
  /// What actuators are sent before an episode and at its end, one an action; nearest to zero unless it is set.
  public var safeAction: [Double] {
    get { ownSafeAction ?? actionLimits.map(Policy.rest) }
    set { ownSafeAction = newValue }
  }
  private var ownSafeAction: [Double]?
  /// Where episodes end, or nil; one a state.
  public var stateLimits: [ClosedRange<Double>?] = []
  /// Standard deviations of the sensors' noise that rollouts are to show the policy; one a state.
  public var sensorNoise: [Double] = []
  /// Named formulas of states and commands.
  public var namedFormulas: [NamedFormula] = []
  /// What goals are of; nil where they are of the states.
  public var goalQuantities: [Quantity]?
  /// What it means that the plant ends an episode, where its answer does not say it.
  public var doneMeans = DoneMeaning.failure
  /// The machine's joints in its plane, from its foot to its tip, for pictures; nil for none.
  public var picture: [PicturePoint]?
  /// CSV files to learn from, and to judge the model by.
  public var logs: [String] = []
  public var heldOutLogs: [String] = []
  public var plant: PlantChoice?
  /// How data are collected from the plant where there are no logs.
  public var exploration = ExplorationOptions()
  public var model = ModelOptions()
  public var policy = PolicyOptions()
  public var rewards: [RewardTerm] = []
  public var start = StateDistribution.fixed([])
  /// Of what `goalForm` says.
  public var goal = StateDistribution.fixed([])
  /// Whether episodes have a goal; without one the reward alone says what is wanted, and `goal` is the origin.
  public var hasGoal = true
  public var search = SearchOptions()
  public var evaluation = EvaluationOptions()
  public var learning = LearningOptions()
  /// Deviations in which standardised rewards measure distances, physical units [G]; nil for those of the model's data. A loop
  /// keeps those of its first data: what it adds later would make a reward narrower or wider from trial to trial.
  public var rewardScale: [Double]?
  /// The YAML text it was read from.
  public var source = ""
  /// What messages name as the place of a fault: the file, or the task's name where it came from none.
  public var place: String { file.isEmpty ? name : file }
  /// As messages name it; empty for a task that was not read.
  public var file = ""
  /// Why formulas cannot stand in this task: a name that they would take for something else.
  var unfitForFormulas: LogError?

  public init() {}

  /// Names of states, actions and disturbances: what stands in a row of a log.
  var channelNames: [String] { (layout.states + layout.exogenous).map(\.name) }

  /// Whether the task says where episodes start; a simulated plant has a start of its own.
  public var hasStart: Bool { start.length > 0 }

  /// Refuses to search where the task does not say from where, or what is wanted.
  ///
  /// - Throws: `LogError`.
  public func checkSearchable() throws {
    for (key, isThere, example) in [
      ("reward", !rewards.isEmpty, "reward: {saturating: {weights: [10, 0.1]}}"),
      ("start", hasStart, "start: [0, 0], one number a state"),
    ] where !isThere {
      throw LogError(
        file: place,
        "has no `\(key):`, without which no controller can be searched; for example \(example)")
    }
  }

  /// Whether the task says what success is.
  public var isJudged: Bool {
    evaluation.tracked.contains { $0.tolerance > 0 } || !evaluation.measures.isEmpty
      || doneMeans == .success
  }

  /// The form of the model that the options describe. Throws: `LogError` for names that do not exist.
  public func modelForm() throws -> ModelForm {
    var integrals: [Int: StateUpdate] = [:]
    for (index, channel) in layout.states.enumerated() {
      if case .rate(let base, _) = channel.source,
        let position = layout.states.firstIndex(where: { $0.name == base })
      {
        integrals[position] = .backwardIntegral(
          rate: index, smoothing: channel.source.smoothing(timeStep: layout.timeStep))
      }
    }
    for (position, rate) in model.integrals {
      integrals[try stateIndex(position)] = .trapezoidalIntegral(rate: try stateIndex(rate))
    }
    for (position, update) in integrals {
      guard let rate = update.rate, rate != position, integrals[rate] == nil else {
        throw LogError(
          file: place,
          "'\(shortened(layout.states[position].name))' integrates a state that is itself integrated; a rate must "
            + "be predicted by the model")
      }
    }
    let form = ModelForm(
      states: layout.states.count, actions: layout.actions.count,
      disturbances: layout.disturbances.count,
      turns: Dictionary(
        uniqueKeysWithValues: layout.states.indices.compactMap { i in
          layout.states[i].turn.map { (i, $0) }
        }),
      ignored: Set(try model.ignored.map(stateIndex)), stateHistory: model.stateHistory,
      actionDelay: model.actionDelay, actionHistory: model.actionHistory, integrals: integrals)
    return model.inputs.isEmpty ? form : try selected(form)
  }

  /// Why a model is not one of this task as it is now, in words, or nil. Throws: `LogError` as `modelForm`.
  public func mismatch(with model: DynamicsModel) throws -> String? {
    func names(_ layout: LogLayout) -> String {
      "states \(layout.states.map(\.name)), actions \(layout.actions.map(\.name))"
        + (layout.disturbances.isEmpty
          ? "" : ", disturbances \(layout.disturbances.map(\.channel.name))")
        + " at \(layout.timeStep) s"
    }
    let found = model.layout
    guard names(found) == names(layout), found.states.map(\.source) == layout.states.map(\.source)
    else { return "is a model of \(names(found)); the task has \(names(layout))" }
    func columns(_ layout: LogLayout) -> [String] { (layout.states + layout.exogenous).map(\.column) }
    guard columns(found) == columns(layout) else {
      return "was fitted to the columns \(columns(found)); the task has \(columns(layout))"
    }
    let choice = self.model.choice
    let form = try modelForm()
    let physics = self.model.fit.physics
    guard model.physics.map({ $0.isSame(as: physics) }) ?? (physics == nil) else {
      return "was fitted with other known physics, or another actionDelay, than the task has"
    }
    let own = model.fittedForm
    let ignored = Set(try self.model.ignored.map(stateIndex))
    let isOfForm =
      choice.isOpen
      ? found.states.map(\.turn) == layout.states.map(\.turn)
        && own.statesRead.isDisjoint(with: ignored)
        && (!choice.fixed.contains(.histories) || own.features == form.features)
        && (self.model.inputs.isEmpty || own == form)
        && (!choice.fixed.contains(.integrals) || own.integrates(as: form))
      : own == form
    guard isOfForm else {
      return
        "was fitted with other model options (inputs, histories, angles, integrals) than the task has"
    }
    guard model.processNoise == nil || !choice.fixed.contains(.noise) else {
      return "has draws that were learnt with it; the task says another noise"
    }
    guard !model.form.hasFeedthrough else {
      return "reads the command of the row that it predicts, which no controller knows yet"
    }
    guard model.processes.allSatisfy({ !$0.isNoise }) else {
      return "has outputs without a Gaussian process, whose doubt a search needs"
    }
    let isAsAsked = model.processes.allSatisfy { process in
      guard case .stationary(let covariance) = process.hyperparameters.covariance else {
        return false
      }
      return
        (!choice.fixed.contains(.covariance) || covariance.profile == self.model.fit.profile)
        && (!choice.fixed.contains(.mean) || physics != nil
          || process.hyperparameters.mean == self.model.fit.mean && model.linear == nil)
    }
    return isAsAsked
      ? nil : "was fitted with another covariance or mean than the task or its sampler has"
  }

  /// What a policy file must say to be a policy for this task.
  public var policyDescription: PolicyDescription {
    PolicyDescription(
      task: name, stateNames: layout.states.map(\.name), stateUnits: layout.states.map(\.units),
      actionNames: layout.actions.map(\.name), lower: actionLimits.map(\.lowerBound),
      upper: actionLimits.map(\.upperBound),
      largestChange: actionRates.map { $0.map { $0 * layout.timeStep } }, rest: safeAction,
      timeStep: layout.timeStep, hiddenLayers: policy.layers,
      basisFunctions: policy.basisFunctions, inputs: policyInputs)
  }

  /// Refuses a goal beyond the states' limits or, where the policy sees its goal, beyond both the data behind it and
  /// the goals it was searched for; a goal of quantities far from all logged ones.
  ///
  /// - Parameters:
  ///   - goal: [G], physical units.
  ///   - input: how the policy sees its goal.
  ///   - data: behind the policy.
  /// - Throws: `LogError`.
  public func checkGoal(_ goal: [Double], for input: GoalInput, within data: SearchedData) throws {
    guard hasGoal else { return }
    if goalQuantities != nil {
      for (channel, value) in zip(goalChannels, goal) {
        guard let limits = limits(of: channel.name), !limits.contains(value) else { continue }
        throw LogError(
          file: place, column: channel.name,
          "the goal \(value) is outside its limits, \(limits.lowerBound) to \(limits.upperBound)")
      }
      if !data.loggedGoals.isEmpty { try checkReached(goal, data.loggedGoals) }
      return
    }
    let searched = self.goal.support
    for (i, channel) in layout.states.enumerated() {
      func refuse(_ bound: ClosedRange<Double>, _ what: String) throws {
        throw LogError(
          file: place, column: channel.name,
          "the goal \(goal[i]) is outside \(what), \(bound.lowerBound) to \(bound.upperBound)")
      }
      if stateLimits.indices.contains(i), let limits = stateLimits[i], !limits.contains(goal[i]) {
        try refuse(limits, "its limits")
      }
      guard input != .none, let data = data.bounds, !data[i].contains(goal[i]) else { continue }
      if searched?[i].contains(goal[i]) != true {
        try refuse(data[i], "the data behind the policy")
      }
    }
  }

  /// What a policy's file says that was found on a model.
  public func policyDescription(on model: DynamicsModel) -> PolicyDescription {
    var description = policyDescription
    description.dataBounds = model.stateBounds
    description.loggedGoals = loggedGoals(model)
    description.plant = plant?.words
    description.model = model.fingerprint
    return description
  }

  private var policyInputs: PolicyInputs {
    let angles = layout.states.indices.filter { layout.states[$0].turn != nil }
    let radians = angles.map { 2 * Double.pi / (layout.states[$0].turn ?? 1) }
    return PolicyInputs(
      stateLength: layout.states.count, actionLength: layout.actions.count, goal: policy.goalInput,
      goalQuantities: goalQuantities, angles: angles,
      radians: radians.allSatisfy { $0 == 1 } ? nil : radians,
      actionHistory: policy.actionHistory)
  }

  /// The policy that the options describe.
  public func makePolicy() -> Policy { policyDescription.makePolicy() }

  /// The sum of the reward's terms.
  ///
  /// - Parameter model: holds the learnt reward, if a term asks for it.
  /// - Throws: `LogError` where it does not; `FactorizationError`.
  public func makeReward(_ model: DynamicsModel) throws -> Reward {
    let terms = try rewards.map { term in
      switch term {
      case .saturating(let weights, let width, let units):
        return Reward.saturating(
          weights: scaled(weights, units, model), width: width, units: units,
          turns: turns(units, model))
      case .quadratic(let weights, let actionWeights, let units):
        return Reward.quadratic(
          weights: scaled(weights, units, model), actionWeights: actionWeights, units: units,
          turns: turns(units, model))
      case .formula(let formula):
        return Reward.formula(
          formula, states: layout.states.map(\.name), goals: goalChannels.map(\.name),
          actions: layout.actions.map(\.name))
      case .actionChange(let weight): return Reward.actionChangePenalty(weight)
      case .learned(let column, let weight):
        guard let learnt = model.rewardModel, learnt.column == column else {
          throw LogError(
            file: place, column: column,
            "is the reward, but the model has not learnt it; run `bagel fit` on the task again")
        }
        return try Reward.learned(learnt, weight: weight)
      }
    }
    if terms.isEmpty { try checkSearchable() }
    return terms.dropFirst().reduce(terms[0], +)
  }

  /// Weights of squared differences in the model's deviations, from those in deviations of `rewardScale` [G].
  private func scaled(
    _ weights: [Double], _ units: RewardUnits, _ model: DynamicsModel
  ) -> [Double] {
    let scale = goalStandardiser(model)?.scale ?? model.stateStandardiser.scale
    guard units == .standardised, let rewardScale else { return weights }
    return weights.indices.map { i in
      let ratio = scale[i] / rewardScale[i]
      return weights[i] * ratio * ratio
    }
  }

  /// Full turns of the goals that turn, in the units of a reward's distances [G].
  private func turns(_ units: RewardUnits, _ model: DynamicsModel) -> [Double?] {
    if let goalQuantities { return goalQuantities.map { _ in nil } }
    return layout.states.indices.map { i in
      switch units {
      case .physical: layout.states[i].turn
      case .standardised: layout.states[i].turn.map { $0 / model.stateStandardiser.scale[i] }
      }
    }
  }

  private func stateIndex(_ name: String) throws -> Int {
    guard let index = layout.states.firstIndex(where: { $0.name == name }) else {
      throw LogError(
        file: place,
        "'\(shortened(name))' is not a state; the states are "
          + layout.states.map(\.name).joined(separator: ", "))
    }
    return index
  }
}
