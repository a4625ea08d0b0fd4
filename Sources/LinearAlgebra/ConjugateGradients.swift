// SPDX-License-Identifier: Apache-2.0
// Preconditioned conjugate gradients on several right-hand sides at once, A X = B, as BBMM does it (Gardner
// 2018, algorithm 2): the sides share every product with A, each has its own coefficients. Those are the
// Lanczos tridiagonals of P^-1/2 A P^-1/2, which give log determinants (stochastic Lanczos quadrature).

import Foundation

/// An approximation P of a matrix that can be inverted.
package protocol Preconditioner: Sendable {
  /// P^-1 R for R [n, t].
  func solve(_ r: Matrix) -> Matrix
}

/// How a solve by conjugate gradients ended.
package struct ConjugateGradientsResult: Sendable {
  /// [n, t]
  package var solution: Matrix
  package var iterations: Int
  /// ||B - A X|| / ||B||, the largest of the columns; NaN where a product or a side was not finite.
  package var residual: Double
  package var hasConverged: Bool
  /// Lanczos tridiagonal of each column: diagonal and off-diagonal.
  package var tridiagonals: [(diagonal: [Double], offDiagonal: [Double])]
}

extension ConjugateGradientsResult {
  /// Throws: `FactorizationError.notFinite` where a product or a side was not finite.
  package func checkFinite(_ what: String) throws {
    if residual.isNaN {
      throw FactorizationError.notFinite(what: what, row: 0, column: 0, value: residual)
    }
  }
}

/// Solves A X = B for B [n, t]; a column stops changing once its residual is below `tolerance` ||b||.
///
/// - Parameters:
///   - a: A, positive definite.
///   - b: [n, t]
///   - preconditioner: about A^-1.
///   - tolerance: relative residual.
///   - iterations: most products.
///   - iterated: called after every product with A.
package func conjugateGradients(
  _ a: some SymmetricOperator, _ b: Matrix, preconditioner: some Preconditioner,
  tolerance: Double, iterations: Int, iterated: () -> Void = {}
) -> ConjugateGradientsResult {
  let t = b.columns
  var x = Matrix(rows: b.rows, columns: t)
  var r = b
  var z = preconditioner.solve(r)
  var p = z
  var rz = columnDots(r, z)
  let norms = columnDots(b, b).map { $0.squareRoot() }
  var residuals = norms.map { $0 == 0 ? 0.0 : $0.isFinite ? 1.0 : .nan }
  var isActive = residuals.map { $0 > tolerance }
  var (lastAlpha, lastBeta) = ([Double](repeating: 1, count: t), [Double](repeating: 0, count: t))
  var tridiagonals = Array(
    repeating: (diagonal: [Double](), offDiagonal: [Double]()), count: t)
  var count = 0
  while count < iterations && isActive.contains(true) {
    let ap = a.times(p)
    iterated()
    let curvature = columnDots(p, ap)
    var alpha = [Double](repeating: 0, count: t)
    for c in 0..<t where isActive[c] {
      // A direction of no curvature is rounding: the column has converged as far as it can.
      guard curvature[c] > 0, rz[c] > 0 else {
        isActive[c] = false
        if curvature[c].isNaN || rz[c].isNaN { residuals[c] = .nan }
        continue
      }
      alpha[c] = rz[c] / curvature[c]
      if count > 0 {
        tridiagonals[c].offDiagonal.append(lastBeta[c].squareRoot() / lastAlpha[c])
      }
      tridiagonals[c].diagonal.append(1 / alpha[c] + lastBeta[c] / lastAlpha[c])
    }
    addScaled(&x, p, alpha)
    addScaled(&r, ap, alpha.map { -$0 })
    count += 1
    let squares = columnDots(r, r)
    for c in 0..<t where isActive[c] {
      residuals[c] = squares[c].squareRoot() / norms[c]
      if residuals[c] <= tolerance { isActive[c] = false }
    }
    z = preconditioner.solve(r)
    let rzNext = columnDots(r, z)
    let beta = (0..<t).map { isActive[$0] ? rzNext[$0] / rz[$0] : 0 }
    for i in p.values.indices { p.values[i] = z.values[i] + beta[i % t] * p.values[i] }
    (rz, lastAlpha, lastBeta) = (rzNext, alpha, beta)
  }
  let worst = residuals.reduce(0) { $0.isNaN || $1.isNaN ? .nan : max($0, $1) }
  return ConjugateGradientsResult(
    solution: x, iterations: count, residual: worst, hasConverged: worst <= tolerance,
    tridiagonals: tridiagonals)
}

/// e_1^T log(T) e_1 of a symmetric tridiagonal matrix: one Gauss quadrature node sum (Ubaru 2017).
package func logQuadrature(
  tridiagonal: (diagonal: [Double], offDiagonal: [Double])
) -> Double {
  let (values, first) = tridiagonalEigen(
    diagonal: tridiagonal.diagonal, offDiagonal: tridiagonal.offDiagonal)
  return zip(values, first).reduce(0) { $0 + $1.1 * $1.1 * log(max($1.0, 1e-300)) }
}

/// x_c^T y_c for each column c.
package func columnDots(_ x: Matrix, _ y: Matrix) -> [Double] {
  let t = x.columns
  var sums = [Double](repeating: 0, count: t)
  x.values.withUnsafeBufferPointer { x in
    y.values.withUnsafeBufferPointer { y in
      for row in stride(from: 0, to: x.count, by: t) {
        for c in 0..<t { sums[c] += x[row + c] * y[row + c] }
      }
    }
  }
  return sums
}

/// x_c += factor_c y_c for each column c.
private func addScaled(_ x: inout Matrix, _ y: Matrix, _ factors: [Double]) {
  let t = x.columns
  x.values.withUnsafeMutableBufferPointer { x in
    y.values.withUnsafeBufferPointer { y in
      for row in stride(from: 0, to: x.count, by: t) {
        for c in 0..<t { x[row + c] += factors[c] * y[row + c] }
      }
    }
  }
}
