// SPDX-License-Identifier: Apache-2.0
// The log marginal likelihood and its gradient without a factorisation (BBMM: Gardner, Pleiss, Bindel,
// Weinberger, Wilson 2018), for covariances that are known by their products, K^ = K + sn2 I:
//
//   K^-1 [y, H, Z] by conjugate gradients, preconditioned by P = G G^T + sn2 I (pivoted Cholesky)
//   log|K^| ~ log|P| + mean_c z_c^T P^-1 z_c  e_1^T log(T_c) e_1,       z_c ~ N(0, P)   (Lanczos quadrature)
//   d log p / d theta ~ 1/2 alpha^T dK alpha - 1/2 mean_c (K^-1 z_c)^T dK (P^-1 z_c)
//
// Pivots and draws stay the same from one evaluation to the next, so that a search sees a smooth function.

import Draws
import Execution
import Foundation
import LinearAlgebra

/// How the marginal likelihood of many points is computed.
package enum LikelihoodMethod: String, Hashable, Sendable, Codable, CaseIterable {
  /// One Cholesky factorisation an evaluation, O(n^3).
  case cholesky
  /// Conjugate gradients on the exact covariance in row blocks, O(n^2) an iteration.
  case rowBlocks = "row-blocks"
  /// Conjugate gradients on a grid's interpolation, O(n 4^D) an iteration.
  case kissGP = "kiss-gp"

  /// Cholesky up to 5,000 points; beyond, kiss-gp where a grid resolves the lengthscales, else row blocks.
  static func suitable(for x: Matrix, covariance: CovarianceFunction) -> LikelihoodMethod {
    if x.rows <= GaussianProcess.largestExact { return .cholesky }
    guard let stationary = try? covariance.gridStationary(inputs: x.columns) else {
      return .rowBlocks
    }
    // Half a lengthscale apart, interpolation errs by a few percent of the signal.
    let spacing = RegularGrid(fitting: x).spacing
    let isFine = zip(spacing, stationary.lengthscales).allSatisfy { $0 <= 0.5 * $1 }
    return isFine ? .kissGP : .rowBlocks
  }
}

/// BBMM's estimate.
final class IterativeLikelihood: FitObjective {
  let x: Matrix
  /// Targets divided by sqrt(c_i) [n]: in these rows the noise is the same everywhere.
  let y: [Double]
  /// 1 / sqrt(c_i) [n]
  let scales: [Double]
  /// Solves that ended above the tolerance.
  private(set) var unconverged = 0
  private let method: LikelihoodMethod
  private let device: ExecutionDevice?
  private let gridWeights: GridWeights?
  private var pivots: Matrix?
  /// Standard normal draws behind the probes: g [r, t], of which as many rows count as there are pivots, and e [n, t].
  private let pivotDraws: Matrix
  private let noiseDraws: Matrix
  private let progress: (Double) -> Void

  static let probes = 8
  static let tolerance = 1e-3
  static let largestIterations = 200

  /// - Parameter progress: called after every product with the covariance, with the fraction of this
  ///   evaluation that is probably done.
  /// - Throws: `GridError`.
  init(
    x: Matrix, y: [Double], noiseFactors: [Double]? = nil, method: LikelihoodMethod,
    device: ExecutionDevice? = nil, progress: @escaping (Double) -> Void = { _ in }
  ) throws {
    (self.x, self.method, self.progress) = (x, method, progress)
    self.device = device
    let scales = noiseFactors?.map { 1 / $0.squareRoot() } ?? y.map { _ in 1 }
    self.scales = scales
    self.y = zip(y, scales).map(*)
    if method == .kissGP {
      gridWeights = GridWeights(RegularGrid(fitting: x), x)
    } else {
      gridWeights = nil
    }
    pivotDraws = Self.draws(rows: 1_000, step: 0)
    noiseDraws = Self.draws(rows: x.rows, step: 1)
  }

  private static func draws(rows: Int, step: Int) -> Matrix {
    let key = DrawKey(seed: 0x6262_6d6d)
    return Matrix(
      rows: rows, columns: probes,
      values: (0..<rows).flatMap { key.normals(particle: $0, step: step, count: probes) })
  }

  func evaluate(_ h: Hyperparameters) throws -> (value: Double, gradient: [Double]) {
    if let gridWeights {
      return try evaluate(h, GridCovariance(h, weights: gridWeights, scales: scales))
    }
    let columns = 1 + h.mean.basis(x.selecting(rows: [0])).columns + Self.probes
    return try evaluate(
      h, RowBlockCovariance(h, x: x, scales: scales, columns: columns, device: device))
  }

  private func evaluate(
    _ h: Hyperparameters, _ a: some LikelihoodOperator
  ) throws -> (value: Double, gradient: [Double]) {
    let preconditioner = try preconditioner(h)
    let draws = preconditioner.draw(
      pivotDraws.selecting(rows: Array(0..<preconditioner.rank)), noiseDraws)
    let basis = h.mean.basis(x).scalingRows(by: scales)
    let sides = Matrix(rows: y.count, columns: 1, values: y).beside(basis).beside(draws)
    var products = 0
    let solved = conjugateGradients(
      a, sides, preconditioner: preconditioner, tolerance: Self.tolerance,
      iterations: Self.largestIterations
    ) {
      products += 1
      // Most solves need 10 to 40 products.
      self.progress(1 - exp(-Double(products) / 20))
    }
    try solved.checkFinite("marginal likelihood")
    if !solved.hasConverged { unconverged += 1 }
    let q = basis.columns
    let (beta, alpha, residual) = try mean(basis, solved.solution, q, preconditioner)
    let whitened = preconditioner.solve(draws)
    let norms = columnDots(draws, whitened)
    let quadrature = (0..<Self.probes).map {
      norms[$0] * logQuadrature(tridiagonal: solved.tridiagonals[1 + q + $0])
    }
    let logDeterminant =
      preconditioner.logDeterminant + quadrature.reduce(0, +) / Double(Self.probes)
    let n = Double(y.count)
    let deviation = MeanFunction.coefficientDeviation
    let value =
      -0.5 * (dot(residual, alpha) + logDeterminant + n * log(2 * .pi))
      - 0.5 * dot(beta, beta) / (deviation * deviation) + scales.reduce(0) { $0 + log($1) }
    // Columns (alpha, K^-1 z) and (alpha / 2, -P^-1 z / 2t): the gradient is sum_c u_c^T dK v_c.
    var (u, v) = (
      Matrix(rows: y.count, columns: 1, values: alpha),
      Matrix(rows: y.count, columns: 1, values: alpha.map { 0.5 * $0 })
    )
    u = u.beside(solved.solution.selecting(columns: 1 + q..<1 + q + Self.probes))
    var scaled = whitened
    for i in scaled.values.indices { scaled.values[i] *= -0.5 / Double(Self.probes) }
    v = v.beside(scaled)
    let noiseSlope = columnDots(u, v).reduce(0, +) * exp(h.logNoiseVariance)
    let gradient = try a.contraction(u, v) + [noiseSlope]
    progress(1)
    return (value, gradient)
  }

  /// beta by generalised least squares from K^-1 [y, H], and alpha = K^-1 (y - H beta).
  private func mean(
    _ basis: Matrix, _ solution: Matrix, _ q: Int, _ preconditioner: LowRankPreconditioner
  ) throws -> (beta: [Double], alpha: [Double], residual: [Double]) {
    let solvedTargets = solution.column(0)
    if q == 0 { return ([], solvedTargets, y) }
    let solvedBasis = solution.selecting(columns: 1..<1 + q)
    func coefficients(_ whiteBasis: Matrix, _ whiteTargets: [Double]) throws -> [Double] {
      var normal = basis.times(whiteBasis, transposingFirst: true)
      let deviation = MeanFunction.coefficientDeviation
      for i in 0..<q { normal[i, i] += 1 / (deviation * deviation) }
      return try Cholesky(normal, what: "mean coefficients").solve(
        basis.times(whiteTargets, transposed: true))
    }
    let beta: [Double]
    do {
      beta = try coefficients(solvedBasis, solvedTargets)
    } catch is FactorizationError {
      // Solves that end before they converge leave no positive definite matrix of features that go together. Least squares
      // weighted by P^-1, which is one, has another variance and the same mean.
      let white = preconditioner.solve(
        Matrix(rows: y.count, columns: 1, values: y).beside(basis))
      beta = try coefficients(white.selecting(columns: 1..<1 + q), white.column(0))
    }
    return (
      beta, zip(solvedTargets, solvedBasis.times(beta)).map { $0 - $1 },
      zip(y, basis.times(beta)).map { $0 - $1 }
    )
  }

  /// P from the covariance with the pivots, which the first evaluation chose.
  private func preconditioner(_ h: Hyperparameters) throws -> LowRankPreconditioner {
    let chosen = pivots ?? preconditionerPivots(h, x, isStored: gridWeights == nil)
    pivots = chosen
    return try preconditionerOf(h, x, pivots: chosen, scales: scales, weights: gridWeights)
  }
}
