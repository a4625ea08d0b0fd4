// SPDX-License-Identifier: Apache-2.0
// The posterior as sums over rows Z [m, D] (training or inducing inputs): what the exact, LOVE and sparse
// samplers share.
//
//   mean = h(x)^T beta + c^T k(Z, x),   variance = k(x, x) - ||S^T k(Z, x)||^2
//
// m + m r multiply-adds a particle-step and output for S [m, r]. Variances below 1e-8 of the signal's are raised
// to that.

import GaussianProcesses
import LinearAlgebra
import Programs

/// One output's sums.
struct PosteriorSums: Sendable {
  /// Z [m, D]
  let rows: Matrix
  /// c [m]
  let weights: [Double]
  /// S [m, r]
  let root: Matrix
  var isUpperTriangular = false
}

struct WeightedSumPosterior: Sendable {
  let model: DynamicsModel
  let data: [String: [Double]]
  private let noise: ObservationNoise
  /// One an output: m, r, whether S is upper triangular.
  private let shapes: [(rows: Int, rank: Int, isUpperTriangular: Bool)]

  init(_ model: DynamicsModel, _ sums: [PosteriorSums], noise: DrawnNoise) {
    self.model = model
    var data = [DynamicsModel.priorMeanArray: model.priorMeanData]
    for (m, process) in model.processes.enumerated() {
      data["inputs_\(m)"] = sums[m].rows.values
      data["weights_\(m)"] = sums[m].weights
      data["root_\(m)"] = sums[m].root.values
      data["covariance_\(m)"] = process.hyperparameters.covariance.expressionData
    }
    self.noise = ObservationNoise(model, noise)
    self.data = SharedArrays.joined([data, self.noise.data])
    shapes = sums.map { ($0.rows.rows, $0.root.columns, $0.isUpperTriangular) }
  }

  func moments(at x: Value) -> PosteriorMoments {
    let builder = x.builder
    var means: [Value] = []
    var deviations: [Value] = []
    for (m, process) in model.processes.enumerated() {
      let covariance = process.hyperparameters.covariance
      let array = "covariance_\(m)"
      let (n, rank, isUpperTriangular) = shapes[m]
      let sum = WeightedSum(
        dimensions: x.length,
        rows: SharedMatrix(array: "inputs_\(m)", rows: n, columns: x.length),
        weights: SharedMatrix(array: "weights_\(m)", rows: n, columns: 1),
        squared: SharedMatrix(array: "root_\(m)", rows: n, columns: rank),
        squaredIsUpperTriangular: isUpperTriangular,
        summand: { x, row in covariance.expression(x, row, array: array) })
      let y = builder.apply(.weightedSum(sum), x)
      let prior = covariance.expression(x, x, array: array)
      means.append(y[0])
      deviations.append(noise.deviation(prior - y[1], output: m, at: x))
    }
    return PosteriorMoments(
      mean: model.priorMean(at: x) + builder.concatenate(means),
      deviation: builder.concatenate(deviations))
  }
}
