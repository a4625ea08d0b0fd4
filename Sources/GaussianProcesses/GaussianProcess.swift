// SPDX-License-Identifier: Apache-2.0
// The exact posterior of one output (paper, equations 2-3; the variance is that of the latent function):
//
//   mean(x) = h(x)^T beta + k(x, X) alpha,   variance(x) = k(x, x) - ||L^-1 k(X, x)||^2

import LinearAlgebra

/// A Gaussian process conditioned on data.
public struct GaussianProcess: Sendable {
  public let hyperparameters: Hyperparameters
  /// Training inputs [n, D], standardised.
  public let x: Matrix
  /// Training targets [n], standardised.
  public let y: [Double]
  /// Coefficients of the mean's basis [q].
  public let meanCoefficients: [Double]
  /// (K + sn2 I)^-1 (y - H beta) [n]
  public let alpha: [Double]
  public let logMarginalLikelihood: Double
  /// K + sn2 I = L L^T
  public let cholesky: Cholesky

  /// Conditions on data. O(n^3). Throws: `FactorizationError`, naming `what`.
  public init(
    _ hyperparameters: Hyperparameters, x: Matrix, y: [Double], what: String = "Gaussian process"
  ) throws {
    precondition(x.rows == y.count, "\(x.rows) inputs and \(y.count) targets")
    let data = try ConditionedData(hyperparameters, x: x, y: y, what: what)
    self.hyperparameters = hyperparameters
    self.x = x
    self.y = y
    meanCoefficients = data.coefficients
    alpha = data.alpha
    logMarginalLikelihood = data.logMarginalLikelihood
    cholesky = data.cholesky
  }

  /// Jitter that the factorisation needed; 0 almost always.
  public var jitter: Double { cholesky.jitter }

  /// The standard deviation of the prior about its mean function.
  public var signalDeviation: Double {
    let variances = hyperparameters.covariance.diagonal(x)
    return (variances.reduce(0, +) / Double(variances.count)).squareRoot()
  }

  /// h(x_i)^T beta [m].
  public func priorMean(_ points: Matrix) -> [Double] {
    let basis = hyperparameters.mean.basis(points)
    return basis.columns == 0
      ? Array(repeating: 0, count: points.rows) : basis.times(meanCoefficients)
  }

  /// Posterior mean and latent variance at `points` [m, D]. O(n^2 m), in blocks of 1,024 points.
  ///
  /// A variance that rounding makes negative is raised to 0.
  public func predict(_ points: Matrix) -> (mean: [Double], variance: [Double]) {
    var mean = priorMean(points)
    var variance = hyperparameters.covariance.diagonal(points)
    for start in stride(from: 0, to: points.rows, by: 1_024) {
      let rows = start..<min(start + 1_024, points.rows)
      let block = points.selecting(rows: Array(rows))
      let cross = hyperparameters.covariance.matrix(x, block)
      for (offset, value) in cross.times(alpha, transposed: true).enumerated() {
        mean[start + offset] += value
      }
      let white = cholesky.solveLower(cross)
      white.values.withUnsafeBufferPointer { v in
        for i in 0..<white.rows {
          for j in 0..<white.columns {
            variance[start + j] -= v[i * white.columns + j] * v[i * white.columns + j]
          }
        }
      }
    }
    return (mean, variance.map { max($0, 0) })
  }
}
