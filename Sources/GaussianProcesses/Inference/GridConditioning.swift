// SPDX-License-Identifier: Apache-2.0
// What KISS-GP caches of one process at its grid's points (mean m, root R), and what LOVE caches of the exact
// covariance (alpha, root S): conditioning by products with the covariance alone.

import LinearAlgebra

/// One output's caches on a grid [size].
package struct GridConditioning: Sendable {
  /// m [size]
  package let mean: [Double]
  /// R [size, rank]
  package let root: Matrix
  /// Covariances 0 ... 3 spacings apart [D, 4], the signal variance in the first axis.
  package let toeplitz: [Double]
  /// Whether the solve for the mean met its tolerance.
  package let hasConverged: Bool

  package var rank: Int { root.columns }

  /// Relative residual of the solve for the mean.
  static let tolerance = 1e-6
  static let largestIterations = 1_000

  /// Throws: `GridError`, `FactorizationError`.
  ///
  /// - Parameters:
  ///   - process: with squared exponentials.
  ///   - weights: of its inputs on the grid.
  ///   - probes: where the rank is judged.
  ///   - rank: of the root, or the tolerance that chooses it.
  package init(
    _ process: GaussianProcess, _ weights: GridWeights, probes: GridWeights, rank: RankChoice
  ) throws {
    let scales = process.rowScales
    let a = try GridCovariance(process.hyperparameters, weights: weights, scales: scales)
    let solved = conjugateGradients(
      a, column(process.residuals).scalingRows(by: scales),
      preconditioner: try process.preconditioner(weights), tolerance: Self.tolerance,
      iterations: Self.largestIterations)
    try solved.checkFinite("KISS-GP")
    hasConverged = solved.hasConverged
    let k = a.gridCovariance
    mean = k.times(weights.transposedTimes(solved.solution.scalingRows(by: scales))).values
    toeplitz = k.factors.flatMap { Array($0.row(0)[..<4]) }
    // b = the mean over the probes of their covariance with the data.
    let toProbes = probes.transposedTimes(Matrix(rows: probes.rows, columns: 1, repeating: 1))
    let start = weights.times(k.times(toProbes)).scalingRows(by: scales).values
    let prior = (0..<probes.rows).map { k.quadratic(probes.entries(row: $0)) }
    let columns = lanczosVarianceRoot(
      a, start: start,
      probes: VarianceProbes(
        prior: prior, noise: a.noise,
        cache: { k.times(weights.transposedTimes(column($0).scalingRows(by: scales))).values },
        projection: { probes.times(column($0)).values }), choice: rank)
    root = Matrix(columns).transposed
  }

  /// R with zeros up to a multiple of `block` columns, row-major.
  package func paddedRoot(block: Int) -> [Double] {
    let width = (rank + block - 1) / block * block
    var values = [Double](repeating: 0, count: root.rows * width)
    for i in 0..<root.rows {
      for j in 0..<rank { values[i * width + j] = root.values[i * rank + j] }
    }
    return values
  }
}

extension KroneckerProduct {
  /// w^T K w of a sparse w.
  func quadratic(_ w: (points: [Int], weights: [Double])) -> Double {
    var total = 0.0
    for (i, a) in zip(w.points, w.weights) {
      for (j, b) in zip(w.points, w.weights) { total += a * b * entry(i, j) }
    }
    return total
  }

  private func entry(_ i: Int, _ j: Int) -> Double {
    var (i, j, product) = (i, j, 1.0)
    for factor in factors.reversed() {
      product *= factor[i % factor.rows, j % factor.rows]
      i /= factor.rows
      j /= factor.rows
    }
    return product
  }
}

extension GaussianProcess {
  /// Pivoted Cholesky of the exact covariance: where it explains the data to a hundredth of the noise
  /// it has a lower rank than it may have. Throws: `FactorizationError`.
  ///
  /// - Parameter weights: of a grid, through which the preconditioner is then kept.
  func preconditioner(_ weights: GridWeights? = nil) throws -> LowRankPreconditioner {
    let pivots = preconditionerPivots(hyperparameters, x, isStored: weights == nil)
    return try preconditionerOf(
      hyperparameters, x, pivots: pivots, scales: rowScales, weights: weights)
  }

  /// 1 / sqrt(c_i) [n]: rows multiplied by this have the same noise.
  var rowScales: [Double] { noiseFactors.map { 1 / $0.squareRoot() } }

  /// alpha [n] and a Lanczos root S [n, r] of (K + sn2 I)^-1.
  ///
  /// - Parameters:
  ///   - probes: points [p, D] where the rank is judged.
  ///   - rank: of the root, or the tolerance that chooses it.
  /// - Throws: `FactorizationError`; `ExecutionError` where the covariance is too large to be formed.
  package func lanczosConditioning(
    probes: Matrix, rank: RankChoice
  ) throws -> (alpha: [Double], root: Matrix, hasConverged: Bool) {
    let scales = rowScales
    if let exact {
      var k = hyperparameters.covariance.lowerTriangle(x).scalingRows(by: scales)
        .scalingColumns(by: scales)
      for i in 0..<x.rows { k[i, i] += hyperparameters.noiseVariance }
      return (
        exact.alpha, lanczosRoot(DenseOperator(lowerTriangle: k), probes: probes, rank: rank),
        true
      )
    }
    let a = try RowBlockCovariance(hyperparameters, x: x, scales: scales, columns: 1)
    let solved = conjugateGradients(
      a, column(residuals).scalingRows(by: scales), preconditioner: try preconditioner(),
      tolerance: 1e-4, iterations: IterativeLikelihood.largestIterations)
    try solved.checkFinite("LOVE")
    return (
      zip(solved.solution.values, scales).map(*), lanczosRoot(a, probes: probes, rank: rank),
      solved.hasConverged
    )
  }

  private func lanczosRoot(
    _ a: some SymmetricOperator, probes: Matrix, rank: RankChoice
  ) -> Matrix {
    let covariance = hyperparameters.covariance
    let cross = covariance.matrix(probes, x).scalingColumns(by: rowScales)
    let start = cross.times(Array(repeating: 1, count: probes.rows), transposed: true)
    let columns = lanczosVarianceRoot(
      a, start: start,
      probes: VarianceProbes(
        prior: covariance.diagonal(probes), noise: hyperparameters.noiseVariance, cache: { $0 },
        projection: { cross.times($0) }), choice: rank)
    return Matrix(columns).transposed.scalingRows(by: rowScales)
  }
}

private func column(_ values: [Double]) -> Matrix {
  Matrix(rows: values.count, columns: 1, values: values)
}
