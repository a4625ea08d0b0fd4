// SPDX-License-Identifier: Apache-2.0
// The exact posterior (paper, equations 2-3), n + n^2 multiply-adds a particle-step and output:
//
//   mean = h(x)^T beta + k(x, X) alpha,   variance = k(x, x) - ||L^-1 k(X, x)||^2
//
// The triangular factor, not (K + sn2 I)^-1: the same number of products (each half is skipped twice,
// forward and for the gradient) and an error of eps / sn instead of eps / sn^2, which single precision
// needs. Variances below 1e-8 of the signal's are raised to that.

import GaussianProcesses
import LinearAlgebra
import Programs

/// Exact Gaussian-process inference inside the rollout.
public struct ExactSampler: PosteriorSampler {
  public let name = "exact"
  public let draw = PosteriorDraw.marginal
  public let data: [String: [Double]]
  private let model: DynamicsModel
  private let noise: DrawnNoise

  /// Inverts the Cholesky factors. O(n^3 / 3) an output.
  public init(_ model: DynamicsModel, noise: DrawnNoise = .latent) {
    self.model = model
    self.noise = noise
    var data = [DynamicsModel.priorMeanArray: model.priorMeanData]
    for (m, process) in model.processes.enumerated() {
      data["inputs_\(m)"] = process.x.values
      data["alpha_\(m)"] = process.alpha
      data["root_\(m)"] = process.cholesky.inverseLower().transposed.values
      data["covariance_\(m)"] = process.hyperparameters.covariance.expressionData
      data["variance_floor_\(m)"] = [1e-8 * process.signalDeviation * process.signalDeviation]
      data["noise_\(m)"] = [noise == .observed ? process.hyperparameters.noiseVariance : 0]
    }
    self.data = data
  }

  public func moments(at x: Value) -> PosteriorMoments {
    let builder = x.builder
    var means: [Value] = []
    var deviations: [Value] = []
    for (m, process) in model.processes.enumerated() {
      let n = process.x.rows
      let covariance = process.hyperparameters.covariance
      let array = "covariance_\(m)"
      let sum = WeightedSum(
        dimensions: x.length,
        rows: SharedMatrix(array: "inputs_\(m)", rows: n, columns: x.length),
        weights: SharedMatrix(array: "alpha_\(m)", rows: n, columns: 1),
        squared: SharedMatrix(array: "root_\(m)", rows: n, columns: n),
        squaredIsUpperTriangular: true,
        summand: { x, row in covariance.expression(x, row, array: array) })
      let y = builder.apply(.weightedSum(sum), x)
      let prior = covariance.expression(x, x, array: array)
      let variance = maximum(prior - y[1], builder.shared("variance_floor_\(m)", length: 1))
      means.append(y[0])
      deviations.append(sqrt(variance + builder.shared("noise_\(m)", length: 1)))
    }
    return PosteriorMoments(
      mean: model.priorMean(at: x) + builder.concatenate(means),
      deviation: builder.concatenate(deviations))
  }
}
