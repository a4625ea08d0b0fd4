// SPDX-License-Identifier: Apache-2.0
// A policy with its numbers, as it runs on a machine: measured state and goal in physical units -> action
// in physical units. Evaluated in double precision from the same program that was differentiated.

import Programs

/// A policy ready to drive a plant.
public struct PolicyController: Sendable {
  public let policy: Policy
  /// theta [P]
  public let parameters: [Double]
  /// Standardiser of the states: (x - mean) / scale.
  public let stateMean: [Double]
  public let stateScale: [Double]
  private let program: Program
  private let interpreter: Interpreter

  public init(policy: Policy, parameters: [Double], stateMean: [Double], stateScale: [Double]) {
    precondition(
      parameters.count == policy.parameterCount && stateMean.count == policy.stateLength
        && stateScale.count == policy.stateLength,
      "a policy of \(policy.parameterCount) parameters and \(policy.stateLength) states got "
        + "\(parameters.count) and \(stateMean.count)")
    self.policy = policy
    self.parameters = parameters
    self.stateMean = stateMean
    self.stateScale = stateScale
    let builder = ProgramBuilder()
    let state = builder.input("state", length: policy.stateLength)
    let goal =
      policy.goalInput == .none ? nil : builder.input("goal", length: policy.goalLength)
    builder.output("action", policy.action(state: state, goal: goal))
    program = builder.finish()
    interpreter = Interpreter(shared: [RolloutProgram.parameters: parameters])
  }

  /// The action [A] for a measured state [S] and a goal [S], physical units.
  public func action(state: [Double], goal: [Double]) -> [Double] {
    let inputs = ["state": standardise(state), "goal": standardise(goal)]
    return interpreter.run(program, inputs: inputs).outputs["action"] ?? []
  }

  private func standardise(_ x: [Double]) -> [Double] {
    x.indices.map { (x[$0] - stateMean[$0]) / stateScale[$0] }
  }
}
