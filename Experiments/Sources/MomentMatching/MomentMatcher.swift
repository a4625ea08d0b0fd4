// SPDX-License-Identifier: Apache-2.0
// Gaussian processes at an uncertain input z ~ N(m, S): mean and covariance of the outputs f_a(z), and their gain on
// the input, S^-1 Cov[z, f_a] (Deisenroth, Efficient Reinforcement Learning using Gaussian Processes, 2010, section
// 2.3.2; squared exponentials with a lengthscale per input). The prior mean is b_a + beta_a^T z.
//
// With nu_i = x_i - m, B_a = (S + Lambda_a)^-1, w_i = alpha_i sigma_a^2 |S Lambda_a^-1 + I|^-1/2 exp(-nu_i^T B_a nu_i / 2):
//
//   mean_a = b_a + beta_a^T m + sum_i w_i,   gain_a = beta_a + B_a sum_i w_i nu_i
//
// and for pairs of outputs, with P = Lambda_a^-1 + Lambda_b^-1, R = I + S P, T = R^-1 S, a_i = Lambda_a^-1 nu_i,
// b_j = Lambda_b^-1 nu_j (`PairSums`):
//
//   E_ab = sigma_a^2 sigma_b^2 |R|^-1/2 sum_ij (alpha_ai alpha_bj - [a = b] K^-1_ij) exp(s_i + t_j + a_i^T T b_j),
//   s_i = -nu_i^T a_i / 2 + a_i^T T a_i / 2, t_j likewise
//
// The double sum is 99 % of the work; everything that the gradient needs is summed with it.

import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra

/// What moment matching cannot do.
package struct CannotMatchMoments: Fault {
  package let statement: String

  package init(_ statement: String) { self.statement = statement }
}

/// Predicts from uncertain inputs.
package struct MomentMatcher: Sendable {
  /// What is read of one output's process.
  struct Output: Sendable {
    /// 1 / lengthscale^2 [D]
    let inverseSquares: [Double]
    let signalVariance: Double
    /// (K + sn2 I)^-1 (y - H beta) [n]
    let weights: [Double]
    /// (K + sn2 I)^-1 [n, n], lower triangle.
    let inverse: Matrix
    let constant: Double
    /// beta [D]
    let slopes: [Double]
  }

  /// [n, D]
  let x: Matrix
  let outputs: [Output]

  /// - Parameter processes: one per output, on the same inputs.
  /// - Throws: `CannotMatchMoments` for other covariances and for inducing points.
  package init(_ processes: [GaussianProcess]) throws {
    x = processes[0].x
    outputs = try processes.map { process in
      guard case .stationary(let covariance) = process.hyperparameters.covariance,
        covariance.profile == .squaredExponential
      else {
        throw CannotMatchMoments(
          "moment matching is derived for squared exponentials only")
      }
      guard let exact = process.exact else {
        throw CannotMatchMoments(
          "moment matching computes n^2 exponentials per step: \(process.x.rows) points are too many (at most "
            + "\(GaussianProcess.largestExact))")
      }
      let line = process.priorMeanLine
      return Output(
        inverseSquares: covariance.lengthscales.map { 1 / ($0 * $0) },
        signalVariance: covariance.signalVariance, weights: exact.alpha,
        inverse: exact.cholesky.inverseLowerTriangle(), constant: line.constant,
        slopes: line.slopes)
    }
  }

  /// Moments of the outputs at an uncertain input [D], and all that their gradient needs.
  ///
  /// Throws: `FactorizationError` where the input's covariance is not positive semidefinite.
  package func prediction(at input: Gaussian) throws -> UncertainPrediction {
    precondition(input.mean.count == x.columns, "\(input.mean.count) inputs, not \(x.columns)")
    let sums = try outputs.map { try SingleSums($0, x: x, at: input) }
    var pairs: [PairSums] = []
    for a in outputs.indices {
      for b in 0...a {
        pairs.append(try PairSums(outputs[a], outputs[b], isSame: a == b, x: x, at: input))
      }
    }
    return UncertainPrediction(outputs: outputs, input: input, sums: sums, pairs: pairs)
  }
}

/// Sums over the training rows for one output.
struct SingleSums: Sendable {
  /// B
  let precision: Matrix
  /// sum w, sum w nu [D], sum w nu nu^T, and sum w nu_k nu nu^T for every k.
  var total = 0.0
  var first: [Double]
  var second: Matrix
  var third: [Matrix]

  init(_ output: MomentMatcher.Output, x: Matrix, at input: Gaussian) throws {
    let dimensions = x.columns
    let squares = output.inverseSquares.map { 1 / $0 }
    let (precision, logDeterminant) = try inverseAndLogDeterminant(
      input.covariance + Matrix.diagonal(squares), what: "covariance of an uncertain input")
    self.precision = precision
    let logSquares = squares.reduce(0) { $0 + Foundation.log($1) }
    let logScale =
      Foundation.log(output.signalVariance) - 0.5 * (logDeterminant - logSquares)
    var sums = [Double](repeating: 0, count: dimensions)
    var products = [Double](repeating: 0, count: dimensions * dimensions)
    var cubes = [Double](repeating: 0, count: dimensions * dimensions * dimensions)
    var nu = sums
    for i in 0..<x.rows {
      var distance = 0.0
      for d in 0..<dimensions { nu[d] = x[i, d] - input.mean[d] }
      for d in 0..<dimensions {
        for e in 0..<dimensions { distance += nu[d] * precision[d, e] * nu[e] }
      }
      let w = output.weights[i] * Foundation.exp(logScale - 0.5 * distance)
      total += w
      for d in 0..<dimensions {
        sums[d] += w * nu[d]
        for e in 0..<dimensions {
          let product = w * nu[d] * nu[e]
          products[d * dimensions + e] += product
          for f in 0..<dimensions {
            cubes[(d * dimensions + e) * dimensions + f] += product * nu[f]
          }
        }
      }
    }
    first = sums
    second = Matrix(rows: dimensions, columns: dimensions, values: products)
    third = (0..<dimensions).map { d in
      let size = dimensions * dimensions
      return Matrix(
        rows: dimensions, columns: dimensions, values: Array(cubes[d * size..<(d + 1) * size]))
    }
  }

  /// B sum w nu [D]
  var gain: [Double] { precision.times(first) }
}
