// SPDX-License-Identifier: Apache-2.0
// Bagel: the whole way in four calls, for programs and for the command line.
//   ControlTask("boom") -> fit() -> optimize(model) -> evaluate(controller)
// In: a task (logs or a plant, model, policy, reward). Out: a model, a policy, episodes on a plant, a page with pictures.
// This file is the way in for other packages; InteractionLoop, UserPlant, Expressions and SavedFiles have the rest of it.
// `Tests/ControlTests/PublicInterface.txt` lists all that is public.

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
  /// - Throws: what is wrong with it: line, key, value, what to write.
  public init(yaml text: String) throws {
    try self.init(yaml: text, file: "the task's text", folder: ".")
  }

  /// Learns the dynamics.
  ///
  /// - Parameters:
  ///   - episodes: from anywhere, on the task's time step, channels in its order; nil for the task's logs, or where it has none for
  ///     exploring its plant.
  ///   - logFolder: where what the plant does is written, row by row; a machine's rows are read back with their stamps.
  ///   - goesOn: asked at every step on the plant; false ends the episode with the safe action, and the exploration.
  /// - Throws: what is wrong with the logs or the plant.
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
  ///   - progress: hears the iteration and the best return so far after every iteration; false ends the search, whose best
  ///     policy so far is returned.
  /// - Throws: why there is no policy: a reward, a start or a device is missing, or the search diverged.
  @_disfavoredOverload
  public func optimize(
    _ model: DynamicsModel,
    progress: (_ iteration: Int, _ bestReturn: Double) -> Bool = { _, _ in true }
  ) throws -> OptimizedPolicy {
    try optimize(model, from: nil) { progress($0.iteration, $0.bestReturn) }
  }

  /// Drives the task's plant with a policy, as many episodes as `evaluate:` says.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - model: on which it was found; needed where start or goals are drawn from its data.
  ///   - logFolder: where what a machine does is written, row by row.
  ///   - goesOn: asked at every step; false ends the episode with the safe action, and the evaluation.
  /// - Throws: what is wrong with the plant.
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

  /// Sets a reward of your own in place of `reward:`.
  public mutating func setReward(_ reward: Reward) {
    objective.rewards = [.own(reward)]
    rewardColumn = nil
  }
}

extension InteractionLoop {
  /// Opens a loop, or goes on with the one in its folder (paper, Algorithm 1).
  ///
  /// - Parameters:
  ///   - task: with a plant, and logs or a way to explore.
  ///   - folder: where logs, models, policies and the record are.
  ///   - seed: of exploration, searches and noise.
  /// - Throws: where the folder's loop had another task or seed, or the plant cannot be made.
  @_disfavoredOverload
  public init(task: ControlTask, folder: String, seed: UInt64) throws {
    try self.init(task: task, folder: folder, seed: seed, device: nil)
  }

  /// Explores, then fits, searches and tries, until success or the budget's end.
  ///
  /// - Parameters:
  ///   - goesOn: asked at every step on the plant; false ends the episode with the safe action, and the loop.
  ///   - tell: hears of every stage, in words.
  /// - Returns: whether the loop is finished; one that is not goes on where it ended.
  public mutating func run(
    while goesOn: @escaping () -> Bool = { true }, telling tell: @escaping (String) -> Void
  ) throws -> Bool {
    try run(goesOn: goesOn) { event in
      event.words.map(tell)
      return true
    }
  }
}
