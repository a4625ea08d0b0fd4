// SPDX-License-Identifier: Apache-2.0
// One step of a closed loop as a program: u = pi(x + measurement noise, g), x' ~ f(x, u), r(x', g).

import GaussianProcesses
import Policies
import Programs
import Samplers

/// Writes the step and the initial reward.
struct StepBuilder {
  let model: DynamicsModel
  let sampler: any PosteriorSampler
  let policy: Policy
  let reward: Reward
  let noise: MeasurementNoise
  /// That a unit before the policy's last layer is dropped.
  let dropoutProbability: Double
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
      PolicyInputs.stateMeanArray: states.mean, PolicyInputs.stateScaleArray: states.scale,
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
    let (seen, noiseMemory) = noise.measured(
      state, memory: layout.noise(carry), layout: model.layout,
      firstDraw: model.form.outputCount)
    let past = (0..<layout.actionLag).map { layout.action(carry, lag: $0 + 1) }
    let dropout = Dropout(
      probability: dropoutProbability,
      firstDraw: model.form.outputCount + noise.drawCount(model.layout))
    let action = policy.action(state: seen, goal: goal, past: past, dropout: dropout)
      .named("action")
    let increments = sampler.increments(at: features(carry, action))
    let next = nextState(state, increments).named("next_state")
    var parts = [next]
    for lag in stride(from: 0, to: layout.stateLag, by: 1) {
      parts.append(layout.state(carry, lag: lag))
    }
    for lag in stride(from: 0, to: layout.actionLag, by: 1) {
      parts.append(lag == 0 ? action : layout.action(carry, lag: lag))
    }
    if let noiseMemory { parts.append(noiseMemory) }
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
    return state * builder.shared(PolicyInputs.stateScaleArray, length: n)
      + builder.shared(PolicyInputs.stateMeanArray, length: n)
  }

  /// Standardised features [D].
  private func features(_ carry: Value, _ action: Value) -> Value {
    let builder = carry.builder
    let angles = physical(layout.state(carry, lag: 0))
    let parts = model.form.features.enumerated().map { d, feature -> Value in
      switch feature {
      case .state(let i, let lag): return layout.state(carry, lag: lag)[i]
      case .sine(let i, let radians): return sin(angles[i].scaled(by: radians))
      case .cosine(let i, let radians): return cos(angles[i].scaled(by: radians))
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
    let scale = builder.shared(PolicyInputs.stateScaleArray, length: layout.stateLength)
    let mean = builder.shared(PolicyInputs.stateMeanArray, length: layout.stateLength)
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
      case .backwardIntegral(let r, let smoothing):
        let (before, after) = (rate(state[r], r), rate(next[r], r))
        let difference = smoothing == 1 ? after : before + (1 / smoothing) * (after - before)
        next[i] = state[i] + timeStep * difference / scale[i]
      case .trapezoidalIntegral(let r):
        next[i] =
          state[i] + 0.5 * timeStep * (rate(state[r], r) + rate(next[r], r)) / scale[i]
      }
    }
    return builder.concatenate(next.compactMap { $0 })
  }
}
