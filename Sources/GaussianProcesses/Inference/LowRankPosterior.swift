// SPDX-License-Identifier: Apache-2.0
// The posterior from r << n inducing points (Titsias 2009; Quinonero-Candela & Rasmussen 2005, "DTC"). They are
// the pivots P of a pivoted Cholesky factorisation (Burt 2020). With psi(x) = L_P^-1 k(P, x), k(P, P) = L_P L_P^T,
// and G^T = psi(X) [r, n]:
//
//   mean = h(x)^T beta + psi^T A^-1 G^T (y - H beta) / sn2,   A = I + G^T G / sn2 = L_A L_A^T
//   variance = k(x, x) - ||psi||^2 + ||L_A^-1 psi||^2
//
// (rows of G, H and y divided by sqrt(c_i) where the noise varies). Pivots are taken until K - G G^T is below `tolerance` min(sn2, signal / 100) everywhere, where it agrees with equations 2-3, or
// up to a given rank (a sparse process). O(n r^2) once, O(r^2) a point, memory O(r^2 + block r): a table of 117,649
// points, n = 2,200, 2 outputs took 1.9 s, 17 s by exact solves.

import Foundation
import LinearAlgebra

/// A Gaussian process conditioned on its data through inducing points.
package struct LowRankPosterior: Sendable {
  package let hyperparameters: Hyperparameters
  /// Inducing inputs [r, D] ...
  package let pivots: Matrix
  /// ... and which rows of the data they are [r].
  let pivotRows: [Int]
  /// beta [q]
  package let meanCoefficients: [Double]
  /// log p(y) of the approximation, nats.
  package let logMarginalLikelihood: Double
  /// The largest prior variance that the pivots do not explain, at the points they were chosen from.
  package let residual: Double
  /// L_P [r, r]
  private let pivotFactor: Cholesky
  /// L_A [r, r]
  private let dataFactor: Cholesky
  /// A^-1 G^T (y - H beta) / sn2 [r]
  private let weights: [Double]

  package var rank: Int { pivots.rows }
  /// What the factorisations of the pivots' covariance needed on the diagonal.
  package var jitter: Double { max(pivotFactor.jitter, dataFactor.jitter) }

  /// Pivots are chosen among this many rows at most.
  static let candidates = 20_000

  /// Throws: `FactorizationError`.
  ///
  /// - Parameters:
  ///   - hyperparameters: covariance, mean and noise.
  ///   - x: [n, D]
  ///   - y: [n]
  ///   - noiseFactors: c [n], the noise variance of row i is c_i sn2; nil for ones.
  ///   - tolerance: on what the pivots leave of the prior variance, as a fraction of it.
  ///   - largestRank: most pivots.
  ///   - coefficients: beta; nil to find it by generalised least squares.
  package init(
    _ hyperparameters: Hyperparameters, x: Matrix, y: [Double], noiseFactors: [Double]? = nil,
    tolerance: Double = 1e-4, largestRank: Int = 1_000, coefficients: [Double]? = nil
  ) throws {
    self.hyperparameters = hyperparameters
    let covariance = hyperparameters.covariance
    let noise = hyperparameters.noiseVariance
    let rows = evenlySpreadRows(count: x.rows, wanted: Self.candidates)
    let candidates = x.selecting(rows: rows)
    let prior = covariance.diagonal(candidates)
    // Below the noise for the variance, and a hundredth of that below the signal for the mean, which data
    // that are mostly noise determine better than the noise.
    let signal = prior.reduce(0, +) / Double(prior.count)
    let chosen = PivotedCholesky(
      diagonal: prior, rank: largestRank, tolerance: tolerance * min(noise, 1e-2 * signal)
    ) { covariance.matrix(candidates, candidates.selecting(rows: [$0])).values }
    residual = chosen.residual
    let pivots = candidates.selecting(rows: chosen.pivots)
    self.pivots = pivots
    pivotRows = chosen.pivots.map { rows[$0] }
    let pivotFactor = try Cholesky(covariance.lowerTriangle(pivots), what: "pivots")
    // Rows divided by sqrt(c_i) have the same noise.
    let scales = noiseFactors?.map { 1 / $0.squareRoot() } ?? y.map { _ in 1 }
    let sums = CrossProducts(x: x, y: y, scales: scales, mean: hyperparameters.mean) {
      pivotFactor.solveLower(covariance.matrix(pivots, $0))
    }
    self.pivotFactor = pivotFactor
    var a = sums.gram
    for index in a.values.indices { a.values[index] /= noise }
    for i in 0..<a.rows { a[i, i] += 1 }
    dataFactor = try Cholesky(a, what: "low-rank posterior")
    let beta = try coefficients ?? sums.coefficients(dataFactor, noise: noise)
    meanCoefficients = beta
    let projected = sums.projectedResidual(beta)
    weights = dataFactor.solve(projected).map { $0 / noise }
    let quadratic = (sums.squaredResidual(beta) - dot(projected, weights)) / noise
    let n = Double(x.rows)
    logMarginalLikelihood =
      -0.5 * (quadratic + dataFactor.logDeterminant + n * log(2 * .pi * noise))
      + scales.reduce(0) { $0 + log($1) }
  }

  /// The same process, conditioned. Throws: `FactorizationError`.
  package init(
    _ process: GaussianProcess, tolerance: Double = 1e-4, largestRank: Int = 1_000
  ) throws {
    if let lowRank = process.lowRank, largestRank >= lowRank.rank {
      self = lowRank
      return
    }
    try self.init(
      process.hyperparameters, x: process.x, y: process.y, noiseFactors: process.noiseFactors,
      tolerance: tolerance, largestRank: largestRank, coefficients: process.meanCoefficients)
  }

  /// Points of a block: psi and L_A^-1 psi of 300 pivots stay within 2.5 MB.
  private static let block = 512

  /// Posterior mean and latent variance at `points` [m, D].
  ///
  /// A variance that rounding makes negative is raised to 0.
  package func predict(_ points: Matrix) -> (mean: [Double], variance: [Double]) {
    let covariance = hyperparameters.covariance
    let blocks = (points.rows + Self.block - 1) / Self.block
    let parts = inParallel(blocks) { index in
      let rows = index * Self.block..<min((index + 1) * Self.block, points.rows)
      let part = points.selecting(rows: Array(rows))
      let psi = pivotFactor.solveLower(covariance.matrix(pivots, part))
      let white = dataFactor.solveLower(psi)
      var variance = covariance.diagonal(part)
      for i in 0..<psi.rows {
        for j in 0..<psi.columns {
          let (p, w) = (psi.values[i * psi.columns + j], white.values[i * psi.columns + j])
          variance[j] += w * w - p * p
        }
      }
      let prior = hyperparameters.mean.values(part, meanCoefficients)
      let mean = zip(prior, psi.times(weights, transposed: true)).map(+)
      return (mean: mean, variance: variance.map { max($0, 0) })
    }
    return (parts.flatMap(\.mean), parts.flatMap(\.variance))
  }

  /// c [r] of the mean as a sum over the pivots: h^T beta + k(x, P) c.
  package var meanWeights: [Double] {
    pivotFactor.inverseLower().times(weights, transposed: true)
  }

  /// T [r, r]: the weights of a function drawn from the posterior are `meanWeights` + T e, e standard normal; T = L_P^-T L_A^-T.
  package var weightRoot: Matrix {
    dataFactor.inverseLower().times(pivotFactor.inverseLower()).transposed
  }

  /// K_P^-1 B of values B [r, c] at the pivots: what sums over them have to weigh to be B there.
  package func pivotWeights(of values: Matrix) -> Matrix { pivotFactor.solve(values) }

  /// The same posterior as sums over the pivots: mean = h^T beta + k(x, P) c, variance = k(x, x) -
  /// ||S^T k(P, x)||^2 with S = L_P^-T U [r, r], U U^T = I - A^-1, both upper triangular.
  package func weightedSums() throws -> (weights: [Double], root: Matrix) {
    let inverse = dataFactor.inverseLowerTriangle()
    let r = inverse.rows
    // The lower factor of the matrix with its order turned round is the upper one of the matrix.
    var turned = Matrix(rows: r, columns: r)
    for i in 0..<r {
      for j in 0...i { turned[i, j] = (i == j ? 1 : 0) - inverse[r - 1 - j, r - 1 - i] }
    }
    let lower = try Cholesky(turned, what: "sparse posterior").lower
    var upper = Matrix(rows: r, columns: r)
    for i in 0..<r {
      for j in i..<r { upper[i, j] = lower[r - 1 - i, r - 1 - j] }
    }
    let white = pivotFactor.inverseLower()
    var root = white.times(upper, transposingFirst: true)
    // What rounding leaves below the diagonal is not read.
    for i in 1..<max(r, 1) { for j in 0..<i { root[i, j] = 0 } }
    return (white.times(weights, transposed: true), root)
  }
}

/// Sums over all data that a low-rank posterior needs, in blocks of rows: nothing as long as the data stays.
private struct CrossProducts {
  /// G^T G [r, r]
  var gram = Matrix(rows: 0, columns: 0)
  /// G^T H [r, q], G^T y [r]
  var basis = Matrix(rows: 0, columns: 0)
  var targets: [Double] = []
  /// H^T H [q, q], H^T y [q], y^T y
  var basisGram = Matrix(rows: 0, columns: 0)
  var basisTargets: [Double] = []
  var squares = 0.0

  /// - Parameter scales: factors on the rows of G, H and y [n].
  init(
    x: Matrix, y: [Double], scales: [Double], mean: MeanFunction, psi: (Matrix) -> Matrix
  ) {
    for start in stride(from: 0, to: x.rows, by: 8_192) {
      let rows = Array(start..<min(start + 8_192, x.rows))
      let block = x.selecting(rows: rows)
      var (g, h) = (psi(block), mean.basis(block))
      let t = rows.map { y[$0] * scales[$0] }
      for (k, row) in rows.enumerated() {
        for i in 0..<g.rows { g.values[i * g.columns + k] *= scales[row] }
        for q in 0..<h.columns { h.values[k * h.columns + q] *= scales[row] }
      }
      add(&gram, g.times(g, transposingSecond: true))
      add(&basis, g.times(h))
      add(&basisGram, h.times(h, transposingFirst: true))
      let (gt, ht) = (g.times(t), h.columns > 0 ? h.times(t, transposed: true) : [])
      targets = targets.isEmpty ? gt : zip(targets, gt).map(+)
      basisTargets = basisTargets.isEmpty ? ht : zip(basisTargets, ht).map(+)
      squares += dot(t, t)
    }
  }

  private func add(_ sum: inout Matrix, _ term: Matrix) {
    if sum.rows == 0 {
      sum = term
    } else {
      for i in sum.values.indices { sum.values[i] += term.values[i] }
    }
  }

  /// (H^T K^-1 H + I / b^2) beta = H^T K^-1 y with K^-1 = (I - G A^-1 G^T / sn2) / sn2.
  func coefficients(_ a: Cholesky, noise: Double) throws -> [Double] {
    if basis.columns == 0 { return [] }
    let white = a.solveLower(basis)
    let whiteTargets = a.solveLower(
      Matrix(rows: targets.count, columns: 1, values: targets)
    ).values
    var normal = white.times(white, transposingFirst: true)
    let deviation = MeanFunction.coefficientDeviation
    for i in normal.values.indices {
      normal.values[i] = (basisGram.values[i] - normal.values[i] / noise) / noise
    }
    for q in 0..<normal.rows { normal[q, q] += 1 / (deviation * deviation) }
    let explained = white.times(whiteTargets, transposed: true)
    return try Cholesky(normal, what: "mean coefficients").solve(
      zip(basisTargets, explained).map { ($0 - $1 / noise) / noise })
  }

  /// G^T (y - H beta)
  func projectedResidual(_ beta: [Double]) -> [Double] {
    beta.isEmpty ? targets : zip(targets, basis.times(beta)).map { $0 - $1 }
  }

  /// ||y - H beta||^2
  func squaredResidual(_ beta: [Double]) -> Double {
    if beta.isEmpty { return squares }
    return squares - 2 * dot(beta, basisTargets) + dot(beta, basisGram.times(beta))
  }
}
