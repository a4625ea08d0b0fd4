// SPDX-License-Identifier: Apache-2.0
// The expected return of a policy over a horizon, r(x_0) + ... + r(x_H), of a Gaussian that moves step by step, and its
// gradient: every step's moments are kept on the way forward and pulled back from the last to the first.

import GaussianProcesses
import LinearAlgebra
import Policies
import Programs

/// A closed loop of Gaussians.
package struct MomentRollout: Sendable {
  package let parameterCount: Int
  private let matcher: MomentMatcher
  private let step: MomentStep
  private let beforeAdjoint: Program
  private let afterAdjoint: Program

  /// Throws: `CannotMatchMoments`.
  package init(model: DynamicsModel, policy: Policy, reward: ExpectedReward) throws {
    parameterCount = policy.parameterCount
    step = try MomentStep(model, policy, reward)
    matcher = try MomentMatcher(model.processes)
    beforeAdjoint = step.before.adjoint(
      withRespectTo: ["mean", "covariance"], sharedArrays: [RolloutProgram.parameters])
    afterAdjoint = step.after.adjoint(
      withRespectTo: [
        "mean", "covariance", "cross", "output_mean", "gain", "output_covariance",
      ])
  }

  /// The states' moments x_0 ... x_H (standardised) and the expected return.
  ///
  /// - Parameters:
  ///   - parameters: [P]
  ///   - start: x_0, standardised [S].
  ///   - goal: standardised [S].
  ///   - horizon: H, steps.
  /// - Throws: `FactorizationError` where a covariance lost its definiteness: the prediction has diverged.
  package func prediction(
    _ parameters: [Double], from start: Gaussian, to goal: [Double], horizon: Int
  ) throws -> (states: [Gaussian], expectedReturn: Double) {
    let pass = try forward(parameters, start, goal, horizon)
    return (pass.steps.map(\.state) + [pass.last], pass.expectedReturn)
  }

  /// The expected return and its gradient with respect to the policy's parameters [P].
  ///
  /// Throws: `FactorizationError`, as `prediction`.
  package func gradient(
    _ parameters: [Double], from start: Gaussian, to goal: [Double], horizon: Int
  ) throws -> (expectedReturn: Double, gradient: [Double]) {
    let pass = try forward(parameters, start, goal, horizon)
    let interpreter = interpreter(parameters)
    let states = step.stateLength
    var meanAdjoint = [Double](repeating: 0, count: states)
    var covarianceAdjoint = [Double](repeating: 0, count: states * states)
    var gradient = [Double](repeating: 0, count: parameterCount)
    for kept in pass.steps.reversed() {
      var inputs = kept.inputs
      inputs["adj_next_mean"] = meanAdjoint
      inputs["adj_next_covariance"] = covarianceAdjoint
      inputs["adj_reward"] = [1]
      let after = interpreter.run(afterAdjoint, inputs: inputs)
      func adjoint(_ name: String) -> [Double] { after["adj_" + name] }
      let pulled = kept.prediction.pullback(
        mean: adjoint("output_mean"),
        gain: Matrix(
          rows: step.featureLength, columns: step.outputLength, values: adjoint("gain")),
        covariance: Matrix(
          rows: step.outputLength, columns: step.outputLength,
          values: adjoint("output_covariance")))
      inputs["adj_input_mean"] = pulled.mean
      inputs["adj_input_covariance"] = pulled.covariance.values
      inputs["adj_cross"] = adjoint("cross")
      let before = interpreter.run(beforeAdjoint, inputs: inputs)
      func total(_ name: String) -> [Double] {
        zip(adjoint(name), before["adj_" + name]).map { $0 + $1 }
      }
      (meanAdjoint, covarianceAdjoint) = (total("mean"), total("covariance"))
      for (i, value) in (before.sharedAdjoints[RolloutProgram.parameters] ?? []).enumerated() {
        gradient[i] += value
      }
    }
    return (pass.expectedReturn, gradient)
  }

  /// What is kept of a step.
  private struct KeptStep {
    let state: Gaussian
    /// Of the program after the Gaussian processes; those of the one before are among them.
    let inputs: [String: [Double]]
    let prediction: UncertainPrediction
  }

  private func interpreter(_ parameters: [Double]) -> Interpreter {
    precondition(
      parameters.count == parameterCount, "\(parameters.count) parameters, not \(parameterCount)")
    return Interpreter(
      shared: SharedArrays.joined([step.data, [RolloutProgram.parameters: parameters]]))
  }

  private func forward(
    _ parameters: [Double], _ start: Gaussian, _ goal: [Double], _ horizon: Int
  ) throws -> (steps: [KeptStep], last: Gaussian, expectedReturn: Double) {
    let interpreter = interpreter(parameters)
    var state = start
    func inputs() -> [String: [Double]] {
      ["mean": state.mean, "covariance": state.covariance.values, "goal": goal]
    }
    var total = interpreter.run(step.initial, inputs: inputs())["reward"][0]
    var steps: [KeptStep] = []
    for _ in 0..<horizon {
      var values = inputs()
      let before = interpreter.run(step.before, inputs: values)
      let input = Gaussian(
        mean: before["input_mean"],
        covariance: Matrix(
          rows: step.featureLength, columns: step.featureLength,
          values: before["input_covariance"]))
      let prediction = try matcher.prediction(at: input)
      values["cross"] = before["cross"]
      values["output_mean"] = prediction.mean
      values["gain"] = prediction.gain.values
      values["output_covariance"] = prediction.covariance.values
      steps.append(KeptStep(state: state, inputs: values, prediction: prediction))
      let after = interpreter.run(step.after, inputs: values)
      state = Gaussian(
        mean: after["next_mean"],
        covariance: Matrix(
          rows: step.stateLength, columns: step.stateLength,
          values: after["next_covariance"]
        ).symmetrised)
      total += after["reward"][0]
    }
    return (steps, state, total)
  }
}
