// SPDX-License-Identifier: Apache-2.0
// LinearAlgebra: thin, safe Swift over BLAS and LAPACK (OpenBLAS). In and out: row-major matrices in
// double precision. OpenBLAS because it is the fastest free BLAS on the machines of our users and
// carries LAPACK; everything here could move to Accelerate by its CBLAS interface.
// No units; shapes are stated at each function.

import COpenBLAS

/// A dense row-major matrix [rows, columns].
public struct Matrix: Hashable, Sendable {
  public let rows: Int
  public let columns: Int
  /// Row-major, rows * columns values.
  public var values: [Double]

  public init(rows: Int, columns: Int, values: [Double]) {
    precondition(
      values.count == rows * columns, "\(values.count) values for a \(rows) x \(columns) matrix")
    self.rows = rows
    self.columns = columns
    self.values = values
  }

  public init(rows: Int, columns: Int, repeating value: Double = 0) {
    self.init(
      rows: rows, columns: columns, values: Array(repeating: value, count: rows * columns))
  }

  /// A matrix with the given rows, which must be equally long.
  public init(_ rowVectors: [[Double]]) {
    self.init(
      rows: rowVectors.count, columns: rowVectors.first?.count ?? 0,
      values: rowVectors.flatMap { $0 })
  }

  public subscript(_ row: Int, _ column: Int) -> Double {
    get { values[row * columns + column] }
    set { values[row * columns + column] = newValue }
  }

  public func row(_ i: Int) -> [Double] { Array(values[i * columns..<(i + 1) * columns]) }

  public func column(_ j: Int) -> [Double] { (0..<rows).map { self[$0, j] } }

  /// The rows at the given indices, in that order.
  public func selecting(rows indices: [Int]) -> Matrix {
    Matrix(rows: indices.count, columns: columns, values: indices.flatMap(row))
  }

  public var transposed: Matrix {
    var result = Matrix(rows: columns, columns: rows)
    for i in 0..<rows { for j in 0..<columns { result[j, i] = self[i, j] } }
    return result
  }

  /// A B by dgemm: [rows, columns] times [columns, k].
  public func times(_ other: Matrix) -> Matrix {
    precondition(
      columns == other.rows, "\(rows) x \(columns) times \(other.rows) x \(other.columns)")
    var result = Matrix(rows: rows, columns: other.columns)
    cblas_dgemm(
      CblasRowMajor, CblasNoTrans, CblasNoTrans, blasint(rows), blasint(other.columns),
      blasint(columns), 1, values, blasint(columns), other.values, blasint(other.columns), 0,
      &result.values, blasint(other.columns))
    return result
  }

  /// A x, or A^T x.
  public func times(_ x: [Double], transposed: Bool = false) -> [Double] {
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
public func dot(_ x: [Double], _ y: [Double]) -> Double {
  precondition(x.count == y.count, "dot of \(x.count) and \(y.count) values")
  return cblas_ddot(blasint(x.count), x, 1, y, 1)
}

/// Least squares: beta that minimises ||A beta - y||^2 (and a tiny ridge), by the normal equations.
///
/// A [n, k] with n >= k; each column's ridge is `ridge` times its own square sum, so units do not matter, and
/// collinear columns are harmless. Throws: `FactorizationError`.
public func leastSquares(_ a: Matrix, _ y: [Double], ridge: Double = 1e-9) throws -> [Double] {
  var normal = a.transposed.times(a)
  for i in 0..<a.columns { normal[i, i] += ridge * normal[i, i] + .leastNormalMagnitude }
  return try Cholesky(normal, what: "least squares").solve(a.times(y, transposed: true))
}
