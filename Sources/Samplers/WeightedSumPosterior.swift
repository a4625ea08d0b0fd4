// SPDX-License-Identifier: Apache-2.0
// The posterior as sums over rows Z [m, D] (training or inducing inputs): what the exact, LOVE and sparse
// samplers share.
//
//   mean = h(x)^T beta + c^T k(Z, x),   variance = k(x, x) - ||S^T k(Z, x)||^2
//
// m + m r multiply-adds per particle-step and output for S [m, r]. The variance may have rows of its own, fewer than the mean's. Variances
// below 1e-8 of the signal's are raised to that.

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
  var root: Matrix
  var isUpperTriangular = false
  /// Rows of the variance's sum, if they are others: m is theirs then in S.
  var ownRows: Matrix?
}

struct WeightedSumPosterior: Sendable {
  let group: ProcessGroup
  let data: [String: [Double]]
  private let noise: ObservationNoise
  /// One per output: rows of the mean and, if they are others, of the variance; r; whether S is upper triangular.
  private let shapes: [(rows: Int, ownRows: Int?, rank: Int, isUpperTriangular: Bool)]

  init(_ group: ProcessGroup, _ sums: [PosteriorSums], noise: DrawnNoise) {
    self.group = group
    var data = group.priorMeanData
    for (k, process) in group.processes.enumerated() {
      data[group.array("inputs", k)] = sums[k].rows.values
      data[group.array("weights", k)] = sums[k].weights
      data[group.array("root", k)] = sums[k].root.values
      if let own = sums[k].ownRows { data[group.array("deviation_inputs", k)] = own.values }
      data[group.array("covariance", k)] = process.hyperparameters.covariance.expressionData
    }
    self.noise = ObservationNoise(group, noise)
    self.data = SharedArrays.joined([data, self.noise.data])
    shapes = sums.map {
      ($0.rows.rows, $0.ownRows?.rows, $0.root.columns, $0.isUpperTriangular)
    }
  }

  func moments(at x: Value) -> PosteriorMoments {
    let builder = x.builder
    var means: [Value] = []
    var deviations: [Value] = []
    for (k, process) in group.processes.enumerated() {
      let covariance = process.hyperparameters.covariance
      let array = group.array("covariance", k)
      let (n, own, rank, isUpperTriangular) = shapes[k]
      func sums(_ inputs: String, _ rows: Int, hasMean: Bool, hasVariance: Bool) -> Value {
        let weights = SharedMatrix(
          array: group.array("weights", k), rows: rows, columns: hasMean ? 1 : 0)
        return builder.apply(
          .weightedSum(
            WeightedSum(
              dimensions: group.dimensions,
              rows: SharedMatrix(
                array: group.array(inputs, k), rows: rows, columns: group.dimensions),
              weights: weights,
              squared: hasVariance
                ? SharedMatrix(array: group.array("root", k), rows: rows, columns: rank) : nil,
              squaredIsUpperTriangular: isUpperTriangular,
              summand: { x, row in covariance.expression(x, row, array: array) })), x)
      }
      let mean = sums("inputs", n, hasMean: true, hasVariance: own == nil)
      let explained = own.map {
        sums("deviation_inputs", $0, hasMean: false, hasVariance: true)[0]
      }
      let prior = covariance.expression(x, x, array: array)
      means.append(mean[0])
      deviations.append(
        noise.deviation(prior - (explained ?? mean[1]), output: k, at: x))
    }
    return PosteriorMoments(
      mean: group.priorMean(at: x) + builder.concatenate(means),
      deviation: builder.concatenate(deviations))
  }
}
