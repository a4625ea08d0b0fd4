// SPDX-License-Identifier: Apache-2.0
// The return of an episode on the machine: the sum that a rollout would have had with its rows (Algorithm 1, lines 10 and 14).
//
//   r(x_0, g) + sum over k = 1 ... H of r(x_k, g, u_(k-1), u_(k-2))

import GaussianProcesses
import MachineLogs
import Policies
import Programs

/// Adds up the rewards of episodes.
package struct EpisodeReturn {
  private let program: Program
  private let interpreter: Interpreter
  private let states: Standardiser
  private let goals: Standardiser
  private let actions: Int

  /// - Parameters:
  ///   - reward: of states, goals and actions.
  ///   - model: whose standardisers it measures by.
  ///   - form: what goals are of.
  ///   - goals: standardiser of goals that are of quantities; nil where they are of the states.
  package init(
    _ reward: Reward, on model: DynamicsModel, goalForm form: GoalForm, goals: GoalStandardiser?
  ) {
    let expressions = StepExpressions(model)
    let builder = ProgramBuilder()
    let state = builder.input("state", length: model.layout.states.count)
    actions = model.layout.actions.count
    let inputs = RewardInputs(
      state: state, physicalState: expressions.physical(state),
      goal: builder.input("goal", length: form.length), of: form,
      action: builder.input("action", length: actions),
      previousAction: builder.input("previous", length: actions))
    builder.output("reward", reward.body(inputs))
    program = builder.finish()
    interpreter = Interpreter(
      shared: SharedArrays.joined([expressions.data, reward.data, goals?.data ?? [:]]))
    states = model.stateStandardiser
    self.goals = goals.map { Standardiser(mean: $0.mean, scale: $0.scale) } ?? states
  }

  /// The sum over an episode's first rows, in physical units.
  ///
  /// - Parameters:
  ///   - episode: of the machine.
  ///   - goal: [G]
  ///   - steps: H, as long as the episode is at most.
  ///   - rest: the action before the first [A].
  package func value(_ episode: Episode, goal: [Double], steps: Int, rest: [Double]) -> Double {
    let none = Array(repeating: 0.0, count: actions)
    return (0...min(steps, episode.count - 1)).reduce(0) { sum, k in
      let action = k > 0 ? episode.actions[k - 1] : none
      let previous = k > 1 ? episode.actions[k - 2] : k > 0 ? rest : none
      let inputs = [
        "state": states.standardise(episode.states[k]), "goal": goals.standardise(goal),
        "action": action, "previous": previous,
      ].filter { program.inputs[$0.key] != nil }
      return sum + (interpreter.run(program, inputs: inputs)["reward"].first ?? .nan)
    }
  }
}
