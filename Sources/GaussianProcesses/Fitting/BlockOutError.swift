// SPDX-License-Identifier: Apache-2.0
// Hyperparameters by what a forecast is for: the squared error of every block of consecutive rows, predicted from
// all other rows. For blocks B of K^ = K + sn2 I + b^2 H H^T (the mean's coefficients integrated out, so that they
// too are found without the block; Rasmussen & Williams 2006, 2.7 and 5.12), with Q = K^^-1 and alpha = Q y:
//
//   e_B = C_B alpha_B,  C_B = (Q_BB)^-1                the block's residual and its predicted covariance
//   J = -n/2 log(sum_i e_i^2 / n)
//   dJ = tr(W dK),  W = n / sum e^2  sym((Q u) alpha^T - R1 R2^T),  u_B = C_B e_B,
//                   column B of R1 is Q_:B u_B, of R2 Q_:B e_B
//
// Why not the marginal likelihood alone: a machine's log rests much and then moves, with hidden states. Constant noise
// is then wrong, the many rests dominate the likelihood, and it takes short lengthscales that memorise single
// movements (numbers in Documentation/Numerics.md).

import Foundation
import LinearAlgebra

/// Rows that are left out together.
struct RowBlocks {
  /// Disjoint runs that cover all rows.
  let ranges: [Range<Int>]

  static let length = 10

  /// Runs of about `length` rows, equal within an episode.
  ///
  /// - Parameter episodeOf: number of the episode of each row, not decreasing.
  init(episodeOf: [Int]) {
    var ranges: [Range<Int>] = []
    var start = 0
    while start < episodeOf.count {
      let end = episodeOf[start...].firstIndex { $0 != episodeOf[start] } ?? episodeOf.count
      let rows = end - start
      let parts = max(1, Int((Double(rows) / Double(Self.length)).rounded()))
      for part in 0..<parts {
        ranges.append(start + rows * part / parts..<start + rows * (part + 1) / parts)
      }
      start = end
    }
    self.ranges = ranges
  }
}

/// The residual of every row predicted without its block.
struct BlockOutResiduals {
  /// e [n]
  private(set) var errors: [Double]
  /// Predicted variance of each residual, the noise included: diagonals of C_B [n].
  private(set) var variances: [Double]
  /// u [n]
  private(set) var weights: [Double]

  /// - Parameter q: K^^-1 [n, n], both triangles. Throws: `FactorizationError`.
  init(_ q: Matrix, alpha: [Double], blocks: RowBlocks) throws {
    errors = alpha.map { _ in 0 }
    (variances, weights) = (errors, errors)
    for block in blocks.ranges {
      let count = block.count
      var part = Matrix(rows: count, columns: count)
      for i in 0..<count {
        for j in 0...i { part[i, j] = q[block.lowerBound + i, block.lowerBound + j] }
      }
      let factor = try Cholesky(part, what: "block of the inverse covariance")
      let e = factor.solve(Array(alpha[block]))
      errors.replaceSubrange(block, with: e)
      weights.replaceSubrange(block, with: factor.solve(e))
      let inverse = factor.inverseLowerTriangle()
      for i in 0..<count { variances[block.lowerBound + i] = inverse[i, i] }
    }
  }
}

/// The covariance of all rows with the mean's coefficients integrated out, inverted.
struct MarginalInverse {
  /// K^^-1 [n, n], both triangles.
  let q: Matrix
  /// K^^-1 y [n]
  let alpha: [Double]

  /// O(n^3). Throws: `FactorizationError`.
  init(
    _ h: Hyperparameters, x: Matrix, y: [Double], noiseFactors: [Double]? = nil, what: String
  ) throws {
    var k = h.covariance.lowerTriangle(x)
    let basis = h.mean.basis(x)
    let variance = MeanFunction.coefficientDeviation * MeanFunction.coefficientDeviation
    if basis.columns > 0 {
      let linear = basis.times(basis, transposingSecond: true)
      for i in k.values.indices { k.values[i] += variance * linear.values[i] }
    }
    for i in 0..<x.rows { k[i, i] += h.noiseVariance * (noiseFactors?[i] ?? 1) }
    let cholesky = try Cholesky(k, what: what)
    alpha = cholesky.solve(y)
    var inverse = cholesky.inverseLowerTriangle()
    for i in 0..<x.rows { for j in 0..<i { inverse[j, i] = inverse[i, j] } }
    q = inverse
  }

  /// From K^-1 [n, n], both triangles, and K^-1 (y - H beta), which is K^^-1 y:
  ///
  ///   Q = K^-1 - V (I / b^2 + H^T V)^-1 V^T,  V = K^-1 H
  ///
  /// O(n^2 q). Throws: `FactorizationError`.
  init(_ inverse: Matrix, alpha: [Double], basis: Matrix, what: String) throws {
    self.alpha = alpha
    guard basis.columns > 0 else {
      q = inverse
      return
    }
    let v = inverse.times(basis)
    var inner = basis.times(v, transposingFirst: true)
    let variance = MeanFunction.coefficientDeviation * MeanFunction.coefficientDeviation
    for i in 0..<inner.rows { inner[i, i] += 1 / variance }
    let white = try Cholesky(inner, what: "\(what), mean coefficients").solveLower(v.transposed)
    let correction = white.times(white, transposingFirst: true)
    var result = inverse
    for i in result.values.indices { result.values[i] -= correction.values[i] }
    q = result
  }
}

/// The objective J and its gradient.
final class BlockOutError: FitObjective {
  private let x: Matrix
  private let y: [Double]
  private let blocks: RowBlocks
  private let what: String

  init(x: Matrix, y: [Double], blocks: RowBlocks, what: String) {
    (self.x, self.y, self.blocks, self.what) = (x, y, blocks, what)
  }

  func evaluate(_ h: Hyperparameters) throws -> (value: Double, gradient: [Double]) {
    let inverse = try MarginalInverse(h, x: x, y: y, what: what)
    let (q, alpha, n) = (inverse.q, inverse.alpha, x.rows)
    let residuals = try BlockOutResiduals(q, alpha: alpha, blocks: blocks)
    let squares = max(dot(residuals.errors, residuals.errors), .leastNormalMagnitude)
    // Both products with the blocks' columns are products with block-diagonal selections of u and e.
    var selectU = Matrix(rows: n, columns: blocks.ranges.count)
    var selectE = selectU
    for (column, block) in blocks.ranges.enumerated() {
      for i in block {
        selectU[i, column] = residuals.weights[i]
        selectE[i, column] = residuals.errors[i]
      }
    }
    let r1 = q.times(selectU)
    let r2 = q.times(selectE)
    let qu = q.times(residuals.weights)
    var w = r1.times(r2, transposingSecond: true)
    let factor = 0.5 * Double(n) / squares
    w.values.withUnsafeMutableBufferPointer { w in
      for i in 0..<n {
        for j in 0...i {
          let both = qu[i] * alpha[j] - w[i * n + j] + qu[j] * alpha[i] - w[j * n + i]
          w[i * n + j] = factor * both
        }
      }
    }
    let trace = (0..<n).reduce(0) { $0 + w[$1, $1] }
    let gradient = h.covariance.contraction(w, x) + [trace * exp(h.logNoiseVariance)]
    let value = -0.5 * Double(n) * log(squares / Double(n))
    return (value, gradient)
  }
}

/// The residual of every row predicted without its block, and that prediction's variance with the noise.
///
/// - Parameters:
///   - h: covariance, mean and noise.
///   - x: [n, D]
///   - y: [n]
///   - episodeOf: number of the episode of each row, not decreasing; blocks are about 10 rows of one.
///   - noiseFactors: c [n], the noise variance of row i is c_i sn2; nil for ones.
/// - Throws: `FactorizationError`.
package func blockOutErrors(
  _ h: Hyperparameters, x: Matrix, y: [Double], episodeOf: [Int], noiseFactors: [Double]? = nil
) throws -> (errors: [Double], variances: [Double]) {
  let inverse = try MarginalInverse(
    h, x: x, y: y, noiseFactors: noiseFactors, what: "left-out blocks")
  let residuals = try BlockOutResiduals(
    inverse.q, alpha: inverse.alpha, blocks: RowBlocks(episodeOf: episodeOf))
  return (residuals.errors, residuals.variances)
}

/// J = -n/2 log(mean squared error of left-out blocks) and its gradient, without priors. Throws: `FactorizationError`.
package func blockOutObjective(
  _ h: Hyperparameters, x: Matrix, y: [Double], episodeOf: [Int]
) throws -> (value: Double, gradient: [Double]) {
  try BlockOutError(
    x: x, y: y, blocks: RowBlocks(episodeOf: episodeOf), what: "left-out blocks"
  ).evaluate(h)
}
