// SPDX-License-Identifier: Apache-2.0
// A policy with its numbers, as it runs on a machine: state and goal in physical units, and its own last actions ->
// action in physical units. Evaluated in double precision from the same program that was differentiated.

import Programs

/// A policy ready to drive a plant.
public struct PolicyController: Sendable {
  package let policy: Policy
  /// theta [P]
  package let parameters: [Double]
  /// Standardiser of the states, and of the disturbances that it sees after them: (x - mean) / scale.
  package let stateMean: [Double]
  package let stateScale: [Double]
  /// Standardiser of goals that are of quantities; nil where they are of the states.
  package let goals: GoalStandardiser?
  /// From "state" [S] and "goal" [G], if the policy takes one, in physical units, "past" [actionMemory * A] and "memory" [M] to
  /// "action" [A] and "next_memory" [M]; without past actions or memory there are no such ports. Shared arrays as in `sharedArrays`.
  package let program: Program
  private let interpreter: Interpreter

  package init(
    policy: Policy, parameters: [Double], stateMean: [Double], stateScale: [Double],
    goals: GoalStandardiser? = nil
  ) {
    precondition((goals == nil) == (policy.inputs.goalQuantities == nil), "a standardiser of goals")
    precondition(
      parameters.count == policy.parameterCount && stateMean.count == policy.stateLength
        && stateScale.count == policy.stateLength,
      "a policy of \(policy.parameterCount) parameters and \(policy.stateLength) states got "
        + "\(parameters.count) and \(stateMean.count)")
    self.policy = policy
    self.parameters = parameters
    self.stateMean = stateMean
    self.stateScale = stateScale
    self.goals = goals
    program = Self.program(policy)
    let shared = [
      RolloutProgram.parameters: parameters, RolloutProgram.stateMean: stateMean,
      RolloutProgram.stateScale: stateScale,
    ]
    interpreter = Interpreter(shared: shared.merging(goals?.data ?? [:]) { $1 })
  }

  private static func program(_ policy: Policy) -> Program {
    let (builder, states) = (ProgramBuilder(), policy.stateLength)
    let state = GoalForm.states(count: states).standardised(builder.input("state", length: states))
    let form = policy.inputs.goalForm
    let goal =
      policy.inputs.goal == .none
      ? nil : form.standardised(builder.input("goal", length: form.length))
    let (memory, actions) = (policy.actionMemory, policy.actionLength)
    let past = memory == 0 ? nil : builder.input("past", length: memory * actions)
    let rows = (0..<memory).compactMap { past?[$0 * actions..<($0 + 1) * actions] }
    let (action, next) = policy.step(
      state: state, goal: goal, past: rows,
      memory: policy.memoryStart.isEmpty
        ? nil : builder.input("memory", length: policy.memoryLength))
    builder.output("action", action)
    if let next { builder.output("next_memory", next) }
    return builder.finish()
  }

  /// Values of the program's shared arrays.
  package var sharedArrays: [String: [Double]] { interpreter.shared }

  /// The action [A] for a state [S] and a goal [G], physical units: the first one of a policy with a memory.
  ///
  /// - Parameters:
  ///   - state: [S], and after it the disturbances that it sees, physical units.
  ///   - goal: [G], physical units.
  ///   - past: the last actions, newest first; missing ones count as rest.
  package func action(state: [Double], goal: [Double], past: [[Double]] = []) -> [Double] {
    step(state: state, goal: goal, past: past, memory: policy.memoryStart).action
  }

  /// The action [A], and what is remembered for the next [M].
  ///
  /// - Parameters:
  ///   - state: [S], and after it the disturbances that it sees, physical units.
  ///   - goal: [G], physical units.
  ///   - past: the last actions, newest first; missing ones count as rest.
  ///   - memory: of the step before [M], `Policy.memoryStart` at first.
  package func step(
    state: [Double], goal: [Double], past: [[Double]], memory: [Double]
  ) -> (action: [Double], memory: [Double]) {
    let rows = (0..<policy.actionMemory).flatMap { $0 < past.count ? past[$0] : policy.rest }
    let inputs = ["state": state, "goal": goal, "past": rows, "memory": memory]
    let outputs = interpreter.run(
      program, inputs: inputs.filter { program.inputs[$0.key] != nil }
    ).outputs
    return (outputs["action"] ?? [], outputs["next_memory"] ?? [])
  }

  /// A run of the controller, with the memory of its actions and of its policy.
  public func begin() -> ControllerRun { ControllerRun(controller: self) }
}

/// A controller during an episode.
public struct ControllerRun {
  private let controller: PolicyController
  /// Newest first.
  private var past: [[Double]] = []
  private var memory: [Double]
  /// Whether the newest is its own action of this step.
  private var hasActed = false

  init(controller: PolicyController) {
    self.controller = controller
    memory = controller.policy.memoryStart
  }

  /// The action [A] for an observation, of which the policy reads its inputs, and a goal [G], physical units.
  ///
  /// - Parameters:
  ///   - observed: states [S], then disturbances [W].
  ///   - goal: [G]
  /// - Returns: the action; NaN if it or the new memory is not finite, and then the memory does not change.
  public mutating func action(observed: [Double], goal: [Double]) -> [Double] {
    let seen = Array(observed.prefix(controller.policy.stateLength))
    let (action, kept) = controller.step(state: seen, goal: goal, past: past, memory: memory)
    // What is no number must not stay in the memory, nor pass unseen.
    guard action.allSatisfy(\.isFinite), kept.allSatisfy(\.isFinite) else {
      hasActed = false
      return action.map { _ in .nan }
    }
    memory = kept
    past.insert(action, at: 0)
    past = Array(past.prefix(controller.policy.actionMemory))
    hasActed = true
    return action
  }

  /// A step in which it was not asked: what is sent in it stands in place of no action of its own.
  package mutating func skip() { hasActed = false }

  /// Remembers what was really sent [A] in place of its action of this step, if it had one: an operator's command, another
  /// controller's. Its next actions go on from there, within its rate limits.
  package mutating func sent(_ action: [Double]) {
    if hasActed && !past.isEmpty {
      let policy = controller.policy
      let isOwn = action.indices.allSatisfy { j in
        abs(action[j] - past[0][j]) <= 1e-9 * (policy.upper[j] - policy.lower[j])
      }
      if !isOwn { memory = policy.memory(memory, following: action) }
      past[0] = action
    } else {
      past.insert(action, at: 0)
      past = Array(past.prefix(controller.policy.actionMemory))
    }
    hasActed = false
  }
}
