// SPDX-License-Identifier: Apache-2.0
// A learnt reward's posterior mean as a reward (Algorithm 1, line 7): h(x)^T beta + sum_i k(x, Z_i) c_i over the
// training states, or over inducing ones where there are many.

import GaussianProcesses
import LinearAlgebra
import Programs

extension Reward {
  /// weight * E[r(x)] in the units of the log's channel.
  ///
  /// Throws: `FactorizationError`.
  package static func learned(_ model: RewardModel, weight: Double = 1) throws -> Reward {
    let process = model.process
    let (rows, weights): (Matrix, [Double])
    if let exact = process.exact {
      (rows, weights) = (process.x, exact.alpha)
    } else {
      let posterior = try LowRankPosterior(process)
      (rows, weights) = (posterior.pivots, posterior.meanWeights)
    }
    let covariance = process.hyperparameters.covariance
    // Constant and slopes of the prior mean, in the channel's units.
    let line = process.priorMeanLine
    return Reward(
      data: [
        "reward_rows": rows.values, "reward_weights": weights.map { model.scale * $0 },
        "reward_covariance": covariance.expressionData,
        "reward_mean": line.slopes.map { model.scale * $0 }
          + [model.mean + model.scale * line.constant],
      ]
    ) { inputs in
      let x = inputs.state.builder.concatenate(
        model.features.map { $0.ofState({ _ in inputs.state }, physical: inputs.physicalState) })
      let sum = WeightedSum(
        dimensions: x.length,
        rows: SharedMatrix(array: "reward_rows", rows: rows.rows, columns: rows.columns),
        weights: SharedMatrix(array: "reward_weights", rows: rows.rows, columns: 1)
      ) { x, row in covariance.expression(x, row, array: "reward_covariance") }
      let prior = x.builder.affine(
        SharedMatrix(array: "reward_mean", rows: 1, columns: x.length),
        bias: SharedSlice(array: "reward_mean", offset: x.length), x)
      return weight * (prior + x.builder.apply(.weightedSum(sum), x))
    }
  }
}
