// SPDX-License-Identifier: Apache-2.0
// Symmetric matrices that are never formed: what conjugate gradients and Lanczos need of them.

import CBLAS

/// A symmetric matrix A [size, size] known by its products.
package protocol SymmetricOperator: Sendable {
  var size: Int { get }
  /// A V for V [size, t].
  func times(_ v: Matrix) -> Matrix
}

extension SymmetricOperator {
  /// A v.
  package func times(_ v: [Double]) -> [Double] {
    times(Matrix(rows: v.count, columns: 1, values: v)).values
  }
}

/// A matrix that is in memory, its lower triangle read.
package struct DenseOperator: SymmetricOperator {
  private let matrix: Matrix

  package init(lowerTriangle: Matrix) { matrix = lowerTriangle }

  package var size: Int { matrix.rows }

  package func times(_ v: Matrix) -> Matrix { matrix.symmetricTimes(v) }
}

/// A matrix rounded to single precision: half the memory and time, an error of eps ||A|| ||v||.
package struct SinglePrecisionOperator: SymmetricOperator {
  package let size: Int
  /// Row-major, the lower triangle.
  private let values: [Float]

  package init(lowerTriangle: Matrix) {
    size = lowerTriangle.rows
    values = lowerTriangle.values.map(Float.init)
  }

  /// Columns are shared out over this library's own threads. Those of OpenBLAS go on spinning for some 16 ms after a
  /// call, in the way of the kernels that run next: an iteration of the pathwise sampler took 84 or 139 ms.
  package func times(_ v: Matrix) -> Matrix {
    precondition(v.rows == size, "\(size) x \(size) times \(v.rows) x \(v.columns)")
    let (n, t) = (blasint(size), blasint(v.columns))
    let right = v.values.map(Float.init)
    var result = [Float](repeating: 0, count: v.values.count)
    withOneBLASThread {
      result.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let out = buffer
        forEachRowBlock(count: v.columns, block: max(1, (v.columns + 3) / 4)) { columns in
          right.withUnsafeBufferPointer { right in
            guard let to = out.baseAddress, let from = right.baseAddress else { return }
            cblas_ssymm(
              CblasRowMajor, CblasLeft, CblasLower, n, blasint(columns.count), 1, values, n,
              from + columns.lowerBound, t, 0, to + columns.lowerBound, t)
          }
        }
      }
    }
    return Matrix(rows: v.rows, columns: v.columns, values: result.map(Double.init))
  }
}
