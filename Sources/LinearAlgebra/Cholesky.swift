// SPDX-License-Identifier: Apache-2.0
// Cholesky factorisation K + jitter I = L L^T with a reported jitter and typed failures.
// LAPACK is column-major: its upper factor of our row-major symmetric matrix is our L.

import CBLAS
import Faults
import Foundation

/// Why a matrix has no Cholesky factor.
package enum FactorizationError: Fault {
  case notFinite(what: String, row: Int, column: Int, value: Double)
  case notPositiveDefinite(
    what: String, pivot: Int, size: Int, diagonal: Double, jittersTried: [Double])

  package var statement: String {
    switch self {
    case .notFinite(let what, let row, let column, let value):
      "\(what): entry (\(row), \(column)) is \(value); the data or the hyperparameters are not finite"
    case .notPositiveDefinite(let what, let pivot, let size, let diagonal, let jitters):
      """
      \(what): not positive definite at pivot \(pivot) of \(size) (diagonal \(diagonal)); jitters \
      tried: \(jitters)
      """
    }
  }

  package var remedy: Remedy? {
    switch self {
    case .notFinite: nil
    case .notPositiveDefinite:
      .text("repeated inputs with almost no noise cause this: raise the noise floor")
    }
  }
}

/// The lower Cholesky factor of a symmetric positive definite matrix.
package struct Cholesky: Sendable {
  /// L [n, n] row-major; entries above the diagonal are zero.
  package private(set) var lower: Matrix
  /// What had to be added to the diagonal; 0 almost always.
  package let jitter: Double

  package var size: Int { lower.rows }

  /// Factorises `matrix` (only its lower triangle is read), adding up to 1e-6 of the mean diagonal if
  /// it must. O(n^3 / 3). Throws: `FactorizationError`, named by `what`.
  package init(_ matrix: Matrix, what: String) throws {
    precondition(
      matrix.rows == matrix.columns, "\(what): \(matrix.rows) x \(matrix.columns) is not square")
    let n = matrix.rows
    let mean = (0..<n).reduce(0) { $0 + matrix[$1, $1] } / Double(max(n, 1))
    var tried: [Double] = []
    var failure = (pivot: 0, diagonal: 0.0)
    for relative in [0, 1e-12, 1e-10, 1e-8, 1e-6] {
      let jitter = relative * mean
      tried.append(jitter)
      var work = matrix
      if jitter > 0 { for i in 0..<n { work[i, i] += jitter } }
      let pivot = Self.factorize(&work)
      if pivot == 0 {
        lower = work
        self.jitter = jitter
        return
      }
      if relative == 0 { try Self.checkFinite(matrix, what) }
      failure = (pivot, matrix[pivot - 1, pivot - 1])
    }
    throw FactorizationError.notPositiveDefinite(
      what: what, pivot: failure.pivot, size: n, diagonal: failure.diagonal, jittersTried: tried)
  }

  /// Factorises in place and clears the other triangle. Returns LAPACK's info: 0, or the pivot.
  private static func factorize(_ matrix: inout Matrix) -> Int {
    var n = Int32(matrix.rows)
    var lda = max(n, 1)
    var info: Int32 = 0
    dpotrf_("U", &n, &matrix.values, &lda, &info)
    if info != 0 { return Int(info) }
    let count = matrix.rows
    matrix.values.withUnsafeMutableBufferPointer { values in
      for i in 0..<count {
        for j in (i + 1)..<max(count, i + 1) { values[i * count + j] = 0 }
      }
    }
    // A NaN passes dpotrf unnoticed when it enters late; the last diagonal shows it.
    return count > 0 && !matrix[count - 1, count - 1].isFinite ? count : 0
  }

  private static func checkFinite(_ matrix: Matrix, _ what: String) throws {
    for (index, value) in matrix.values.enumerated() where !value.isFinite {
      throw FactorizationError.notFinite(
        what: what, row: index / matrix.columns, column: index % matrix.columns, value: value)
    }
  }

  /// log |K + jitter I|
  package var logDeterminant: Double {
    (0..<size).reduce(0) { $0 + 2 * log(lower[$1, $1]) }
  }

  /// (L L^T)^-1 b
  package func solve(_ b: [Double]) -> [Double] {
    var x = b
    let n = blasint(size)
    cblas_dtrsv(
      CblasRowMajor, CblasLower, CblasNoTrans, CblasNonUnit, n, lower.values, n, &x, 1)
    cblas_dtrsv(CblasRowMajor, CblasLower, CblasTrans, CblasNonUnit, n, lower.values, n, &x, 1)
    return x
  }

  /// L^-1 B for B [n, k].
  package func solveLower(_ b: Matrix) -> Matrix {
    var x = b
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, CblasLower, CblasNoTrans, CblasNonUnit, blasint(size),
      blasint(b.columns), 1, lower.values, blasint(size), &x.values, blasint(b.columns))
    return x
  }

  /// (L L^T)^-1 B for B [n, k].
  package func solve(_ b: Matrix) -> Matrix {
    var x = solveLower(b)
    cblas_dtrsm(
      CblasRowMajor, CblasLeft, CblasLower, CblasTrans, CblasNonUnit, blasint(size),
      blasint(b.columns), 1, lower.values, blasint(size), &x.values, blasint(b.columns))
    return x
  }

  /// (L L^T)^-1 by dpotri; only the lower triangle (row-major) is filled. O(2 n^3 / 3).
  package func inverseLowerTriangle() -> Matrix {
    var inverse = lower
    var n = Int32(size)
    var lda = max(n, 1)
    var info: Int32 = 0
    dpotri_("U", &n, &inverse.values, &lda, &info)
    precondition(info == 0, "dpotri of a Cholesky factor failed at pivot \(info)")
    return inverse
  }

  /// L^-1 [n, n], lower triangular.
  package func inverseLower() -> Matrix {
    var inverse = lower
    var n = Int32(size)
    var lda = max(n, 1)
    var info: Int32 = 0
    dtrtri_("U", "N", &n, &inverse.values, &lda, &info)
    precondition(info == 0, "dtrtri of a Cholesky factor failed at pivot \(info)")
    return inverse
  }
}
