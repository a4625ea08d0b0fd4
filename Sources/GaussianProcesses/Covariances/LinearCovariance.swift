// SPDX-License-Identifier: Apache-2.0
// Linear covariance: k(x, z) = sum_d v_d x_d z_d (Bayesian linear regression through the origin of the
// standardised inputs; Rasmussen & Williams 2006, 2.1). Parameters: log v_d.

import Foundation
import LinearAlgebra

/// sum_d v_d x_d z_d with one variance per input.
package struct LinearCovariance: Hashable, Sendable, Codable {
  package var logVariances: [Double]

  package init(variances: [Double]) { logVariances = variances.map { log($0) } }

  package var variances: [Double] { logVariances.map { exp($0) } }
  var parameters: [Double] { logVariances }
  var parameterKinds: [HyperparameterKind] {
    logVariances.indices.map { .linearVariance(input: $0) }
  }

  func with(parameters: [Double]) -> LinearCovariance {
    var copy = self
    copy.logVariances = parameters
    return copy
  }

  func matrix(_ x: Matrix, _ z: Matrix) -> Matrix {
    let v = variances
    var weighted = x
    for index in weighted.values.indices { weighted.values[index] *= v[index % x.columns] }
    return weighted.times(z.transposed)
  }

  /// sum_j W_bj dk(x_b, Z_j)/dx_b [m, D] for W [m, r].
  func inputSlopes(_ w: Matrix, _ z: Matrix) -> Matrix {
    w.times(z).scalingColumns(by: variances)
  }

  func diagonal(_ x: Matrix) -> [Double] {
    let v = variances
    return (0..<x.rows).map { i in v.indices.reduce(0) { $0 + v[$1] * x[i, $1] * x[i, $1] } }
  }

  /// sum_ij W_ij v_d x_id x_jd = v_d x_d^T W x_d, from the lower triangle of W.
  func contraction(_ w: Matrix, _ x: Matrix) -> [Double] {
    variances.enumerated().map { d, variance in
      var total = 0.0
      for i in 0..<x.rows {
        var row = 0.5 * w[i, i] * x[i, d]
        for j in 0..<i { row += w[i, j] * x[j, d] }
        total += 2 * row * x[i, d]
      }
      return variance * total
    }
  }
}
