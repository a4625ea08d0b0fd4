// SPDX-License-Identifier: Apache-2.0
// Rollouts: dynamics model + sampler + policy + reward -> one rollout program and its data (Algorithm 1,
// lines 9-16). The only place that knows both sides. Particles carry standardised states, and what the
// model or the reward remembers:
//
//   carry = [state (S) | states 1 ... lags rows ago (S each) | actions 1 ... lags rows ago (A each)]
//
// States are standardised, actions physical.

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
  /// Functions that particles draw for a whole rollout [B, F] (`PosteriorSampler.functionDraws`).
  public let functionDraws: @Sendable (_ particles: Int, _ key: DrawKey) -> [Double]

  /// - Parameter stateLimit: standardised states beyond this count as diverged.
  public init(
    model: DynamicsModel, sampler: any PosteriorSampler, policy: Policy, reward: Reward,
    stateLimit: Double = 1_000
  ) {
    let layout = CarryLayout(model: model, keepsPreviousAction: reward.usesPreviousAction)
    precondition(
      policy.stateLength == layout.stateLength && policy.actionLength == layout.actionLength,
      "the policy maps \(policy.stateLength) states to \(policy.actionLength) actions, the model has "
        + "\(layout.stateLength) and \(layout.actionLength)")
    self.layout = layout
    let step = StepBuilder(
      model: model, sampler: sampler, policy: policy, reward: reward, layout: layout)
    program = RolloutProgram(
      initial: step.initialProgram(), step: step.stepProgram(),
      parameterCount: policy.parameterCount, stateLimit: stateLimit)
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

  init(model: DynamicsModel, keepsPreviousAction: Bool) {
    stateLength = model.layout.states.count
    actionLength = model.layout.actions.count
    stateLag = model.form.stateLag
    actionLag = max(model.form.actionLag, keepsPreviousAction ? 1 : 0)
  }

  /// Length of the carry.
  public var length: Int { stateLength * (1 + stateLag) + actionLength * actionLag }

  /// The carry of a machine that has stood at a standardised state, with actions `rest`.
  public func atRest(_ state: [Double], action rest: [Double]) -> [Double] {
    (0...stateLag).flatMap { _ in state } + (0..<actionLag).flatMap { _ in rest }
  }

  func state(_ carry: Value, lag: Int) -> Value {
    carry[lag * stateLength..<(lag + 1) * stateLength]
  }

  /// Action `lag` rows ago, lag >= 1.
  func action(_ carry: Value, lag: Int) -> Value {
    let start = (1 + stateLag) * stateLength + (lag - 1) * actionLength
    return carry[start..<start + actionLength]
  }
}

/// Writes the step and the initial reward.
private struct StepBuilder {
  let model: DynamicsModel
  let sampler: any PosteriorSampler
  let policy: Policy
  let reward: Reward
  let layout: CarryLayout

  /// Numbers of the model that the step reads, so that a new fit needs no new kernel.
  var data: [String: [Double]] {
    let states = model.stateStandardiser
    let features = model.featureStandardiser
    let increments = model.incrementStandardiser
    // Increment of standardised state i = gain * standardised increment + offset.
    let outputs = model.form.outputStates
    let gains = outputs.enumerated().map { increments.scale[$0] / states.scale[$1] }
    let offsets = outputs.enumerated().map { increments.mean[$0] / states.scale[$1] }
    return [
      "state_mean": states.mean, "state_scale": states.scale,
      "feature_mean": features.mean, "feature_inverse_scale": features.scale.map { 1 / $0 },
      "increment_gain": gains, "increment_offset": offsets,
    ]
  }

  /// r(S_0, G) (line 10), with no action yet.
  func initialProgram() -> Program {
    let builder = ProgramBuilder()
    let carry = builder.input("state", length: layout.length)
    let zero = builder.constant(Array(repeating: 0, count: layout.actionLength))
    builder.output(
      "reward",
      reward(layout.state(carry, lag: 0), goal(builder), action: zero, previousAction: zero))
    return builder.finish()
  }

  /// u = pi(x, g); x' ~ f(x, u); r(x', g) (lines 12-14).
  func stepProgram() -> Program {
    let builder = ProgramBuilder()
    let carry = builder.input("state", length: layout.length)
    let state = layout.state(carry, lag: 0)
    let goal = goal(builder)
    let action = policy.action(state: state, goal: goal).named("action")
    let increments = sampler.increments(at: features(carry, action))
    let next = nextState(state, increments).named("next_state")
    var parts = [next]
    for lag in stride(from: 0, to: layout.stateLag, by: 1) {
      parts.append(layout.state(carry, lag: lag))
    }
    for lag in stride(from: 0, to: layout.actionLag, by: 1) {
      parts.append(lag == 0 ? action : layout.action(carry, lag: lag))
    }
    let previous = layout.actionLag > 0 ? layout.action(carry, lag: 1) : action
    builder.output("next", builder.concatenate(parts))
    builder.output("reward", reward(next, goal, action: action, previousAction: previous))
    builder.output("action", action)
    return builder.finish()
  }

  private func goal(_ builder: ProgramBuilder) -> Value {
    builder.input("goal", length: layout.stateLength)
  }

  private func reward(
    _ state: Value, _ goal: Value, action: Value, previousAction: Value
  ) -> Value {
    reward.body(
      RewardInputs(
        state: state, goal: goal, physicalState: physical(state), physicalGoal: physical(goal),
        action: action, previousAction: previousAction)
    ).named("reward")
  }

  private func physical(_ state: Value) -> Value {
    let (builder, n) = (state.builder, layout.stateLength)
    return state * builder.shared("state_scale", length: n)
      + builder.shared("state_mean", length: n)
  }

  /// Standardised features [D].
  private func features(_ carry: Value, _ action: Value) -> Value {
    let builder = carry.builder
    let angles = physical(layout.state(carry, lag: 0))
    let parts = model.form.features.enumerated().map { d, feature -> Value in
      switch feature {
      case .state(let i, let lag): return layout.state(carry, lag: lag)[i]
      case .sine(let i): return sin(angles[i])
      case .cosine(let i): return cos(angles[i])
      case .action(let j, let lag):
        let value = lag == 0 ? action[j] : layout.action(carry, lag: lag)[j]
        return (value - builder.shared("feature_mean", offset: d, length: 1))
          * builder.shared("feature_inverse_scale", offset: d, length: 1)
      }
    }
    return builder.concatenate(parts).named("features")
  }

  /// Standardised next state [S] from standardised increments [M].
  private func nextState(_ state: Value, _ increments: Value) -> Value {
    let builder = state.builder
    let m = increments.length
    let changes =
      increments * builder.shared("increment_gain", length: m)
      + builder.shared("increment_offset", length: m)
    let scale = builder.shared("state_scale", length: layout.stateLength)
    let mean = builder.shared("state_mean", length: layout.stateLength)
    let timeStep = model.layout.timeStep
    var next: [Value?] = model.form.updates.enumerated().map { i, update in
      guard case .increment(let output) = update else { return nil }
      return state[i] + changes[output]
    }
    func rate(_ values: Value?, _ i: Int) -> Value {
      guard let values else { preconditionFailure("state \(i) integrates a rate without a model") }
      return values * scale[i] + mean[i]
    }
    for (i, update) in model.form.updates.enumerated() {
      switch update {
      case .increment: break
      case .backwardIntegral(let r):
        next[i] = state[i] + timeStep * rate(next[r], r) / scale[i]
      case .trapezoidalIntegral(let r):
        next[i] =
          state[i] + 0.5 * timeStep * (rate(state[r], r) + rate(next[r], r)) / scale[i]
      }
    }
    return builder.concatenate(next.compactMap { $0 })
  }
}
