// SPDX-License-Identifier: Apache-2.0
// The reward of a task on a model: its terms as programs, weights in the deviations that they are given in.

import Faults
import GaussianProcesses
import MachineLogs
import Rollouts

extension ControlTask {
  /// The sum of the reward's terms.
  ///
  /// - Parameter model: holds the learnt reward, if a term asks for it.
  /// - Throws: `LogError` where it does not; `FactorizationError`.
  package func makeReward(_ model: DynamicsModel) throws -> Reward {
    if objective.goalQuantities != nil && loggedGoals(model).isEmpty {
      throw LogError(
        file: place,
        "has goals of quantities that are no numbers together at any logged state of the model")
    }
    let terms = try objective.rewards.map { term in
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
            "is the reward, but the model has not learnt it", remedy: .fit)
        }
        return try Reward.learned(learnt, weight: weight)
      case .own(let reward): return reward
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
    guard units == .standardised, let rewardScale = objective.rewardScale else { return weights }
    return weights.indices.map { i in
      let ratio = scale[i] / rewardScale[i]
      return weights[i] * ratio * ratio
    }
  }

  /// Full turns of the goals that turn, in the units of a reward's distances [G].
  private func turns(_ units: RewardUnits, _ model: DynamicsModel) -> [Double?] {
    if let quantities = objective.goalQuantities { return quantities.map { _ in nil } }
    return layout.states.indices.map { i in
      switch units {
      case .physical: layout.states[i].turn
      case .standardised: layout.states[i].turn.map { $0 / model.stateStandardiser.scale[i] }
      }
    }
  }
}
