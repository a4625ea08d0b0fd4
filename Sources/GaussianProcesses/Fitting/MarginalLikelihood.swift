// SPDX-License-Identifier: Apache-2.0
// The log marginal likelihood and its gradient (paper, equations 5-6; Rasmussen & Williams 2006, 5.8-5.9):
//
//   log p = -1/2 (y - H beta)^T alpha - 1/2 log|K + sn2 I| - n/2 log 2 pi,  alpha = (K + sn2 I)^-1 (y - H beta)
//   d log p / d theta = 1/2 tr((alpha alpha^T - (K + sn2 I)^-1) dK/dtheta)
//
// One Cholesky factorisation and one inverse an evaluation, O(n^3). beta maximises log p - |beta|^2 / 2 b^2,
// so its own derivative drops out (envelope theorem).

import Foundation
import LinearAlgebra

/// What is learnt of one output: covariance, noise, mean basis.
package struct Hyperparameters: Hashable, Sendable, Codable {
  package var covariance: CovarianceFunction
  package var mean: MeanFunction
  /// log of the noise variance above the floor.
  package var logNoiseVariance: Double
  /// Smallest noise variance, in units of the standardised target's variance.
  package var noiseFloor: Double

  package init(
    covariance: CovarianceFunction, mean: MeanFunction, noiseVariance: Double,
    noiseFloor: Double = 1e-6
  ) {
    self.covariance = covariance
    self.mean = mean
    logNoiseVariance = log(max(noiseVariance - noiseFloor, 1e-12))
    self.noiseFloor = noiseFloor
  }

  /// Of a standardised target in which nothing but noise is looked for.
  static func noise(inputs: Int) -> Hyperparameters {
    Hyperparameters(
      covariance: .stationary(
        StationaryCovariance(
          .squaredExponential, lengthscales: Array(repeating: 1, count: inputs),
          signalVariance: 1e-8)),
      mean: .zero, noiseVariance: 1)
  }

  /// sn2 = floor + exp(logNoiseVariance)
  package var noiseVariance: Double { noiseFloor + exp(logNoiseVariance) }

  /// Covariance parameters, then the log noise variance.
  package var vector: [Double] { covariance.parameters + [logNoiseVariance] }

  /// Signal and noise variances times a factor; the mean does not change.
  func scaled(by factor: Double) -> Hyperparameters {
    var copy = self
    copy.covariance = covariance.scaled(by: factor)
    copy.logNoiseVariance = log(max(noiseVariance * factor - noiseFloor, 1e-12))
    return copy
  }

  package func with(vector: [Double]) -> Hyperparameters {
    var copy = self
    copy.covariance = covariance.with(parameters: Array(vector.dropLast()))
    copy.logNoiseVariance = vector[vector.count - 1]
    return copy
  }
}

/// Everything that one factorisation of K + sn2 I gives.
struct ConditionedData {
  let cholesky: Cholesky
  /// beta [q]
  let coefficients: [Double]
  /// (K + sn2 I)^-1 (y - H beta) [n]
  let alpha: [Double]
  let logMarginalLikelihood: Double

  /// Throws: `FactorizationError`, naming `what`.
  init(
    _ h: Hyperparameters, x: Matrix, y: [Double], noiseFactors: [Double], what: String
  ) throws {
    var k = h.covariance.lowerTriangle(x)
    let noise = h.noiseVariance
    for i in 0..<x.rows { k[i, i] += noise * noiseFactors[i] }
    cholesky = try Cholesky(k, what: what)
    let basis = h.mean.basis(x)
    if basis.columns == 0 {
      coefficients = []
    } else {
      // (H^T K^-1 H + I / b^2) beta = H^T K^-1 y, with everything multiplied by L^-1.
      let whiteBasis = cholesky.solveLower(basis)
      let whiteTargets = cholesky.solveLower(Matrix(rows: y.count, columns: 1, values: y)).values
      var normal = whiteBasis.transposed.times(whiteBasis)
      let deviation = MeanFunction.coefficientDeviation
      for q in 0..<basis.columns { normal[q, q] += 1 / (deviation * deviation) }
      coefficients = try Cholesky(normal, what: "\(what), mean coefficients").solve(
        whiteBasis.times(whiteTargets, transposed: true))
    }
    let fitted = basis.columns == 0 ? y.map { _ in 0 } : basis.times(coefficients)
    let residual = zip(y, fitted).map { $0 - $1 }
    alpha = cholesky.solve(residual)
    logMarginalLikelihood =
      -0.5 * dot(residual, alpha) - 0.5 * cholesky.logDeterminant
      - 0.5 * Double(y.count) * log(2 * Double.pi)
  }
}

/// The value and gradient that the fit maximises, by a factorisation.
final class MarginalLikelihood: FitObjective {
  let x: Matrix
  let y: [Double]
  /// c [n]: the noise variance of row i is c_i sn2.
  let noiseFactors: [Double]
  let what: String
  /// Of the last evaluation: its hyperparameters, W = 1/2 (alpha alpha^T - K^-1) and alpha.
  private var last: (h: Hyperparameters, w: Matrix, alpha: [Double])?

  init(
    x: Matrix, y: [Double], noiseFactors: [Double]? = nil, what: String
  ) {
    (self.x, self.y, self.what) = (x, y, what)
    self.noiseFactors = noiseFactors ?? y.map { _ in 1 }
  }

  /// log p(y | X, theta) and its gradient with respect to `Hyperparameters.vector`.
  func evaluate(_ h: Hyperparameters) throws -> (value: Double, gradient: [Double]) {
    let data = try ConditionedData(
      h, x: x, y: y, noiseFactors: noiseFactors, what: what)
    var w = data.cholesky.inverseLowerTriangle()
    let (n, alpha) = (x.rows, data.alpha)
    w.values.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let values = buffer
      forEachRowBlock(count: n) { rows in
        for i in rows {
          for j in 0...i { values[i * n + j] = 0.5 * (alpha[i] * alpha[j] - values[i * n + j]) }
        }
      }
    }
    let trace = (0..<n).reduce(0) { $0 + w[$1, $1] * noiseFactors[$1] }
    let gradient = h.covariance.contraction(w, x) + [trace * exp(h.logNoiseVariance)]
    let deviation = MeanFunction.coefficientDeviation
    let value =
      data.logMarginalLikelihood
      - 0.5 * dot(data.coefficients, data.coefficients) / (deviation * deviation)
    last = (h, w, alpha)
    return (value, gradient)
  }

  /// The inverse that the last evaluation came by, if it was at these hyperparameters. Throws: `FactorizationError`.
  func inverse(at h: Hyperparameters) throws -> MarginalInverse? {
    guard let last, last.h == h else { return nil }
    var inverse = last.w
    let (n, alpha) = (x.rows, last.alpha)
    for i in 0..<n {
      for j in 0...i {
        inverse[i, j] = alpha[i] * alpha[j] - 2 * inverse[i, j]
        inverse[j, i] = inverse[i, j]
      }
    }
    return try MarginalInverse(
      inverse, alpha: alpha, basis: h.mean.basis(x), what: what)
  }
}

/// The log marginal likelihood of `y` [n] at `x` [n, D] and its gradient with respect to
/// `hyperparameters.vector`, without priors on them (that of the mean's coefficients is in it). Throws: `FactorizationError`.
///
/// - Parameters:
///   - hyperparameters: covariance, mean and noise.
///   - x: [n, D]
///   - y: [n]
///   - noiseFactors: c [n], the noise variance of row i is c_i sn2; nil for ones.
///   - method: conjugate gradients give estimates (IterativeLikelihood.swift).
package func logMarginalLikelihood(
  _ hyperparameters: Hyperparameters, x: Matrix, y: [Double], noiseFactors: [Double]? = nil,
  method: LikelihoodMethod = .cholesky
) throws -> (value: Double, gradient: [Double]) {
  if method == .cholesky {
    return try MarginalLikelihood(
      x: x, y: y, noiseFactors: noiseFactors, what: "marginal likelihood"
    ).evaluate(hyperparameters)
  }
  return try IterativeLikelihood(
    x: x, y: y, noiseFactors: noiseFactors, method: method
  ).evaluate(hyperparameters)
}
