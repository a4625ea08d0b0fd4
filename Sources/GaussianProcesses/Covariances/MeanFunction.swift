// SPDX-License-Identifier: Apache-2.0
// Prior means m(x) = beta^T h(x), h(x) = (1) or (1, x). The coefficients are found by generalised least
// squares at every evaluation of the marginal likelihood (Rasmussen & Williams 2006, 2.7), with a weak
// prior beta ~ N(0, 10^2) on standardised data, so they cost no dimensions of the search.

import LinearAlgebra

/// Which basis the prior mean has.
package enum MeanFunction: String, Hashable, Sendable, Codable, CaseIterable {
  case zero
  case constant
  case linear

  /// h(x_i) as rows [n, q]; q = 0, 1 or 1 + D.
  func basis(_ x: Matrix) -> Matrix {
    switch self {
    case .zero: Matrix(rows: x.rows, columns: 0)
    case .constant: Matrix(rows: x.rows, columns: 1, repeating: 1)
    case .linear:
      Matrix(
        rows: x.rows, columns: 1 + x.columns, values: (0..<x.rows).flatMap { [1] + x.row($0) })
    }
  }

  /// h(x_i)^T beta [n].
  func values(_ x: Matrix, _ beta: [Double]) -> [Double] {
    self == .zero ? Array(repeating: 0, count: x.rows) : basis(x).times(beta)
  }

  /// Prior standard deviation of each coefficient.
  static let coefficientDeviation = 10.0
}
