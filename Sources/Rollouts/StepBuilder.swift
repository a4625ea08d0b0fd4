// SPDX-License-Identifier: Apache-2.0
// One step of a closed loop as a program: u = pi(x + measurement noise, g), x' ~ f(x, u, w), r(x', g), and what constraints cost. The parts declare what they
// carry and draw, then the program is written.

import Draws
import GaussianProcesses
import Policies
import Programs
import Samplers

/// Writes the step and the initial reward.
struct StepBuilder {
  let expressions: StepExpressions
  /// What particles carry and draw.
  let slots: StepSlots
  /// What disturbs them; nil where nothing does.
  let disturbances: DisturbanceReplay?

  private let sampler: any PosteriorSampler
  private let policy: Policy
  private let reward: Reward
  private let constraints: [StepConstraint]
  private let sensors: Sensors
  private let dropoutProbability: Double
  private let actionLength: Int

  /// Standardised; now, and 1, 2, ... rows ago.
  private let states: [CarrySlot]
  /// Physical; 1, 2, ... rows ago.
  private let pastActions: [CarrySlot]
  /// What the policy remembers; nil where it remembers nothing.
  private let policyMemory: CarrySlot?
  /// The commands that the model reads through filters, physical, of the row before.
  private let filters: [CarrySlot]
  /// Of the model.
  private let draws: DrawSlot
  /// Of the sensors that constraints see states by, and their deviations [S], physical; nil without constraints.
  private let seenByConstraints: (draws: DrawSlot, deviations: [Double])?
  /// By how much each output answers changes of each command otherwise [M][A], in particles' own normals [M, A]; nil for not at all.
  private let commandErrors: (normals: CarrySlot, errors: [[Double]])?
  /// Where draws follow those of the step before: these [M], and how much of them is kept [M], 0 at the first step.
  private let memory: (draws: CarrySlot, kept: CarrySlot, correlations: [Double])?

  init(
    model: DynamicsModel, sampler: any PosteriorSampler, policy: Policy, reward: Reward,
    constraints: [StepConstraint], noise: MeasurementNoise, commandErrors: [[Double]],
    dropoutProbability: Double, horizon: Int
  ) {
    (self.sampler, self.policy, self.reward) = (sampler, policy, reward)
    (self.constraints, self.dropoutProbability) = (constraints, dropoutProbability)
    precondition(
      !model.form.hasFeedthrough, "the next command is not known before the next state is")
    expressions = StepExpressions(model)
    let (states, actions) = (model.layout.states.count, model.layout.actions.count)
    actionLength = actions
    var slots = StepSlots()
    self.states = (0...model.form.stateLag).map {
      slots.carry("state \($0) rows ago", length: states, start: model.start(rowsAgo: $0))
    }
    let readers = [reward] + constraints.map(\.quantity)
    let actionRows = max(
      model.form.actionLag, policy.actionMemory,
      readers.contains(where: \.usesPreviousAction) ? 1 : 0,
      commandErrors.isEmpty
        ? 0
        : UnseenErrors.rows
          + ((0..<actions).compactMap { model.form.firstLag(ofAction: $0) }.max() ?? 0))
    pastActions = (0..<actionRows).map {
      slots.carry("action \($0 + 1) rows ago", length: actions, start: .fixed(policy.rest))
    }
    filters = model.form.filters.map { j, steps in
      slots.carry(
        "action \(j) through a filter of \(steps) steps", length: 1, start: .fixed([policy.rest[j]])
      )
    }
    policyMemory =
      policy.memoryLength == 0
      ? nil
      : slots.carry(
        "policy's memory", length: policy.memoryLength, start: .fixed(policy.memoryStart))
    let outputs = model.form.outputCount
    draws = slots.draws("model", length: outputs)
    let correlations = model.processNoise?.map(\.correlation) ?? []
    let zeros = CarrySlot.Start.fixed(Array(repeating: 0, count: outputs))
    memory =
      correlations.allSatisfy { $0 == 0 }
      ? nil
      : (
        slots.carry("draws of the step before", length: outputs, start: zeros),
        slots.carry("what is kept of them", length: outputs, start: zeros), correlations
      )
    self.commandErrors =
      commandErrors.isEmpty
      ? nil
      : (
        slots.carry(
          "errors of answers to commands", length: outputs * actions, start: .drawn), commandErrors
      )
    sensors = Sensors(noise, layout: model.layout, &slots)
    disturbances = DisturbanceReplay(model, horizon: horizon, &slots)
    let deviations = constraints.isEmpty ? [] : model.sensorDeviations
    seenByConstraints =
      deviations.allSatisfy { $0 == 0 }
      ? nil : (slots.draws("sensors of constraints", length: states), deviations)
    self.slots = slots
  }

  /// What a particle carries before its first step, of slots that are drawn.
  func drawn(_ key: DrawKey, particle: Int) -> [CarrySlot: [Double]] {
    var drawn = disturbances?.first(key, particle: particle) ?? [:]
    if let (slot, _) = commandErrors {
      drawn[slot] = key.normals(
        particle: particle, step: ReservedStep.commandErrors.rawValue, count: slot.length)
    }
    return drawn
  }

  /// r(S_0, G) (line 10), with no action yet. Constraints begin with the first step: no policy chooses where it starts.
  func initialProgram() -> Program {
    let builder = ProgramBuilder()
    let carry = builder.input(.carry, length: slots.carryLength)
    let zero = builder.zeros(actionLength)
    let value = reward.body(
      inputs(carry[states[0]], goal(builder), action: zero, previousAction: zero)
    ).named("reward")
    let costs = constraints.flatMap(\.totals).count
    builder.output(
      .reward, costs == 0 ? value : builder.concatenate([value, builder.zeros(costs)]))
    return builder.finish()
  }

  /// u = pi(x, g); x' ~ f(x, u, w); r(x', g) (lines 12-14).
  func stepProgram() -> Program {
    let builder = ProgramBuilder()
    var slots = slots
    let carry = builder.input(.carry, length: slots.carryLength)
    let (state, goal) = (carry[states[0]], goal(builder))
    var next: [CarrySlot: Value] = [:]
    let seen = sensors.measured(state, carry: carry, next: &next)
    let past = pastActions.map { carry[$0] }
    // How many units a policy drops is known when it is written.
    let dropout = Dropout(probability: dropoutProbability) { units in
      builder.normal(slots.draws("dropout", length: units))
    }
    let rows = (0...expressions.form.disturbanceLag).compactMap {
      disturbances?.value(carry, ago: $0)
    }
    let observed =
      policy.inputs.disturbanceLength == 0
      ? seen
      : builder.concatenate([seen, DisturbanceReplay.standardised(rows[0])])
    let acting = policy.step(
      state: observed, goal: goal, past: past, memory: policyMemory.map { carry[$0] },
      dropout: dropout)
    let action = acting.action.named("action")
    if let policyMemory { next[policyMemory] = acting.memory }
    let filtered = zip(filters, expressions.form.filters).map { slot, filter in
      let before = carry[slot]
      return before
        + InputFeature.filterGain(steps: filter.steps) * (action[filter.action] - before)
    }
    for (slot, value) in zip(filters, filtered) { next[slot] = value }
    disturbances?.advance(carry, next: &next)
    let features = expressions.features(
      state: { carry[states[$0]] }, action: { $0 == 0 ? action : past[$0 - 1] },
      disturbance: { rows[$0] }, filtered: filtered)
    let increments = sampler.increments(
      at: expressions.saturated(features), draws: modelDraws(carry, &next, builder),
      functionOffset: 0)
    precondition(
      increments.length == draws.length,
      "the sampler has \(increments.length) outputs, the model \(draws.length)")
    let off = commandErrors.map { slot, errors -> Value in
      next[slot] = carry[slot]
      let all = [action] + past
      let changes = builder.concatenate(
        (0..<actionLength).map { j in
          let lag = expressions.form.firstLag(ofAction: j) ?? 0
          return all[lag][j] - all[lag + UnseenErrors.rows][j]
        })
      return builder.concatenate(
        errors.enumerated().map { m, own in
          let normals = carry[slot][m * actionLength..<(m + 1) * actionLength]
          return dot(builder.constant(own) * normals, changes)
        })
    }
    let nextState = expressions.next(
      state,
      increments: expressions.increments(
        off.map { increments + $0 } ?? increments, features: features)
    ).named("next_state")
    for (slot, value) in zip(states, [nextState] + states.map { carry[$0] }) { next[slot] = value }
    for (slot, value) in zip(pastActions, [action] + past) { next[slot] = value }
    builder.output(.next, slots.next(next, builder))
    let read = inputs(nextState, goal, action: action, previousAction: past.first ?? action)
    let value = reward.body(read).named("reward")
    let measured = seenByConstraints.map { sensors in
      let noise = builder.constant(sensors.deviations) * builder.normal(sensors.draws)
      return read.withPhysicalState(read.physicalState + noise)
    }
    let costs = constraints.flatMap { $0.costs(measured ?? read) }
    builder.output(.reward, costs.isEmpty ? value : builder.concatenate([value] + costs))
    builder.output(.action, action)
    return builder.finish()
  }

  /// z' = rho z + sqrt(1 - rho^2) e (ProcessNoise.swift); z is e at the first step.
  private func modelDraws(
    _ carry: Value, _ next: inout [CarrySlot: Value], _ builder: ProgramBuilder
  ) -> Value {
    let fresh = builder.normal(draws)
    guard let memory else { return fresh }
    let kept = carry[memory.kept]
    let all = kept * carry[memory.draws] + sqrt(1 - kept * kept) * fresh
    next[memory.draws] = all
    next[memory.kept] = builder.constant(memory.correlations)
    return all
  }

  private func goal(_ builder: ProgramBuilder) -> Value {
    builder.input(.goal, length: policy.inputs.goalForm.length)
  }

  /// What reward and constraints read.
  private func inputs(
    _ state: Value, _ goal: Value, action: Value, previousAction: Value
  ) -> RewardInputs {
    RewardInputs(
      state: state, physicalState: expressions.physical(state), goal: goal,
      of: policy.inputs.goalForm, action: action, previousAction: previousAction)
  }
}

extension DynamicsModel {
  /// Where a particle was so many rows before its first state: its positions as their rates have moved them, all else as it is now.
  fileprivate func start(rowsAgo rows: Int) -> CarrySlot.Start {
    let rates = form.ratesOfPositions
    guard rows > 0, !rates.isEmpty else { return .state }
    let (means, scales) = (stateStandardiser.mean, stateStandardiser.scale)
    let time = Double(rows) * layout.timeStep
    var weights = scales.indices.map { i in scales.indices.map { $0 == i ? 1.0 : 0 } }
    var offsets = scales.map { _ in 0.0 }
    for (position, rate) in rates {
      weights[position][rate] -= time * scales[rate] / scales[position]
      offsets[position] -= time * means[rate] / scales[position]
    }
    return .affine(weights: weights, offsets: offsets)
  }
}
