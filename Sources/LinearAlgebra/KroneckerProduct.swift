// SPDX-License-Identifier: Apache-2.0
// K_1 x K_2 x ... x K_d times tensors: the covariance of a grid whose covariance function is a product over
// its axes (Wilson & Nickisch 2015, section 3). Each K_a is Toeplitz where the grid is regular; on the few tens
// of points an axis has here, a dense product by BLAS is faster than one by FFT.

import CBLAS

/// A Kronecker product of small symmetric matrices.
package struct KroneckerProduct: SymmetricOperator {
  /// [n_a, n_a] each.
  package let factors: [Matrix]

  package init(_ factors: [Matrix]) { self.factors = factors }

  package var size: Int { factors.reduce(1) { $0 * $1.rows } }

  /// V [n_1 ... n_d, t]. O(size t sum n_a).
  package func times(_ v: Matrix) -> Matrix {
    precondition(v.rows == size, "\(v.rows) rows for a Kronecker product of size \(size)")
    var values = v.values
    var left = 1
    for factor in factors {
      let n = factor.rows
      let right = values.count / (left * n)
      values = product(factor, values, left: left, right: right)
      left *= n
    }
    return Matrix(rows: v.rows, columns: v.columns, values: values)
  }

  /// Along the middle axis of values [left, n, right].
  private func product(_ k: Matrix, _ values: [Double], left: Int, right: Int) -> [Double] {
    let n = blasint(k.rows)
    var result = [Double](repeating: 0, count: values.count)
    if right == 1 {
      cblas_dgemm(
        CblasRowMajor, CblasNoTrans, CblasTrans, blasint(left), n, n, 1, values, n, k.values, n, 0,
        &result, n)
      return result
    }
    values.withUnsafeBufferPointer { source in
      result.withUnsafeMutableBufferPointer { target in
        guard let from = source.baseAddress, let to = target.baseAddress else { return }
        for block in 0..<left {
          let start = block * k.rows * right
          cblas_dgemm(
            CblasRowMajor, CblasNoTrans, CblasNoTrans, n, blasint(right), n, 1, k.values, n,
            from + start, blasint(right), 0, to + start, blasint(right))
        }
      }
    }
    return result
  }
}
