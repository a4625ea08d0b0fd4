// SPDX-License-Identifier: Apache-2.0
// The aim: a reward, the start and goal of episodes, and the constraints on the way.

import Formulas
import PolicySearch
import Rollouts

/// What a search is to reach. S states, G numbers that goals are of.
package struct Objective: Sendable {
  /// One summand of the reward.
  package enum RewardTerm: Sendable {
    case saturating(weights: [Double], width: Double, units: RewardUnits)
    case quadratic(weights: [Double], actionWeights: [Double], units: RewardUnits)
    case actionChange(Double)
    case formula(Formula)
    /// The posterior mean of a reward learnt from this column of the logs, times a weight.
    case learned(column: String, weight: Double)
    /// A closure from Swift.
    case own(Reward)
  }

  package var rewards: [RewardTerm] = []
  /// Deviations in which standardised rewards measure distances, physical units [G]; nil for those of the model's data. A loop
  /// keeps those of its first data: what it adds later would make a reward narrower or wider from trial to trial.
  package var rewardScale: [Double]?
  package var start = StateDistribution.fixed([])
  /// Of the states, or of `goalQuantities`.
  package var goal = StateDistribution.fixed([])
  /// Whether episodes have a goal; without one the reward alone says what is wanted, and `goal` is the origin.
  package var hasGoal = true
  /// What goals are of; nil where they are of the states.
  package var goalQuantities: [Quantity]?
  /// What a search keeps, beside what limits say.
  package var ownConstraints: [ControlTask.Constraint] = []
  /// Whether a search keeps what ends episodes.
  package var keepsLimits = true

  package init() {}
}
