// SPDX-License-Identifier: Apache-2.0
// LinearAlgebra: thin, safe Swift over BLAS and LAPACK. In and out: row-major matrices in double precision.
// OpenBLAS, because it is the fastest free BLAS on the machines of our users and includes LAPACK; on Apple's systems
// Accelerate (not tried).
// No units; shapes are stated at each function.

import CBLAS

/// A dense row-major matrix [rows, columns].
package struct Matrix: Hashable, Sendable {
  package let rows: Int
  package let columns: Int
  /// Row-major, rows * columns values.
  package var values: [Double]

  package init(rows: Int, columns: Int, values: [Double]) {
    precondition(
      values.count == rows * columns, "\(values.count) values for a \(rows) x \(columns) matrix")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  package init(rows: Int, columns: Int, repeating value: Double = 0) {
    self.init(
      rows: rows, columns: columns, values: Array(repeating: value, count: rows * columns))
  }

  /// A matrix with the given rows, which must be equally long.
  package init(_ rowVectors: [[Double]]) {
    self.init(
      rows: rowVectors.count, columns: rowVectors.first?.count ?? 0,
      values: rowVectors.flatMap { $0 })
  }

  package subscript(_ row: Int, _ column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  package func row(_ i: Int) -> [Double] { Array(values[i * columns..<(i + 1) * columns]) }

  package func column(_ j: Int) -> [Double] { (0..<rows).map { values[$0 * columns + j] } }

  /// The rows at the given indices, in that order.
  package func selecting(rows indices: [Int]) -> Matrix {
    Matrix(rows: indices.count, columns: columns, values: indices.flatMap(row))
  }

  /// These columns, in this order.
  package func selecting(columns: some Collection<Int>) -> Matrix {
    let indices = Array(columns)
    let (count, columns) = (indices.count, self.columns)
    precondition(indices.allSatisfy((0..<columns).contains), "columns \(indices) of \(columns)")
    var result = Matrix(rows: rows, columns: count)
    result.values.withUnsafeMutableBufferPointer { out in
      values.withUnsafeBufferPointer { values in
        for i in 0..<rows {
          for k in 0..<count { out[i * count + k] = values[i * columns + indices[k]] }
        }
      }
    }
    return result
  }

  /// Means of the columns; zeros without rows.
  package var columnMeans: [Double] {
    (0..<columns).map { column($0).reduce(0, +) / Double(max(rows, 1)) }
  }

  package static func - (a: Matrix, b: Matrix) -> Matrix {
    precondition(
      a.rows == b.rows && a.columns == b.columns,
      "\(a.rows) x \(a.columns) less \(b.rows) x \(b.columns)")
    return Matrix(rows: a.rows, columns: a.columns, values: zip(a.values, b.values).map { $0 - $1 })
  }

  /// diag(factors) A
  package func scalingRows(by factors: [Double]) -> Matrix {
    precondition(factors.count == rows, "\(factors.count) factors for \(rows) rows")
    var result = self
    result.values.withUnsafeMutableBufferPointer { values in
      for i in 0..<rows { for j in 0..<columns { values[i * columns + j] *= factors[i] } }
    }
    return result
  }

  /// A diag(factors)
  package func scalingColumns(by factors: [Double]) -> Matrix {
    precondition(factors.count == columns, "\(factors.count) factors for \(columns) columns")
    var result = self
    result.values.withUnsafeMutableBufferPointer { values in
      for i in 0..<rows { for j in 0..<columns { values[i * columns + j] *= factors[j] } }
    }
    return result
  }

  /// [A B] for as many rows.
  package func beside(_ other: Matrix) -> Matrix {
    precondition(rows == other.rows, "\(rows) rows beside \(other.rows)")
    var result = Matrix(rows: rows, columns: columns + other.columns)
    for i in 0..<rows {
      for j in 0..<columns { result[i, j] = self[i, j] }
      for j in 0..<other.columns { result[i, columns + j] = other[i, j] }
    }
    return result
  }

  /// A over B, of as many columns.
  package func above(_ other: Matrix) -> Matrix {
    precondition(columns == other.columns, "\(columns) columns above \(other.columns)")
    return Matrix(rows: rows + other.rows, columns: columns, values: values + other.values)
  }

  package var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows)
    result.values.withUnsafeMutableBufferPointer { out in
      values.withUnsafeBufferPointer { values in
        for i in 0..<rows { for j in 0..<columns { out[j * rows + i] = values[i * columns + j] } }
      }
    }
    return result
  }

  /// A B by dgemm, with either factor transposed where asked.
  package func times(
    _ other: Matrix, transposingFirst: Bool = false, transposingSecond: Bool = false
  ) -> Matrix {
    let (m, k) = transposingFirst ? (columns, rows) : (rows, columns)
    let (inner, n) =
      transposingSecond ? (other.columns, other.rows) : (other.rows, other.columns)
    precondition(k == inner, "\(m) x \(k) times \(inner) x \(n)")
    var result = Matrix(rows: m, columns: n)
    cblas_dgemm(
      CblasRowMajor, transposingFirst ? CblasTrans : CblasNoTrans,
      transposingSecond ? CblasTrans : CblasNoTrans, blasint(m), blasint(n), blasint(k), 1, values,
      blasint(max(columns, 1)), other.values, blasint(max(other.columns, 1)), 0, &result.values,
      blasint(max(n, 1)))
    return result
  }

  /// A B for a symmetric A of which the lower triangle is read.
  func symmetricTimes(_ other: Matrix) -> Matrix {
    precondition(rows == columns && columns == other.rows, "\(rows) x \(columns) is not symmetric")
    var result = Matrix(rows: rows, columns: other.columns)
    let (n, k) = (blasint(rows), blasint(other.columns))
    if k == 1 {
      cblas_dsymv(
        CblasRowMajor, CblasLower, n, 1, values, n, other.values, 1, 0, &result.values, 1)
    } else {
      cblas_dsymm(
        CblasRowMajor, CblasLeft, CblasLower, n, k, 1, values, n, other.values, k, 0,
        &result.values, k)
    }
    return result
  }

  /// A x, or A^T x.
  package func times(_ x: [Double], transposed: Bool = false) -> [Double] {
    precondition(
      x.count == (transposed ? rows : columns), "\(rows) x \(columns) times \(x.count)")
    var y = [Double](repeating: 0, count: transposed ? columns : rows)
    cblas_dgemv(
      CblasRowMajor, transposed ? CblasTrans : CblasNoTrans, blasint(rows), blasint(columns), 1,
      values, blasint(columns), x, 1, 0, &y, 1)
    return y
  }
}

/// x^T y
package func dot(_ x: [Double], _ y: [Double]) -> Double {
  precondition(x.count == y.count, "dot of \(x.count) and \(y.count) values")
  return cblas_ddot(blasint(x.count), x, 1, y, 1)
}

/// Eigenvalues of a symmetric tridiagonal matrix and the first component of each eigenvector, by LAPACK's
/// dstev. O(k^3).
func tridiagonalEigen(
  diagonal: [Double], offDiagonal: [Double]
) -> (values: [Double], first: [Double]) {
  var n = Int32(diagonal.count)
  if n == 0 { return ([], []) }
  var values = diagonal
  var off = offDiagonal + [0]
  var vectors = [Double](repeating: 0, count: diagonal.count * diagonal.count)
  var work = [Double](repeating: 0, count: max(1, 2 * diagonal.count - 2))
  var (leading, info) = (n, Int32(0))
  dstev_("V", &n, &values, &off, &vectors, &leading, &work, &info)
  precondition(info == 0, "dstev did not converge: \(info)")
  // Column-major: the first component of vector j is at j n.
  return (values, (0..<diagonal.count).map { vectors[$0 * diagonal.count] })
}
