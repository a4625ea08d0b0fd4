// SPDX-License-Identifier: Apache-2.0
// Tasks: what a user wants, in one YAML file -> values for all the other targets. In: text with the keys
// of DESIGN: name, timeStep, states, actions, logs, model, policy, reward, start, goal, optimise, evaluate.
// Out: a `ControlTask`. Units are those of the log, except where a key says standardised.

import GaussianProcesses
import MachineLogs
import Plants
import Policies
import PolicySearch
import Rollouts
import Samplers

/// A complete description of a control problem.
public struct ControlTask: Sendable {
  public var name = ""
  public var layout = LogLayout(states: [], actions: [], timeStep: 0)
  /// One an action, physical units.
  public var actionLimits: [ClosedRange<Double>] = []
  /// Largest change of an action per second, or nil; one an action.
  public var actionRates: [Double?] = []
  /// What an episode ends with; one an action.
  public var safeAction: [Double] = []
  /// Where episodes end, or nil; one a state.
  public var stateLimits: [ClosedRange<Double>?] = []
  /// Standard deviations of the sensors' noise that rollouts are to show the policy; one a state.
  public var sensorNoise: [Double] = []
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
  public var goal = StateDistribution.fixed([])
  public var search = SearchOptions()
  public var evaluation = EvaluationOptions()
  public var learning = LearningOptions()
  /// The YAML text it was read from.
  public var source = ""

  public init() {}

  /// What is driven.
  public enum PlantChoice: Hashable, Sendable {
    /// One of BAGEL's own, with some parameters changed.
    case simulated(String, parameters: [String: Double])
    /// Another program (`ExternalPlant`).
    case process(Process)

    public struct Process: Hashable, Sendable {
      public var command: [String]
      /// Seconds for the answer to a step, and to a reset.
      public var timeout = 2.0
      public var resetTimeout = 60.0

      public init(command: [String]) { self.command = command }
    }

    public var name: String {
      switch self {
      case .simulated(let name, _): name
      case .process(let process): process.command.joined(separator: " ")
      }
    }
  }

  /// How the dynamics are modelled.
  public struct ModelOptions: Hashable, Sendable {
    public var fit = FitOptions()
    /// Rows of past actions (and of past states) that the model sees.
    public var actionHistory = 0
    public var stateHistory = 0
    /// Rows before an action has any effect (transport delay).
    public var actionDelay = 0
    /// Names of states on which the motion does not depend.
    public var ignored: [String] = []
    /// Names of states that are angles: the model sees their sine and cosine.
    public var angles: [String] = []
    /// Position -> measured rate whose integral it is.
    public var integrals: [String: String] = [:]
    public var restPseudoData = 0
    public var sampler = SamplerOptions()
    public init() {}
  }

  /// The policy's form.
  public struct PolicyOptions: Hashable, Sendable {
    /// Widths of hidden layers; none for a linear policy.
    public var layers = [8, 8]
    /// Gaussian basis functions in place of layers, or nil.
    public var basisFunctions: Int?
    public var goalInput = GoalInput.none
    /// Rows of its own past actions that it sees.
    public var actionHistory = 0
    public init() {}
  }

  /// One summand of the reward.
  public enum RewardTerm: Hashable, Sendable {
    case saturating(weights: [Double], width: Double, units: RewardUnits)
    case quadratic(weights: [Double], actionWeights: [Double], units: RewardUnits)
    case actionChange(Double)
    case formula(Formula)
    /// The posterior mean of a reward learnt from this column of the logs, times a weight.
    case learned(column: String, weight: Double)
  }

  /// How a policy is judged on a plant.
  public struct EvaluationOptions: Hashable, Sendable {
    public var episodes = 16
    /// Seconds an episode.
    public var seconds = 15.0
    /// Half width of the uniform spread of the first state about `start`, state 0, physical units.
    public var startSpread = 0.0
    /// Success: state 0 within this of the goal from `settle` seconds on ...
    public var tolerance = 0.0
    public var settle = 4.0
    /// ... and a mean absolute change of every action below this a step.
    public var largestActionChange = 0.1
    /// In place of the tolerance: what must be small in each of the last steps.
    public var measures: [Measure] = []
    public var lastSteps = 10
    /// Goals one after another, before the first the machine's own start; empty for one goal an episode.
    public var schedule: [ScheduledGoal] = []
    public init() {}

    public struct Measure: Hashable, Sendable {
      public var formula: Formula
      public var below: Double
    }

    public struct ScheduledGoal: Hashable, Sendable {
      /// Seconds from the start.
      public var time: Double
      public var goal: [Double]

      public init(time: Double, goal: [Double]) { (self.time, self.goal) = (time, goal) }
    }
  }

  /// Whether the task says what success is.
  public var isJudged: Bool { evaluation.tolerance > 0 || !evaluation.measures.isEmpty }

  /// Whether a search or fit goes on from the last one.
  public enum Continuation: String, Hashable, Sendable {
    /// From the last one only.
    case warm
    case fresh
    /// The first start from the last one, the others afresh.
    case both
  }

  /// The interaction loop.
  public struct LearningOptions: Hashable, Sendable {
    /// Most trials on the plant after exploring.
    public var trials = 5
    public var policy = Continuation.both
    public var model = Continuation.warm
    /// Whether to stop at the first success.
    public var untilSolved = true
    public init() {}
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
          file: name,
          "'\(layout.states[position].name)' integrates a state that is itself integrated; a rate must "
            + "be predicted by the model")
      }
    }
    return ModelForm(
      states: layout.states.count, actions: layout.actions.count,
      angles: Set(try model.angles.map(stateIndex)),
      ignored: Set(try model.ignored.map(stateIndex)), stateHistory: model.stateHistory,
      actionDelay: model.actionDelay, actionHistory: model.actionHistory, integrals: integrals)
  }

  /// What a policy file must say to be a policy for this task.
  public var policyDescription: PolicyDescription {
    PolicyDescription(
      task: name, stateNames: layout.states.map(\.name), stateUnits: layout.states.map(\.units),
      actionNames: layout.actions.map(\.name), lower: actionLimits.map(\.lowerBound),
      upper: actionLimits.map(\.upperBound),
      largestChange: actionRates.map { $0.map { $0 * layout.timeStep } },
      timeStep: layout.timeStep, hiddenLayers: policy.layers,
      basisFunctions: policy.basisFunctions, inputs: policyInputs)
  }

  /// Refuses a goal beyond the states' limits or, where the policy sees its goal, beyond the data behind it.
  ///
  /// - Throws: `LogError`.
  public func checkGoal(_ goal: [Double], within data: [ClosedRange<Double>]?) throws {
    for (i, channel) in layout.states.enumerated() {
      let bounds = [
        stateLimits.indices.contains(i) ? stateLimits[i].map { ($0, "its limits") } : nil,
        policy.goalInput == .none ? nil : data.map { ($0[i], "the data behind the policy") },
      ]
      for case (let bound, let what)? in bounds where !bound.contains(goal[i]) {
        throw LogError(
          file: name, column: channel.name,
          "the goal \(goal[i]) is outside \(what), \(bound.lowerBound) to \(bound.upperBound)")
      }
    }
  }

  /// What a policy's file says that was found on a model.
  public func policyDescription(on model: DynamicsModel) -> PolicyDescription {
    var description = policyDescription
    description.dataBounds = model.stateBounds
    return description
  }

  private var policyInputs: PolicyInputs {
    PolicyInputs(
      stateLength: layout.states.count, actionLength: layout.actions.count, goal: policy.goalInput,
      angles: layout.states.indices.filter { model.angles.contains(layout.states[$0].name) },
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
        return Reward.saturating(weights: weights, width: width, units: units)
      case .quadratic(let weights, let actionWeights, let units):
        return Reward.quadratic(weights: weights, actionWeights: actionWeights, units: units)
      case .formula(let formula):
        return Reward.formula(
          formula, states: layout.states.map(\.name), actions: layout.actions.map(\.name))
      case .actionChange(let weight): return Reward.actionChangePenalty(weight)
      case .learned(let column, let weight):
        guard let learnt = model.rewardModel, learnt.column == column else {
          throw LogError(
            file: name, column: column,
            "is the reward, but the model has not learnt it; run `bagel fit` on the task again")
        }
        return try Reward.learned(learnt, weight: weight)
      }
    }
    precondition(!terms.isEmpty, "task '\(name)' has no reward")
    return terms.dropFirst().reduce(terms[0], +)
  }

  private func stateIndex(_ name: String) throws -> Int {
    guard let index = layout.states.firstIndex(where: { $0.name == name }) else {
      throw LogError(
        file: self.name,
        "'\(name)' is not a state; the states are "
          + layout.states.map(\.name).joined(separator: ", "))
    }
    return index
  }
}
