// SPDX-License-Identifier: Apache-2.0
// Lanczos' root of an inverse, column by column: after r steps on a symmetric positive definite A from b,
// Q^T A Q = T = L L^T (tridiagonal, L bidiagonal) and
//
//   A^-1 ~ Q T^-1 Q^T = S S^T,   S = Q L^-T:   s_j = (q_j - L_{j,j-1} s_{j-1}) / L_jj
//
// (Golub & Van Loan 2013, 10.1; the root is LOVE's, Pleiss 2018, equation 9.) x^T S S^T x never exceeds
// x^T A^-1 x. Every new vector is made orthogonal to all earlier ones, twice: without it Lanczos repeats
// itself in rounding errors.

import CBLAS

/// A growing root S of A^-1.
package struct LanczosRoot {
  /// q_1 ... q_{r + 1} as rows [capacity, n]
  private var basis: Matrix
  /// L_{r+1,r}
  private var coupling = 0.0
  private var previous: [Double] = []
  private var next: [Double]?
  /// r, the number of columns so far.
  package private(set) var rank = 0

  /// - Parameters:
  ///   - start: b [n], not zero.
  ///   - capacity: the most columns there will be.
  package init(start: [Double], capacity: Int) {
    basis = Matrix(rows: max(capacity, 1), columns: start.count)
    let norm = dot(start, start).squareRoot()
    next = norm > 0 ? start.map { $0 / norm } : nil
  }

  /// One more column s [n], or nil where the Krylov space or the capacity is exhausted. O(n r) and one
  /// product with A.
  package mutating func column(_ a: some SymmetricOperator) -> [Double]? {
    guard rank < basis.rows, let q = next else { return nil }
    let n = q.count
    basis.values.replaceSubrange(rank * n..<(rank + 1) * n, with: q)
    var w = a.times(q)
    let diagonal = dot(q, w)
    let pivot = diagonal - coupling * coupling
    guard pivot > 0 else { return nil }
    let scale = 1 / pivot.squareRoot()
    var column = q
    for i in previous.indices { column[i] -= coupling * previous[i] }
    for i in column.indices { column[i] *= scale }
    for _ in 0..<2 { orthogonalize(&w) }
    let norm = dot(w, w).squareRoot()
    // Nothing new is left: what remains is rounding.
    next = norm > 1e-10 * abs(diagonal) ? w.map { $0 / norm } : nil
    coupling = norm * scale
    previous = column
    rank += 1
    return column
  }

  /// w -= Q (Q^T w) over the vectors so far.
  private func orthogonalize(_ w: inout [Double]) {
    let (n, count) = (blasint(w.count), blasint(rank + 1))
    var overlaps = [Double](repeating: 0, count: rank + 1)
    cblas_dgemv(CblasRowMajor, CblasNoTrans, count, n, 1, basis.values, n, w, 1, 0, &overlaps, 1)
    cblas_dgemv(CblasRowMajor, CblasTrans, count, n, -1, basis.values, n, overlaps, 1, 1, &w, 1)
  }
}
