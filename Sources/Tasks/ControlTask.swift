// SPDX-License-Identifier: Apache-2.0
// Tasks: the description of a machine and its aim, in one YAML file -> values for all other targets. In: text, whose keys are read by
// section: the machine (MachineSection), the model (ModelSection), policy, reward, start and goal (ObjectiveSection),
// search, evaluation, exploration and learning (SearchSection), watch and fallback (WatchSection). Out: a `ControlTask`. Units are those of the log,
// except where a key says standardised.

import MachineLogs
import Plants
import PolicySearch
import Watching

/// The description of a machine and its aim: channels and limits, logs or a plant, model, policy, reward, start, goal and search.
/// It comes from a YAML file; your own reward and plant are set in Swift.
public struct ControlTask: Sendable {
  package var name = ""
  package var states: [StateChannel] = []
  package var actions: [ActionChannel] = []
  /// What disturbs the machine and is measured.
  package var disturbances: [Disturbance] = []
  /// Seconds.
  package var timeStep = 0.0
  /// The column of logs with the time; nil for the first usual one.
  package var timeColumn: String?
  /// What its stamps count; nil where the logs tell.
  package var timeUnit: TimeUnit?
  /// The column of logs with a reward to learn; nil for none.
  package var rewardColumn: String?
  /// Named formulas of states and commands.
  package var namedFormulas: [NamedFormula] = []
  /// What it means that the plant ends an episode, where its answer does not say it.
  package var doneMeans = DoneMeaning.failure
  /// The machine's joints in its plane, from its foot to its tip, for pictures; nil for none.
  package var picture: [PicturePoint]?
  /// To learn from, and to judge the model by.
  package var logs: [LogSource] = []
  package var heldOutLogs: [LogSource] = []
  package var plant: PlantChoice?
  /// How data are collected from the plant where there are no logs.
  package var exploration = ExplorationOptions()
  package var model = ModelOptions()
  package var policy = PolicyOptions()
  package var objective = Objective()
  package var search = SearchOptions()
  package var evaluation = EvaluationOptions()
  package var learning = LearningOptions()
  /// What a run in real time looks for, and what drives where that says so.
  package var watch = WatchOptions()
  package var fallback = Fallback.hold
  /// The YAML text it was read from.
  package var source = ""
  /// What messages name as the place of a fault: the file, or the task's name where it came from none.
  package var place: String { file.isEmpty ? name : file }
  /// As messages name it; empty for a task that was not read.
  package var file = ""
  /// Why formulas cannot stand in this task: a name that they would take for something else.
  var unfitForFormulas: LogError?

  package init() {}

  /// Names of states, actions and disturbances: what stands in a row of a log.
  var channelNames: [String] { (layout.states + layout.exogenous).map(\.name) }

  /// Whether the task says where episodes start; a simulated plant has a start of its own.
  package var hasStart: Bool { objective.start.length > 0 }

  /// Refuses to search where the task does not say from where, or what is wanted.
  ///
  /// - Throws: `LogError`.
  package func checkSearchable() throws {
    for (key, isThere, example) in [
      ("reward", !objective.rewards.isEmpty, "reward: {saturating: {weights: [10, 0.1]}}"),
      ("start", hasStart, "start: [0, 0], one number per state"),
    ] where !isThere {
      throw LogError(
        file: place,
        "has no `\(key):`, which the search of a controller needs; for example \(example)")
    }
  }

  /// Whether the task says what success is.
  package var isJudged: Bool {
    evaluation.tracked.contains { $0.tolerance > 0 } || !evaluation.measures.isEmpty
      || doneMeans == .success
  }
}
