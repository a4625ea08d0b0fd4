// SPDX-License-Identifier: Apache-2.0
// Maximum a posteriori hyperparameters: first several starts on a subset of the data, where an
// evaluation costs milliseconds, then a few full evaluations from the best of them. In: standardised X
// [n, D], y [n]. Out: hyperparameters and how the search went.
//
// Rejected: Adam at 0.1 as in GPyTorch's examples (100 full evaluations, and a lower likelihood), and
// full-data restarts (each evaluation costs 0.2 s at n = 2,200).

import Foundation
import LinearAlgebra

/// What to learn and how long to look.
public struct FitOptions: Hashable, Sendable, Codable {
  public var profile: RadialProfileName = .squaredExponential
  public var mean: MeanFunction = .linear
  /// nil for maximum likelihood.
  public var prior: HyperparameterPrior? = HyperparameterPrior()
  /// Smallest noise variance in units of the target's variance.
  public var noiseFloor = 1e-6
  /// Points of the subset on which starts compete.
  public var subset = 600
  /// Iterations on all points after that.
  public var fullIterations = 3
  /// Stop when an iteration gains less than this, relative.
  public var tolerance = 2e-4
  /// How the likelihood of all points is computed.
  public var likelihood = LikelihoodMethod.automatic

  public init() {}
}

/// The outcome of a fit of one output.
public struct FitResult: Sendable {
  public var hyperparameters: Hyperparameters
  public var fullEvaluations: Int
  public var subsetEvaluations: Int
  public var hasConverged: Bool
  /// How the likelihood of all points was computed.
  public var method: LikelihoodMethod
  /// Solves by conjugate gradients that ended above their tolerance.
  public var unconvergedSolves: Int
}

/// Learns the hyperparameters of one output.
///
/// - Parameters:
///   - covariance: the form and its starting values; nil for ARD of `options.profile`.
///   - start: hyperparameters of an earlier fit, tried as one more start.
///   - progress: called after every evaluation with an estimate of the fraction done.
/// - Throws: `FactorizationError`.
public func fitHyperparameters(
  x: Matrix, y: [Double], options: FitOptions, covariance: CovarianceFunction? = nil,
  start: Hyperparameters? = nil, what: String, progress: @escaping (Double) -> Void = { _ in }
) throws -> FitResult {
  var candidates = startingPoints(x: x, options: options, covariance: covariance)
  if let start { candidates.append(start) }
  let rows = evenlySpreadRows(count: x.rows, wanted: options.subset)
  let part = MarginalLikelihood(
    x: x.selecting(rows: rows), y: rows.map { y[$0] }, prior: options.prior, what: what)
  var subsetEvaluations = 0
  let tried = try candidates.map { candidate in
    let before = subsetEvaluations
    let result = try maximize(
      part, points: rows.count, from: candidate, iterations: 60, tolerance: 1e-4
    ) {
      progress(min(0.2, 0.2 * Double(before + $0) / 60))
    }
    subsetEvaluations += result.evaluations
    return (value: result.value, hyperparameters: candidate.with(vector: result.point))
  }
  let best = tried.min { $0.value < $1.value }?.hyperparameters ?? candidates[0]
  let method = options.likelihood.resolved(
    points: x.rows, inputs: x.columns, covariance: best.covariance)
  // An iteration is an evaluation or two.
  let expected = Double(options.fullIterations + 2)
  var evaluated = 0.0
  func report(_ part: Double) { progress(min(1, 0.2 + 0.8 * (evaluated + part) / expected)) }
  let likelihood: any LikelihoodFunction =
    method == .cholesky
    ? MarginalLikelihood(x: x, y: y, prior: options.prior, what: what)
    : try IterativeLikelihood(
      x: x, y: y, prior: options.prior, method: method, progress: { report($0) })
  let result = try maximize(
    likelihood, points: x.rows, from: best, iterations: options.fullIterations,
    tolerance: options.tolerance
  ) {
    evaluated = Double($0)
    report(0)
  }
  return FitResult(
    hyperparameters: best.with(vector: result.point),
    fullEvaluations: result.evaluations, subsetEvaluations: subsetEvaluations,
    hasConverged: result.hasConverged, method: method,
    unconvergedSolves: (likelihood as? IterativeLikelihood)?.unconverged ?? 0)
}

private func maximize(
  _ likelihood: any LikelihoodFunction, points: Int, from start: Hyperparameters, iterations: Int,
  tolerance: Double, evaluated: @escaping (Int) -> Void
) throws -> MinimizationResult {
  var evaluations = 0
  // Scaled by 1 / n, so that tolerances mean the same for any amount of data.
  let scale = 1 / Double(points)
  return try minimize(from: start.vector, iterations: iterations, tolerance: tolerance) { vector in
    let (value, gradient) = try likelihood.evaluate(start.with(vector: vector))
    evaluations += 1
    evaluated(evaluations)
    return (-scale * value, gradient.map { -scale * $0 })
  }
}

/// Smooth with much noise, and rougher with little: the two optima that real logs show.
private func startingPoints(
  x: Matrix, options: FitOptions, covariance: CovarianceFunction?
) -> [Hyperparameters] {
  [(3.0, 0.1), (1.0, 0.01)].map { lengthscale, noise in
    let ard = CovarianceFunction.stationary(
      StationaryCovariance(
        options.profile, lengthscales: Array(repeating: lengthscale, count: x.columns),
        signalVariance: 1))
    return Hyperparameters(
      covariance: covariance ?? ard, mean: options.mean, noiseVariance: noise,
      noiseFloor: options.noiseFloor)
  }
}

/// `wanted` rows spread evenly over 0 ..< count (all of them if there are fewer).
public func evenlySpreadRows(count: Int, wanted: Int) -> [Int] {
  if count <= wanted { return Array(0..<count) }
  return (0..<wanted).map { ($0 * count + count / 2) / wanted }
}
