// SPDX-License-Identifier: Apache-2.0
// The policy of a task: its inputs, the description in its file, its numbers for a run, and the goals that it may get.

import GaussianProcesses
import MachineLogs
import Policies

extension ControlTask {
  /// What a policy file must say to be a policy for this task.
  package var policyDescription: PolicyDescription {
    PolicyDescription(
      task: name, stateNames: observedLayout.states.map(\.name),
      stateUnits: observedLayout.states.map(\.units),
      actionNames: layout.actions.map(\.name), lower: actionLimits.map(\.lowerBound),
      upper: actionLimits.map(\.upperBound),
      largestChange: largestActionChanges, rest: safeAction,
      timeStep: layout.timeStep, form: policy.form, inputs: policyInputs)
  }

  /// Refuses a goal beyond the states' limits or, where the policy sees its goal, beyond both the data behind it and
  /// the goals it was searched for; a goal of quantities far from all logged ones.
  ///
  /// - Parameters:
  ///   - goal: [G], physical units.
  ///   - input: how the policy sees its goal.
  ///   - data: behind the policy.
  /// - Throws: `LogError`.
  package func checkGoal(_ goal: [Double], for input: GoalInput, within data: SearchedData) throws {
    guard objective.hasGoal else { return }
    if objective.goalQuantities != nil {
      for (channel, value) in zip(goalChannels, goal) {
        guard let limits = limits(of: channel.name), !limits.contains(value) else { continue }
        throw LogError(
          file: place, column: channel.name,
          "the goal \(value) is outside its limits, \(limits.lowerBound) to \(limits.upperBound)")
      }
      if !data.loggedGoals.isEmpty { try checkReached(goal, data.loggedGoals) }
      return
    }
    let searched = self.objective.goal.support
    for (i, channel) in layout.states.enumerated() {
      func refuse(_ bound: ClosedRange<Double>, _ what: String) throws {
        throw LogError(
          file: place, column: channel.name,
          "the goal \(goal[i]) is outside \(what), \(bound.lowerBound) to \(bound.upperBound)")
      }
      if let limits = states[i].limits, !limits.contains(goal[i]) {
        try refuse(limits, "its limits")
      }
      guard input != .none, let data = data.bounds, !data[i].contains(goal[i]) else { continue }
      if searched?[i].contains(goal[i]) != true {
        try refuse(data[i], "the data behind the policy")
      }
    }
  }

  /// Refuses a schedule with a goal that `checkGoal` refuses. Throws: `LogError`.
  package func checkSchedule(for input: GoalInput, within data: SearchedData) throws {
    for scheduled in evaluation.schedule { try checkGoal(scheduled.goal, for: input, within: data) }
  }

  /// What a policy's file says that was found on a model.
  package func policyDescription(on model: DynamicsModel) -> PolicyDescription {
    var description = policyDescription
    description.dataBounds = model.stateBounds + seenDisturbances(model).bounds
    description.loggedGoals = loggedGoals(model)
    description.plant = plant?.words
    description.model = model.fingerprint
    return description
  }

  /// The goals whose errors a PID controller reads, and integral action integrates.
  package var pidErrors: [Int] { policy.errors ?? evaluation.tracked.map(\.goal) }

  private var policyInputs: PolicyInputs {
    let angles = layout.states.indices.filter { layout.states[$0].turn != nil }
    let radians = angles.map { 2 * Double.pi / (layout.states[$0].turn ?? 1) }
    return PolicyInputs(
      stateLength: observedLayout.states.count,
      disturbanceLength: policy.seesDisturbances ? layout.disturbances.count : 0,
      actionLength: layout.actions.count, goal: policy.goalInput,
      goalQuantities: objective.goalQuantities, angles: angles,
      radians: radians.allSatisfy { $0 == 1 } ? nil : radians,
      actionHistory: policy.actionHistory,
      integrated: policy.integrates ? pidErrors : [])
  }

  /// The layout in which the disturbances that the policy sees follow the states.
  package var observedLayout: LogLayout {
    var observed = layout
    if policy.seesDisturbances { observed.states += layout.disturbances.map(\.channel) }
    return observed
  }

  /// Standardiser and bounds of the disturbances that the policy sees.
  func seenDisturbances(
    _ model: DynamicsModel
  ) -> (standardiser: Standardiser, bounds: [ClosedRange<Double>]) {
    guard policy.seesDisturbances else { return (Standardiser(mean: [], scale: []), []) }
    let logged = model.loggedDisturbances
    return (logged.standardiser, logged.bounds)
  }

  /// A policy of this task with its numbers.
  ///
  /// - Parameters:
  ///   - parameters: theta [P].
  ///   - model: on which it was found.
  package func controller(_ parameters: [Double], on model: DynamicsModel) -> PolicyController {
    controller(makePolicy(), parameters, on: model)
  }

  /// A policy of this task's machine with the standardisers of a model; its parameters are those of a beginning.
  package func standardisers(of policy: Policy, on model: DynamicsModel) -> PolicyController {
    controller(policy, policy.initialParameters(0), on: model)
  }

  private func controller(
    _ policy: Policy, _ parameters: [Double], on model: DynamicsModel
  ) -> PolicyController {
    let states = model.stateStandardiser
    let seen =
      policy.inputs.disturbanceLength == 0
      ? Standardiser(mean: [], scale: []) : model.loggedDisturbances.standardiser
    return PolicyController(
      policy: policy, parameters: parameters, stateMean: states.mean + seen.mean,
      stateScale: states.scale + seen.scale, goals: goalStandardiser(model))
  }

  /// The policy that the options describe.
  package func makePolicy() -> Policy { policyDescription.makePolicy() }
}
