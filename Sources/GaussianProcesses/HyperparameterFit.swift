// SPDX-License-Identifier: Apache-2.0
// Hyperparameters: in: standardised X [n, D], y [n]. Out: hyperparameters and how the search went. By default they
// minimise the block-out error (BlockOutError.swift) on a subset of the data, where an evaluation costs 10 ms; or they
// maximise the marginal likelihood (the paper's equations 5-6): two starts on the subset, then a few full
// evaluations from the better.
//
// Rejected: Adam at 0.1 as in GPyTorch's examples (100 full evaluations, and a lower likelihood), and
// full-data restarts (each evaluation costs 0.2 s at n = 2,200).

import Foundation
import LinearAlgebra

/// What the hyperparameters are chosen for.
public enum FitCriterion: String, Hashable, Sendable, Codable, CaseIterable {
  /// The squared error of blocks of rows predicted from the others; the noise is calibrated on the same residuals.
  case blockOut = "block-out"
  /// The marginal likelihood, with the same noise everywhere (paper, equations 5-6).
  case marginalLikelihood = "marginal-likelihood"
}

/// What a search climbs.
protocol FitObjective: AnyObject {
  /// Value (log prior included) and its gradient with respect to `Hyperparameters.vector`.
  func evaluate(_ h: Hyperparameters) throws -> (value: Double, gradient: [Double])
}

/// What to learn and how long to look.
public struct FitOptions: Hashable, Sendable, Codable {
  public var criterion = FitCriterion.blockOut
  public var profile: RadialProfileName = .squaredExponential
  public var mean: MeanFunction = .linear
  /// nil for none.
  public var prior: HyperparameterPrior? = HyperparameterPrior()
  /// Smallest noise variance in units of the target's variance.
  public var noiseFloor = 1e-6
  /// Points of the subset on which the block-out error is minimised, or starts of the likelihood compete.
  public var subset = 600
  /// Iterations of the marginal likelihood on all points after that.
  public var fullIterations = 3
  /// Stop when an iteration gains less than this, relative.
  public var tolerance = 2e-4
  /// How the marginal likelihood of all points is computed.
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
///   - episodeOf: number of the episode of each row; nil for one episode.
///   - covariance: the form and its starting values; nil for ARD of `options.profile`.
///   - start: hyperparameters of an earlier fit, tried as one more start.
///   - progress: called after every evaluation with an estimate of the fraction done.
/// - Throws: `FactorizationError`.
public func fitHyperparameters(
  x: Matrix, y: [Double], options: FitOptions, episodeOf: [Int]? = nil,
  covariance: CovarianceFunction? = nil, start: Hyperparameters? = nil, what: String,
  progress: @escaping (Double) -> Void = { _ in }
) throws -> FitResult {
  let rows = evenlySpreadRows(count: x.rows, wanted: options.subset)
  let (partX, partY) = (x.selecting(rows: rows), rows.map { y[$0] })
  let earlier = start.map { [$0] } ?? []
  switch options.criterion {
  case .blockOut:
    let blocks = RowBlocks(episodeOf: rows.map { episodeOf?[$0] ?? 0 })
    let objective = BlockOutError(
      x: partX, y: partY, blocks: blocks, prior: options.prior, what: what)
    let starts = startingPoints(x: x, options: options, covariance: covariance)
    let tried = try climb(
      objective, points: rows.count, from: [starts[0]] + earlier, iterations: 40,
      progress: progress)
    progress(1)
    return FitResult(
      hyperparameters: tried.hyperparameters, fullEvaluations: 0,
      subsetEvaluations: tried.evaluations, hasConverged: tried.hasConverged, method: .cholesky,
      unconvergedSolves: 0)
  case .marginalLikelihood:
    let part = MarginalLikelihood(x: partX, y: partY, prior: options.prior, what: what)
    let starts = startingPoints(x: x, options: options, covariance: covariance) + earlier
    let best = try climb(part, points: rows.count, from: starts, iterations: 60) {
      progress(0.2 * $0)
    }
    return try fitLikelihood(
      x: x, y: y, options: options, from: best.hyperparameters,
      subsetEvaluations: best.evaluations, what: what, progress: progress)
  }
}

/// A few iterations on all points.
private func fitLikelihood(
  x: Matrix, y: [Double], options: FitOptions, from best: Hyperparameters, subsetEvaluations: Int,
  what: String, progress: @escaping (Double) -> Void
) throws -> FitResult {
  let method = options.likelihood.resolved(
    points: x.rows, inputs: x.columns, covariance: best.covariance)
  // An iteration is an evaluation or two.
  let expected = Double(options.fullIterations + 2)
  var evaluated = 0.0
  func report(_ part: Double) { progress(min(1, 0.2 + 0.8 * (evaluated + part) / expected)) }
  let likelihood: any FitObjective =
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
    hyperparameters: best.with(vector: result.point), fullEvaluations: result.evaluations,
    subsetEvaluations: subsetEvaluations, hasConverged: result.hasConverged, method: method,
    unconvergedSolves: (likelihood as? IterativeLikelihood)?.unconverged ?? 0)
}

private struct Climb {
  var hyperparameters: Hyperparameters
  var evaluations: Int
  var hasConverged: Bool
}

/// The best end of several starts.
private func climb(
  _ objective: any FitObjective, points: Int, from starts: [Hyperparameters], iterations: Int,
  progress: @escaping (Double) -> Void
) throws -> Climb {
  var evaluations = 0
  var best: (value: Double, climb: Climb)?
  for start in starts {
    let before = evaluations
    let result = try maximize(
      objective, points: points, from: start, iterations: iterations, tolerance: 1e-6
    ) { progress(min(1, Double(before + $0) / Double(iterations))) }
    evaluations += result.evaluations
    if result.value < best?.value ?? .infinity {
      best = (
        result.value,
        Climb(
          hyperparameters: start.with(vector: result.point), evaluations: 0,
          hasConverged: result.hasConverged)
      )
    }
  }
  var climb =
    best?.climb ?? Climb(hyperparameters: starts[0], evaluations: 0, hasConverged: false)
  climb.evaluations = evaluations
  return climb
}

private func maximize(
  _ objective: any FitObjective, points: Int, from start: Hyperparameters, iterations: Int,
  tolerance: Double, evaluated: @escaping (Int) -> Void
) throws -> MinimizationResult {
  var evaluations = 0
  // Scaled by 1 / n, so that tolerances mean the same for any amount of data.
  let scale = 1 / Double(points)
  return try minimize(from: start.vector, iterations: iterations, tolerance: tolerance) { vector in
    let (value, gradient) = try objective.evaluate(start.with(vector: vector))
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
