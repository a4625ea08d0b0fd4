// SPDX-License-Identifier: Apache-2.0
// Partial Cholesky factorisation with pivoting (Harbrecht 2012): K ~ G G^T with G [n, r], where each step
// takes the row with the largest residual diagonal. Needs r columns of K and its diagonal, O(n r^2).

import Foundation

/// Rows in the order of the pivots, and the factor.
package struct PivotedCholesky: Sendable {
  package let pivots: [Int]
  /// G^T [r, n]
  package let factor: Matrix
  /// The largest diagonal entry of K - G G^T.
  package let residual: Double

  /// Stops at `rank` pivots, or when no residual is above `tolerance`.
  ///
  /// - Parameters:
  ///   - diagonal: of K [n].
  ///   - rank: most pivots.
  ///   - tolerance: on the residual's diagonal.
  ///   - column: column j of K [n].
  package init(
    diagonal: [Double], rank: Int, tolerance: Double, column: (Int) -> [Double]
  ) {
    var diagonal = diagonal
    let n = diagonal.count
    var pivots: [Int] = []
    var rows: [[Double]] = []
    while pivots.count < min(rank, n) {
      var pivot = 0
      for i in diagonal.indices where diagonal[i] > diagonal[pivot] { pivot = i }
      guard diagonal[pivot] > tolerance || pivots.isEmpty else { break }
      var row = column(pivot)
      row.withUnsafeMutableBufferPointer { row in
        for earlier in rows {
          let factor = earlier[pivot]
          earlier.withUnsafeBufferPointer { earlier in
            for i in 0..<n { row[i] -= factor * earlier[i] }
          }
        }
      }
      let scale = 1 / max(diagonal[pivot], .leastNormalMagnitude).squareRoot()
      for i in 0..<n {
        row[i] *= scale
        diagonal[i] -= row[i] * row[i]
      }
      diagonal[pivot] = 0
      pivots.append(pivot)
      rows.append(row)
    }
    self.pivots = pivots
    factor = Matrix(rows: rows.count, columns: n, values: rows.flatMap { $0 })
    residual = diagonal.max() ?? 0
  }
}

/// G [n, r] by its products, so that it need not be in memory.
package protocol LowRankFactor: Sendable {
  var size: Int { get }
  var rank: Int { get }
  /// G C for C [r, t].
  func times(_ c: Matrix) -> Matrix
  /// G^T V for V [n, t].
  func transposedTimes(_ v: Matrix) -> Matrix
  /// G^T G [r, r]. O(n r^2).
  func gram() -> Matrix
}

/// G in memory.
package struct DenseFactor: LowRankFactor {
  /// G^T [r, n]
  private let transposed: Matrix

  package init(transposed: Matrix) { self.transposed = transposed }

  package var size: Int { transposed.columns }
  package var rank: Int { transposed.rows }
  package func times(_ c: Matrix) -> Matrix { transposed.times(c, transposingFirst: true) }
  package func transposedTimes(_ v: Matrix) -> Matrix { transposed.times(v) }
  package func gram() -> Matrix { transposed.times(transposed, transposingSecond: true) }
}

/// P = G G^T + noise I, inverted by Woodbury's identity: the preconditioner of BBMM (Gardner 2018, 4.1).
package struct LowRankPreconditioner: Preconditioner {
  private let factor: any LowRankFactor
  package let noise: Double
  /// noise I + G^T G
  private let inner: Cholesky

  /// O(n r^2). Throws: `FactorizationError`.
  package init(_ factor: any LowRankFactor, noise: Double) throws {
    self.factor = factor
    self.noise = noise
    var gram = factor.gram()
    for i in 0..<gram.rows { gram[i, i] += noise }
    inner = try Cholesky(gram, what: "preconditioner")
  }

  /// (R - G (noise I + G^T G)^-1 G^T R) / noise. O(n r t).
  package func solve(_ r: Matrix) -> Matrix {
    let correction = factor.times(inner.solve(factor.transposedTimes(r)))
    var result = r
    for i in result.values.indices {
      result.values[i] = (result.values[i] - correction.values[i]) / noise
    }
    return result
  }

  /// log |P|
  package var logDeterminant: Double {
    inner.logDeterminant + Double(factor.size - factor.rank) * log(noise)
  }

  /// G g + sqrt(noise) e for standard normal g [r, t] and e [n, t]: columns with covariance P.
  package func draw(_ g: Matrix, _ e: Matrix) -> Matrix {
    var result = factor.times(g)
    let deviation = noise.squareRoot()
    for i in result.values.indices { result.values[i] += deviation * e.values[i] }
    return result
  }

  package var rank: Int { factor.rank }
}
