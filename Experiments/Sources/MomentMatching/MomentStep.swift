// SPDX-License-Identifier: Apache-2.0
// The two programs around the Gaussian processes of one step. Before them: the joint moments of state and policy's action,
// through points (the third-degree cubature rule, Arasaratnam & Haykin 2009: mean +- sqrt(S) times each column of
// the covariance's root, each with the same weight), so that any policy and any feature goes through and actions keep their limits. After
// them: the next state's moments, which is a linear map of state and outputs, and the expected reward.

import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import Programs

/// Programs of a step, and the numbers that they read.
struct MomentStep {
  let stateLength: Int
  let featureLength: Int
  let outputLength: Int
  /// mean [S], covariance [S S], goal [S] -> input_mean [D], input_covariance [D D], cross [S D]: Cov[x, z].
  let before: Program
  /// mean, covariance, cross, output_mean [M], gain [D M], output_covariance [M M], goal -> next_mean, next_covariance,
  /// reward.
  let after: Program
  /// mean, covariance, goal -> reward.
  let initial: Program
  let data: [String: [Double]]

  /// Added to the state's variances, standardised: a root of nothing has no derivative.
  private static let ridge = 1e-8

  /// Throws: `CannotMatchMoments` for what remembers earlier steps, and for outputs with inputs of their own.
  init(_ model: DynamicsModel, _ policy: Policy, _ reward: ExpectedReward) throws {
    guard model.form.longestLag == 0, model.form.filters.isEmpty, policy.actionMemory == 0,
      policy.memoryLength == 0
    else {
      throw CannotMatchMoments(
        "moment matching carries the present state only: no histories, delays, rate limits")
    }
    guard model.layout.disturbances.isEmpty else {
      throw CannotMatchMoments(
        "moment matching has no distribution of disturbances")
    }
    guard model.linear == nil, !model.form.hasFeedthrough else {
      throw CannotMatchMoments(
        "moment matching is derived for processes that learn all of the increments")
    }
    guard model.form.outputs.allSatisfy({ $0.inputs.count == model.form.features.count }) else {
      throw CannotMatchMoments(
        "moment matching is derived for outputs that read the same inputs")
    }
    stateLength = model.layout.states.count
    featureLength = model.form.features.count
    outputLength = model.form.outputCount
    let expressions = StepExpressions(model)
    before = Self.before(policy, expressions, stateLength)
    after = Self.after(AffineNextState(model), reward, stateLength, featureLength, outputLength)
    let builder = ProgramBuilder()
    let state = GaussianValue(builder, stateLength)
    builder.output("reward", reward.body(state.mean, state.covariance, state.goal))
    initial = builder.finish()
    data = expressions.data
  }

  /// A Gaussian state and a goal as inputs of a program.
  private struct GaussianValue {
    let mean: Value
    let covariance: ScalarMatrix
    let goal: Value

    init(_ builder: ProgramBuilder, _ length: Int) {
      mean = builder.input("mean", length: length)
      covariance = ScalarMatrix(
        builder.input("covariance", length: length * length), rows: length, columns: length)
      goal = builder.input("goal", length: length)
    }
  }

  private static func before(
    _ policy: Policy, _ expressions: StepExpressions, _ stateLength: Int
  ) -> Program {
    let builder = ProgramBuilder()
    let state = GaussianValue(builder, stateLength)
    var spread = state.covariance
    for i in 0..<stateLength { spread[i, i] = spread[i, i] + ridge }
    let lower = spread.choleskyRows()
    let radius = Double(stateLength).squareRoot()
    var offsets: [Value] = []
    for column in 0..<stateLength {
      let zero = builder.constant([0])
      let root = builder.concatenate(
        (0..<stateLength).map { $0 < column ? zero : lower[$0][column] })
      offsets += [radius * root, -(radius * root)]
    }
    let inputs = offsets.map { offset in
      let point = state.mean + offset
      let action = policy.action(state: point, goal: state.goal)
      return expressions.features(
        state: { _ in point }, action: { _ in action },
        disturbance: { _ in preconditionFailure("a model with disturbances is refused") })
    }
    let weight = 1 / Double(offsets.count)
    let mean = weight * inputs.sum
    let centred = inputs.map { $0 - mean }
    func covariance(_ a: [Value], _ b: [Value]) -> ScalarMatrix {
      ScalarMatrix(rows: a[0].length, columns: b[0].length) { i, j in
        weight * zip(a, b).map { $0[i] * $1[j] }.sum
      }
    }
    builder.output("input_mean", mean)
    builder.output("input_covariance", covariance(centred, centred).value)
    builder.output("cross", covariance(offsets, centred).value)
    return builder.finish()
  }

  private static func after(
    _ map: AffineNextState, _ reward: ExpectedReward, _ states: Int, _ features: Int, _ outputs: Int
  ) -> Program {
    let builder = ProgramBuilder()
    let state = GaussianValue(builder, states)
    func matrix(_ name: String, _ rows: Int, _ columns: Int) -> ScalarMatrix {
      ScalarMatrix(builder.input(name, length: rows * columns), rows: rows, columns: columns)
    }
    func constant(_ matrix: Matrix) -> ScalarMatrix {
      ScalarMatrix(rows: matrix.rows, columns: matrix.columns) {
        builder.constant([matrix[$0, $1]])
      }
    }
    let outputMean = builder.input("output_mean", length: outputs)
    let (a, g) = (constant(map.ofState), constant(map.ofIncrements))
    // Cov[x, f] = Cov[x, z] S^-1 Cov[z, f]
    let shared =
      a * (matrix("cross", states, features) * matrix("gain", features, outputs)) * g.transposed
    let covariance =
      a * state.covariance * a.transposed + shared + shared.transposed
      + g * matrix("output_covariance", outputs, outputs) * g.transposed
    func column(_ x: Value) -> ScalarMatrix { ScalarMatrix(x, rows: x.length, columns: 1) }
    let mean =
      (a * column(state.mean) + g * column(outputMean)).value + builder.constant(map.offset)
    builder.output("next_mean", mean)
    builder.output("next_covariance", covariance.value)
    builder.output("reward", reward.body(mean, covariance, state.goal))
    return builder.finish()
  }
}
