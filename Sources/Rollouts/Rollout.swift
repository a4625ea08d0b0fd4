// SPDX-License-Identifier: Apache-2.0
// Rollouts: dynamics model + sampler + policy + reward -> one rollout program and its data (Algorithm 1,
// lines 9-16). The only place that knows both sides. Particles carry standardised states, and what the
// model or the reward remembers:
//
//   carry = [state (S) | states 1 ... lags rows ago (S each) | actions 1 ... lags rows ago (A each) | noise memory]
//
// States are standardised, actions physical; the noise memory is that of `MeasurementNoise`.

import Draws
import GaussianProcesses
import Policies
import Programs
import Samplers

/// A closed loop of model and policy, ready for an executor.
public struct Rollout: Sendable {
  public let program: RolloutProgram
  /// Values of the program's shared arrays, without the parameters.
  public let data: [String: [Double]]
  public let layout: CarryLayout
  /// Actions before the first [A].
  public let restAction: [Double]
  /// Functions that particles draw for a whole rollout [B, F] (`PosteriorSampler.functionDraws`).
  public let functionDraws: @Sendable (_ particles: Int, _ key: DrawKey) -> [Double]

  /// - Parameters:
  ///   - model: of the machine.
  ///   - sampler: of that model's posterior.
  ///   - policy: of the same states and actions.
  ///   - reward: of states, goals and actions.
  ///   - measurementNoise: what the policy's sensors add to the states; the reward sees the states.
  ///   - dropout: probability that a unit before the policy's last layer is dropped (`Dropout`).
  ///   - stateLimit: standardised states beyond this count as diverged.
  ///   - adjointLimit: see `RolloutProgram.adjointLimit`.
  public init(
    model: DynamicsModel, sampler: any PosteriorSampler, policy: Policy, reward: Reward,
    measurementNoise: MeasurementNoise = MeasurementNoise(), dropout: Double = 0,
    stateLimit: Double = 1_000, adjointLimit: Double = 1e6
  ) {
    let layout = CarryLayout(
      model: model, policy: policy, reward: reward, noise: measurementNoise)
    precondition(
      policy.stateLength == layout.stateLength && policy.actionLength == layout.actionLength,
      "the policy maps \(policy.stateLength) states to \(policy.actionLength) actions, the model has "
        + "\(layout.stateLength) and \(layout.actionLength)")
    self.layout = layout
    restAction = policy.rest
    let step = StepBuilder(
      model: model, sampler: sampler, policy: policy, reward: reward, noise: measurementNoise,
      dropoutProbability: dropout, layout: layout)
    program = RolloutProgram(
      initial: step.initialProgram(), step: step.stepProgram(),
      parameterCount: policy.parameterCount, stateLimit: stateLimit,
      adjointLimit: adjointLimit)
    functionDraws = { sampler.functionDraws($0, key: $1) }
    data = sampler.data.merging(step.data) { $1 }.merging(reward.data) { $1 }
  }
}

/// Where things stand in what a particle carries.
public struct CarryLayout: Hashable, Sendable {
  public let stateLength: Int
  public let actionLength: Int
  /// Rows of past states and of past actions carried.
  public let stateLag: Int
  public let actionLag: Int

  /// Length of the noise memory.
  let noiseMemory: Int

  init(model: DynamicsModel, policy: Policy, reward: Reward, noise: MeasurementNoise) {
    stateLength = model.layout.states.count
    actionLength = model.layout.actions.count
    stateLag = model.form.stateLag
    actionLag = max(
      model.form.actionLag, policy.actionMemory, reward.usesPreviousAction ? 1 : 0)
    noiseMemory = noise.memory(model.layout)
  }

  /// Length of the carry.
  public var length: Int { noiseStart + noiseMemory }

  private var noiseStart: Int { stateLength * (1 + stateLag) + actionLength * actionLag }

  /// The carry of a machine that has stood at a standardised state, with actions `rest`.
  public func atRest(_ state: [Double], action rest: [Double]) -> [Double] {
    (0...stateLag).flatMap { _ in state } + (0..<actionLag).flatMap { _ in rest }
      + Array(repeating: 0, count: noiseMemory)
  }

  func state(_ carry: Value, lag: Int) -> Value {
    carry[lag * stateLength..<(lag + 1) * stateLength]
  }

  /// Action `lag` rows ago, lag >= 1.
  func action(_ carry: Value, lag: Int) -> Value {
    let start = (1 + stateLag) * stateLength + (lag - 1) * actionLength
    return carry[start..<start + actionLength]
  }
  func noise(_ carry: Value) -> Value? {
    noiseMemory == 0 ? nil : carry[noiseStart..<length]
  }
}
