// SPDX-License-Identifier: Apache-2.0
// Rollouts: dynamics model + sampler + policy + reward -> one rollout program and its data (Algorithm 1,
// lines 9-16). The only place that uses both sides. Particles carry the standardised state, and the memory of model, sensors,
// policy and reward (`StepSlots`).

import Draws
import GaussianProcesses
import Policies
import Programs
import Samplers

/// A closed loop of model and policy, ready for an executor.
package struct Rollout: Sendable {
  package let program: RolloutProgram
  /// Values of the program's shared arrays, without the parameters.
  package let data: [String: [Double]]
  /// What particles carry.
  package let slots: StepSlots
  private let drawn: @Sendable (_ key: DrawKey, _ particle: Int) -> [CarrySlot: [Double]]
  /// Standardiser of goals that are of quantities; nil where they are of the states.
  package let goals: GoalStandardiser?
  /// Functions that particles draw for a whole rollout [B, F] (`PosteriorSampler.functionDraws`).
  package let functionDraws: @Sendable (_ particles: Int, _ key: DrawKey) -> [Double]

  /// - Parameters:
  ///   - model: of the machine.
  ///   - sampler: of that model's posterior.
  ///   - policy: of the same states and actions.
  ///   - goals: standardiser of goals that are of quantities; nil where they are of the states.
  ///   - reward: of states, goals and actions.
  ///   - constraints: bounds whose costs are added up beside the return.
  ///   - measurementNoise: what the policy's sensors add to the states; the reward sees the states.
  ///   - commandErrors: by how much each output answers changes of each command otherwise [M][A] (`UnseenErrors.ofCommands`), each particle
  ///     by normals of its own; empty for not at all.
  ///   - horizon: steps of the longest rollout, wanted where the model has disturbances: as far as they are to go on.
  ///   - dropout: probability that a unit before the policy's last layer is dropped (`Dropout`).
  ///   - stateLimit: standardised states beyond this count as diverged.
  ///   - adjointLimit: see `RolloutProgram.adjointLimit`.
  package init(
    model: DynamicsModel, sampler: any PosteriorSampler, policy: Policy,
    goals: GoalStandardiser? = nil, reward: Reward, constraints: [StepConstraint] = [],
    measurementNoise: MeasurementNoise = MeasurementNoise(), commandErrors: [[Double]] = [],
    horizon: Int? = nil, dropout: Double = 0,
    stateLimit: Double = 1_000, adjointLimit: Double = 1e6
  ) {
    let (states, actions) = (model.layout.states.count, model.layout.actions.count)
    let seen = policy.inputs.disturbanceLength
    precondition(
      policy.stateLength - seen == states && policy.actionLength == actions
        && [0, model.layout.disturbances.count].contains(seen),
      "the policy maps \(policy.stateLength) states to \(policy.actionLength) actions, the model has "
        + "\(states) and \(actions), and \(model.layout.disturbances.count) disturbances")
    let step = StepBuilder(
      model: model, sampler: sampler, policy: policy, reward: reward, constraints: constraints,
      noise: measurementNoise, commandErrors: commandErrors, dropoutProbability: dropout,
      horizon: horizon ?? 0)
    let disturbances = step.disturbances
    drawn = { step.drawn($0, particle: $1) }
    precondition(
      disturbances == nil || horizon != nil, "how long are rollouts? Disturbances go on as far")
    self.goals = goals
    slots = step.slots
    program = RolloutProgram(
      initial: step.initialProgram(), step: step.stepProgram(),
      totals: ["return"] + constraints.flatMap(\.totals), stateLength: states,
      parameterCount: policy.parameterCount, stateLimit: stateLimit,
      adjointLimit: adjointLimit,
      longestHorizon: disturbances == nil ? .max : horizon ?? 0)
    functionDraws = { sampler.functionDraws($0, key: $1) }
    precondition((goals == nil) == (policy.inputs.goalQuantities == nil), "a standardiser of goals")
    data = SharedArrays.joined(
      [
        sampler.data, step.expressions.data, reward.data, goals?.data ?? [:],
        step.disturbances?.data ?? [:],
      ] + constraints.map(\.quantity.data))
  }

  /// What a particle carries before its first step.
  ///
  /// - Parameters:
  ///   - state: standardised [S].
  ///   - particle: its number.
  ///   - key: of what is drawn for it.
  package func start(state: [Double], particle: Int, key: DrawKey) -> [Double] {
    slots.first(state: state, drawn: drawn(key, particle))
  }
}
