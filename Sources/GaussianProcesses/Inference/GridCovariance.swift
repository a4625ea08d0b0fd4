// SPDX-License-Identifier: Apache-2.0
// KISS-GP (Wilson & Nickisch 2015): the covariance of any two points is interpolated from that of grid points,
// k(x, z) ~ w(x)^T K_UU w(z), so that K ~ W K_UU W^T. On a regular grid with a covariance function that is a
// product over the inputs, K_UU is a Kronecker product of Toeplitz matrices: a product with K costs
// O(n 4^D + m sum n_a) for m grid points.

import Faults
import LinearAlgebra

/// Why a grid cannot stand for a process.
package struct GridError: Fault {
  package let statement: String
  package let remedy: Remedy?

  package init(_ statement: String, remedy: Remedy? = nil) {
    (self.statement, self.remedy) = (statement, remedy)
  }
}

/// S W K_UU W^T S + noise I with S = diag(scales): rows divided by sqrt(c_i) have the same noise. The signal variance is in the first factor of K_UU.
package struct GridCovariance: SymmetricOperator {
  package let weights: GridWeights
  /// K_UU
  package let gridCovariance: KroneckerProduct
  package let noise: Double
  /// 1 / sqrt(c_i) [n]
  let scales: [Double]
  /// dK_a / dlog l_a of every axis.
  let lengthscaleDerivatives: [Matrix]
  /// dK / dlog shape, where the profile has a shape; there is one axis then.
  let shapeDerivative: Matrix?

  /// Throws: `GridError` for more than 4 inputs or a covariance function that is no product over them.
  package init(
    _ hyperparameters: Hyperparameters, weights: GridWeights, scales: [Double]
  ) throws {
    (self.weights, self.scales) = (weights, scales)
    noise = hyperparameters.noiseVariance
    let covariance = try hyperparameters.covariance.gridStationary(inputs: weights.grid.dimensions)
    let axes = (0..<weights.grid.dimensions).map { axis in
      let points = weights.grid.coordinates(axis: axis)
      return StationaryCovariance(
        covariance.profile, lengthscales: [covariance.lengthscales[axis]],
        signalVariance: axis == 0 ? covariance.signalVariance : 1, shape: covariance.shape
      ).matrixAndSlopes(Matrix(rows: points.count, columns: 1, values: points))
    }
    gridCovariance = KroneckerProduct(axes.map(\.value))
    lengthscaleDerivatives = axes.map { $0.slopes[0] }
    precondition(
      axes.count == 1 || axes.allSatisfy { $0.slopes.count == 1 },
      "a shape on \(axes.count) axes: its derivative is a sum over them")
    shapeDerivative = axes.first.flatMap { $0.slopes.count > 1 ? $0.slopes[1] : nil }
  }

  package var size: Int { weights.rows }

  package func times(_ v: Matrix) -> Matrix {
    var result = weights.times(
      gridCovariance.times(weights.transposedTimes(v.scalingRows(by: scales)))
    ).scalingRows(by: scales)
    for i in result.values.indices { result.values[i] += noise * v.values[i] }
    return result
  }
}

extension CovarianceFunction {
  /// The covariance function, if KISS-GP can use it.
  ///
  /// Throws: `GridError`.
  package func gridStationary(inputs: Int) throws -> StationaryCovariance {
    guard inputs <= 4 else {
      throw GridError(
        "kiss-gp needs a grid point for every combination of inputs, and \(inputs) inputs are too many "
          + "(at most 4)",
        remedy: .fewerInputs)
    }
    guard case .stationary(let covariance) = self,
      covariance.profile.profile.isSeparable || inputs == 1
    else {
      throw GridError(
        "kiss-gp needs a covariance function that is a product over the inputs: squared-exponential",
        remedy: .samplers(["love", "sparse", "exact"]))
    }
    return covariance
  }
}
