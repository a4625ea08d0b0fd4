// SPDX-License-Identifier: Apache-2.0
// The preconditioner of a covariance through pivots P [r, D]: S K S + sn2 I ~ G G^T + sn2 I with G^T = L_P^-1 k(P, X) S.
// Beside a grid k(P, X) is interpolated from k(P, U), so that G^T = (L_P^-1 k(P, U)) W^T S needs O(r m) memory,
// whatever n is.

import LinearAlgebra

/// Highest rank: at n = 20,000 on the boom's rate (lengthscales 0.4, signal to noise 7) solves took 165 products
/// with rank 100, 9 with 600.
private let largestRank = 600

/// Inputs [r, D] that explain the covariance best, chosen among at most `LowRankPosterior.candidates` rows.
///
/// - Parameter isStored: whether G will be: then it gets at most 400 MB.
func preconditionerPivots(_ h: Hyperparameters, _ x: Matrix, isStored: Bool = true) -> Matrix {
  let candidates = x.selecting(
    rows: evenlySpreadRows(count: x.rows, wanted: LowRankPosterior.candidates))
  let rank = isStored ? max(20, min(largestRank, 50_000_000 / x.rows)) : largestRank
  let cholesky = PivotedCholesky(
    diagonal: h.covariance.diagonal(candidates), rank: rank, tolerance: 1e-2 * h.noiseVariance
  ) { h.covariance.matrix(candidates, candidates.selecting(rows: [$0])).values }
  return candidates.selecting(rows: cholesky.pivots)
}

/// The preconditioner of S K S + sn2 I through pivots, S = diag(scales). Throws: `FactorizationError`.
///
/// - Parameter weights: W of a grid, to keep G through it.
func preconditionerOf(
  _ h: Hyperparameters, _ x: Matrix, pivots: Matrix, scales: [Double], weights: GridWeights?
) throws -> LowRankPreconditioner {
  let factor = try Cholesky(h.covariance.lowerTriangle(pivots), what: "pivots")
  // Where there are fewer data than grid points, G itself is smaller.
  guard let weights, weights.rows > weights.grid.size else {
    let transposed = factor.solveLower(h.covariance.matrix(pivots, x)).scalingColumns(by: scales)
    return try LowRankPreconditioner(DenseFactor(transposed: transposed), noise: h.noiseVariance)
  }
  let onGrid = factor.solveLower(h.covariance.matrix(pivots, weights.grid.points))
  return try LowRankPreconditioner(
    GridFactor(onGrid: onGrid.transposed, weights: weights, scales: scales), noise: h.noiseVariance)
}

/// G = S W F for F [m, r] on a grid of m points.
private struct GridFactor: LowRankFactor {
  let onGrid: Matrix
  let weights: GridWeights
  let scales: [Double]

  var size: Int { weights.rows }
  var rank: Int { onGrid.columns }

  func times(_ c: Matrix) -> Matrix { weights.times(onGrid.times(c)).scalingRows(by: scales) }

  func transposedTimes(_ v: Matrix) -> Matrix {
    onGrid.times(weights.transposedTimes(v.scalingRows(by: scales)), transposingFirst: true)
  }

  func gram() -> Matrix {
    var sum = Matrix(rows: rank, columns: rank)
    for start in stride(from: 0, to: size, by: 8_192) {
      let rows = start..<min(start + 8_192, size)
      let block = weights.selecting(rows: rows).times(onGrid)
        .scalingRows(by: Array(scales[rows]))
      let term = block.times(block, transposingFirst: true)
      for i in sum.values.indices { sum.values[i] += term.values[i] }
    }
    return sum
  }
}
