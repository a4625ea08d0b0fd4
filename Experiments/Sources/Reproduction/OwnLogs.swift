// SPDX-License-Identifier: Apache-2.0
// A user's own logs in place of the simulated boom: the same experiments on what was measured. There is no machine to
// drive then; starts and goals are where the data are.

import Bagel
import GaussianProcesses
import MachineLogs
import Tasks

/// Logs of a machine with one joint and one actuator.
package struct OwnLogs: Sendable {
  /// CSV files.
  package var files: [String]
  /// Columns of the joint's position, and of its rate where there is one; else the rate is derived.
  package var states: [String]
  /// Of the joint's position, such as "rad"; empty where unknown. Its rate's are these a second.
  package var units: String
  /// Column of the actuator's command in [-1, 1].
  package var action: String
  /// Seconds between rows.
  package var timeStep: Double
  /// Pseudo-measurements for figure 4 that a command of zero holds the joint, for logs that never rest.
  package var restPseudoData: Int

  package init(
    files: [String], states: [String], units: String = "", action: String, timeStep: Double,
    restPseudoData: Int = 0
  ) {
    (self.files, self.states, self.units, self.action) = (files, states, units, action)
    (self.timeStep, self.restPseudoData) = (timeStep, restPseudoData)
  }

  /// The task on these logs' columns, without a plant; 15 s of rollout as on the boom.
  func applied(to boom: ControlTask) -> ControlTask {
    var task = boom
    task.plant = nil
    task.logs = files.map { LogSource($0) }
    let rateUnits = units.isEmpty ? "" : units + "/s"
    let rate =
      states.count > 1
      ? Channel(name: states[1], units: rateUnits)
      : Channel(
        name: states[0] + "_rate", units: rateUnits,
        source: .rate(of: states[0], filterTime: 0))
    task.setChannels(
      of: LogLayout(
        states: [Channel(name: states[0], units: units), rate], actions: [Channel(name: action)],
        timeStep: timeStep), actionLimits: boom.actionLimits)
    let seconds = Double(boom.search.horizon) * boom.layout.timeStep
    task.search.horizon = max(1, Int((seconds / timeStep).rounded()))
    return task
  }

  /// The episodes of the task that has been applied to them.
  ///
  /// Throws: `LogError` of reading, and for commands beyond [-1, 1].
  func episodes(of task: ControlTask) throws -> [Episode] {
    let episodes = try task.trainingEpisodes()
    for episode in episodes {
      guard let wrong = episode.actions.first(where: { abs($0[0]) > 1 }) else { continue }
      throw LogError(
        file: episode.name, column: action,
        "the command \(wrong[0]) is outside [-1, 1], which these experiments take; scale it")
    }
    return episodes
  }
}

extension ControlTask {
  /// Limits the command to what was logged, beyond which nothing was seen.
  mutating func keepCommands(within episodes: [Episode]) {
    let commands = episodes.flatMap { $0.actions.map { $0[0] } }
    actions = [
      ActionChannel(
        actions[0].channel, limits: (commands.min() ?? -1)...(commands.max() ?? 1))
    ]
  }
}

extension DynamicsModel {
  /// The first state at a fraction of the way through its data, physical units; at rest.
  func restingState(at fraction: Double) -> [Double] {
    let bounds = stateBounds[0]
    let position = bounds.lowerBound + fraction * (bounds.upperBound - bounds.lowerBound)
    return [position] + stateBounds.dropFirst().map { _ in 0 }
  }
}
