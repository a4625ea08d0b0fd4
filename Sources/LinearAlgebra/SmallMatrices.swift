// SPDX-License-Identifier: Apache-2.0
// Sums and inverses of matrices of a few rows, as formulas have them.

extension Matrix {
  package static func identity(_ n: Int) -> Matrix { diagonal(Array(repeating: 1, count: n)) }

  package static func diagonal(_ values: [Double]) -> Matrix {
    var result = Matrix(rows: values.count, columns: values.count)
    for (i, value) in values.enumerated() { result[i, i] = value }
    return result
  }

  /// x y^T
  package static func outer(_ x: [Double], _ y: [Double]) -> Matrix {
    Matrix(rows: x.count, columns: 1, values: x).times(
      Matrix(rows: 1, columns: y.count, values: y))
  }

  package static func + (a: Matrix, b: Matrix) -> Matrix {
    precondition(a.rows == b.rows && a.columns == b.columns, "sum of matrices of other shapes")
    return Matrix(rows: a.rows, columns: a.columns, values: zip(a.values, b.values).map { $0 + $1 })
  }

  package static func += (a: inout Matrix, b: Matrix) {
    precondition(
      a.rows == b.rows && a.columns == b.columns,
      "\(a.rows) x \(a.columns) and \(b.rows) x \(b.columns)")
    for i in a.values.indices { a.values[i] += b.values[i] }
  }

  package static func * (factor: Double, a: Matrix) -> Matrix {
    Matrix(rows: a.rows, columns: a.columns, values: a.values.map { factor * $0 })
  }

  package static func * (a: Matrix, b: Matrix) -> Matrix { a.times(b) }

  /// (A + A^T) / 2
  package var symmetrised: Matrix { 0.5 * (self + transposed) }
}

/// The inverse of a small symmetric positive definite matrix and the logarithm of its determinant.
///
/// Throws: `FactorizationError`, naming `what`.
package func inverseAndLogDeterminant(
  _ matrix: Matrix, what: String
) throws -> (inverse: Matrix, logDeterminant: Double) {
  let factor = try Cholesky(matrix, what: what)
  return (factor.solve(Matrix.identity(matrix.rows)), factor.logDeterminant)
}
