// SPDX-License-Identifier: Apache-2.0
// Tasks: what a user wants, in one YAML file -> values for all the other targets. In: text, whose keys are read by
// section: the machine (MachineSection), the model (ModelSection), policy, reward, start and goal (ObjectiveSection),
// search, evaluation, exploration and learning (SearchSection), watch and fallback (WatchSection). Out: a `ControlTask`. Units are those of the log,
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
import Watching

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
  /// What a search keeps, beside what limits say.
  public var ownConstraints: [Constraint] = []
  /// Whether a search keeps what ends episodes.
  public var searchKeepsLimits = true
  /// What goals are of; nil where they are of the states.
  public var goalQuantities: [Quantity]?
  /// What it means that the plant ends an episode, where its answer does not say it.
  public var doneMeans = DoneMeaning.failure
  /// The machine's joints in its plane, from its foot to its tip, for pictures; nil for none.
  public var picture: [PicturePoint]?
  /// To learn from, and to judge the model by.
  public var logs: [LogSource] = []
  public var heldOutLogs: [LogSource] = []
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
  /// What a run in real time looks for, and what drives where that says so.
  public var watch = WatchOptions()
  public var fallback = Fallback.hold
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
}
