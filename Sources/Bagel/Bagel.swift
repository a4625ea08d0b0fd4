// SPDX-License-Identifier: Apache-2.0
// Bagel: the whole workflow in four calls, for programs and for the command line.
//   ControlTask("boom") -> fit() -> optimize(model) -> evaluate(controller)
// In: a task (logs or a plant, model, policy, reward). Out: a model, a policy, episodes on a plant, a page with pictures.
// This file is the interface for other packages, together with InteractionLoop, UserPlant, Expressions and SavedFiles.
// `Tests/ControlTests/PublicInterface.txt` lists every public declaration.

import GaussianProcesses
import MachineLogs
import Policies
import Programs
import Rollouts
import Tasks

// What users name, by `import Bagel` alone.
public typealias ControlTask = Tasks.ControlTask
public typealias DynamicsModel = GaussianProcesses.DynamicsModel
public typealias Episode = MachineLogs.Episode
public typealias PolicyController = Policies.PolicyController
public typealias Reward = Rollouts.Reward
public typealias Value = Programs.Value

extension ControlTask {
  /// Reads a task from the text of a YAML file.
  ///
  /// - Parameter text: as `bagel new NAME` writes it; paths in it start at the current folder.
  /// - Throws: an error with the line, the key, the value and what to write instead.
  public init(yaml text: String) throws {
    try self.init(yaml: text, file: "the task's text", folder: ".")
  }

  /// Learns the dynamics.
  ///
  /// - Parameters:
  ///   - episodes: with the task's time step and its order of channels; nil for the task's logs, or, if it has none, for exploring
  ///     its plant.
  ///   - logFolder: folder for the rows of the plant, written one by one; a machine's rows are read back with their time stamps.
  ///   - goesOn: called at every step on the plant; false ends the episode with the safe action, and the exploration.
  /// - Throws: an error that describes what is wrong with the logs or the plant.
  @_disfavoredOverload
  public func fit(
    _ episodes: [Episode]? = nil, logFolder: String? = nil,
    while goesOn: @escaping () -> Bool = { true }
  ) throws -> FittedModel {
    try fit(
      episodes ?? trainingEpisodes(logFolder: logFolder, goesOn: goesOn), progress: { _ in })
  }

  /// Searches a policy on a learnt model (paper, Algorithm 1, lines 7 to 18).
  ///
  /// - Parameters:
  ///   - model: of this task's machine.
  ///   - progress: called after every iteration with its number and the best return so far; false ends the search, and the best
  ///     policy so far is returned.
  /// - Throws: an error if a reward, a start or a device is missing, or if the search diverged.
  @_disfavoredOverload
  public func optimize(
    _ model: DynamicsModel,
    progress: (_ iteration: Int, _ bestReturn: Double) -> Bool = { _, _ in true }
  ) throws -> OptimizedPolicy {
    try optimize(model, from: nil) { progress($0.iteration, $0.bestReturn) }
  }

  /// Drives the task's plant with a policy, for as many episodes as `evaluate:` gives.
  ///
  /// - Parameters:
  ///   - controller: the policy with its parameters.
  ///   - model: on which it was found; needed if start or goals are drawn from its data.
  ///   - logFolder: folder for a machine's rows, written one by one.
  ///   - goesOn: called at every step; false ends the episode with the safe action, and the evaluation.
  /// - Throws: an error that describes what is wrong with the plant.
  @_disfavoredOverload
  public func evaluate(
    _ controller: PolicyController, foundOn model: DynamicsModel? = nil, logFolder: String? = nil,
    while goesOn: @escaping () -> Bool = { true }
  ) throws -> Evaluation {
    try evaluate(
      controller, seed: 0,
      within: model.map { SearchedData(policyDescription(on: $0)) } ?? SearchedData(),
      logFolder: logFolder, goesOn: goesOn)
  }

  /// Sets your own reward instead of `reward:`.
  public mutating func setReward(_ reward: Reward) {
    objective.rewards = [.own(reward)]
    rewardColumn = nil
  }
}

extension InteractionLoop {
  /// Opens a loop, or continues the one in its folder (paper, Algorithm 1).
  ///
  /// - Parameters:
  ///   - task: with a plant, and with logs or `explore:`.
  ///   - folder: for logs, models, policies and the record.
  ///   - seed: of exploration, searches and noise.
  /// - Throws: an error if the folder's loop had another task or seed, or if the plant cannot be made.
  @_disfavoredOverload
  public init(task: ControlTask, folder: String, seed: UInt64) throws {
    try self.init(task: task, folder: folder, seed: seed, device: nil)
  }

  /// Explores, then repeats trials (fit, search, drive) until success or the last trial.
  ///
  /// - Parameters:
  ///   - goesOn: called at every step on the plant; false ends the episode with the safe action, and the loop.
  ///   - tell: called with a description of every stage.
  /// - Returns: whether the loop is finished; an unfinished loop continues where it ended.
  public mutating func run(
    while goesOn: @escaping () -> Bool = { true }, telling tell: @escaping (String) -> Void
  ) throws -> Bool {
    try run(goesOn: goesOn) { event in
      event.words.map(tell)
      return true
    }
  }
}
