// SPDX-License-Identifier: Apache-2.0
// Hyperparameters: in: standardised X [n, D], y [n]. Out: hyperparameters and how the search went.
//
//   1. minimise the error of left-out blocks on a subset of the data (BlockOutError.swift)
//   2. from those residuals, how the noise varies with the inputs (LocalNoise.swift)
//   3. with that noise maximise the marginal likelihood (the paper's equations 5-6) on the subset, from there and from a
//      rougher start, then a few iterations on all points
//
// The first alone smooths away what matters near rest (a deadband), the last alone memorises single movements where
// rests dominate the log. Rejected: Adam at 0.1 as in GPyTorch's examples (100 full evaluations, and a lower
// likelihood), and full-data restarts (each evaluation costs 0.2 s at n = 2,200).

import Execution
import Foundation
import LinearAlgebra

/// What a search climbs.
protocol FitObjective: AnyObject {
  /// Value and its gradient with respect to `Hyperparameters.vector`.
  func evaluate(_ h: Hyperparameters) throws -> (value: Double, gradient: [Double])
}

/// Learns the hyperparameters of one output.
///
/// - Parameters:
///   - x: [n, D], standardised.
///   - y: [n], standardised.
///   - options: criterion, iterations, likelihood.
///   - episodeOf: number of the episode of each row; nil for one episode.
///   - covariance: the form and its starting values; nil for ARD of `options.profile`.
///   - start: hyperparameters of an earlier fit, tried as one more start.
///   - what: the output's name, for errors.
///   - progress: called after every evaluation with an estimate of the fraction done.
/// - Throws: `FactorizationError`.
package func fitHyperparameters(
  x: Matrix, y: [Double], options: FitOptions, episodeOf: [Int]? = nil,
  covariance: CovarianceFunction? = nil, start: Hyperparameters? = nil, what: String,
  progress: @escaping (Double) -> Void = { _ in }
) throws -> FitResult {
  let search = HyperparameterSearch(
    x: x, y: y, options: options, episodeOf: episodeOf ?? y.map { _ in 0 },
    // With many points an earlier fit is start enough.
    starts: start != nil && y.count > options.subset
      ? [] : startingPoints(x: x, options: options, covariance: covariance),
    earlier: start.map { [$0] } ?? [], what: what)
  switch options.criterion {
  case .blockOut: return try search.blockOut(progress)
  case .marginalLikelihood: return try search.likelihood(noise: nil, from: search.starts, progress)
  case .heteroscedastic:
    if let start, search.starts.isEmpty {
      // What the noise looks like and two evaluations of all points; subsets would only lead back to where it was.
      let noise = try search.noiseProfile(start)
      return try search.refinement(noise: noise, of: start, progress)
    }
    let blockOut = try search.blockOut { progress(0.2 * $0) }
    let noise = try search.noiseProfile(blockOut.hyperparameters)
    return try search.likelihood(
      noise: noise, from: [blockOut.hyperparameters] + search.starts.dropFirst()
    ) {
      progress(0.2 + 0.8 * $0)
    }
  }
}

/// The data of one output and the searches on it.
private struct HyperparameterSearch {
  let x: Matrix
  let y: [Double]
  let options: FitOptions
  let episodeOf: [Int]
  let starts: [Hyperparameters]
  /// Of an earlier fit.
  let earlier: [Hyperparameters]
  let what: String

  private func subset(_ count: Int) -> (x: Matrix, y: [Double], blocks: RowBlocks) {
    let rows = evenlySpreadRows(count: x.rows, wanted: count)
    return (
      x.selecting(rows: rows), rows.map { y[$0] },
      RowBlocks(episodeOf: rows.map { episodeOf[$0] })
    )
  }

  /// The best block-out error on the subset.
  func blockOut(_ progress: @escaping (Double) -> Void) throws -> FitResult {
    let part = subset(options.subset)
    let objective = BlockOutError(
      x: part.x, y: part.y, blocks: part.blocks, what: what)
    let best = try climb(
      objective, prior: options.prior, points: part.y.count, from: starts.prefix(1) + earlier,
      iterations: 40,
      progress: progress)
    progress(1)
    return FitResult(
      hyperparameters: best.hyperparameters, noiseProfile: nil, fullEvaluations: 0,
      subsetEvaluations: best.evaluations, hasConverged: best.hasConverged, method: .cholesky,
      unconvergedSolves: 0)
  }

  /// How the noise varies, from residuals of left-out blocks of the subset.
  func noiseProfile(_ h: Hyperparameters) throws -> LocalNoise {
    let part = subset(options.subset)
    let inverse = try MarginalInverse(h, x: part.x, y: part.y, what: what)
    let residuals = try BlockOutResiduals(inverse.q, alpha: inverse.alpha, blocks: part.blocks)
    let squares = zip(residuals.errors, residuals.variances).map { $0 * $0 / $1 }
    let scale = max(squares.reduce(0, +) / Double(squares.count), 1e-6)
    return LocalNoise(
      inputs: part.x, squares: squares.map { $0 / scale }, blocks: part.blocks,
      bandwidths: LocalNoise.profileBandwidths)
  }

  /// The best marginal likelihood on the subset, then a few iterations on all points.
  func likelihood(
    noise: LocalNoise?, from starts: [Hyperparameters], _ progress: @escaping (Double) -> Void
  ) throws -> FitResult {
    let part = subset(options.subset)
    let objective = MarginalLikelihood(
      x: part.x, y: part.y, noiseFactors: noise?.factors(part.x), what: what)
    let best = try climb(
      objective, prior: options.prior, points: part.y.count, from: starts + earlier, iterations: 60
    ) { progress(0.2 * $0) }
    return try refined(
      best, noise: noise, iterations: options.fullIterations
    ) { progress(0.2 + 0.8 * $0) }
  }

  /// One iteration on all points, from an earlier fit.
  func refinement(
    noise: LocalNoise?, of start: Hyperparameters, _ progress: @escaping (Double) -> Void
  ) throws -> FitResult {
    let climb = Climb(hyperparameters: start, evaluations: 0, hasConverged: true)
    return try refined(climb, noise: noise, iterations: 1, progress)
  }

  /// Of logarithms that a subset, or an earlier fit, has found already.
  private static let refiningStep = 0.1

  private func refined(
    _ best: Climb, noise: LocalNoise?, iterations: Int, _ progress: @escaping (Double) -> Void
  ) throws -> FitResult {
    if iterations == 0 {
      return FitResult(
        hyperparameters: best.hyperparameters, noiseProfile: noise, fullEvaluations: 0,
        subsetEvaluations: best.evaluations, hasConverged: best.hasConverged, method: .cholesky,
        unconvergedSolves: 0)
    }
    let method =
      options.likelihood
      ?? .suitable(for: x, covariance: best.hyperparameters.covariance)
    // An iteration is an evaluation or two.
    let expected = Double(iterations + 2)
    var evaluated = 0.0
    func report(_ part: Double) { progress(min(1, (evaluated + part) / expected)) }
    let factors = noise?.factors(x)
    let likelihood: any FitObjective =
      method == .cholesky
      ? MarginalLikelihood(x: x, y: y, noiseFactors: factors, what: what)
      : try IterativeLikelihood(
        x: x, y: y, noiseFactors: factors, method: method, device: options.device,
        progress: { report($0) })
    let result = try maximize(
      likelihood, prior: options.prior, points: x.rows, from: best.hyperparameters,
      iterations: iterations, tolerance: options.tolerance, firstStep: Self.refiningStep
    ) {
      evaluated = Double($0)
      report(0)
    }
    let found = best.hyperparameters.with(vector: result.point)
    return FitResult(
      hyperparameters: found, noiseProfile: noise,
      fullEvaluations: result.evaluations, subsetEvaluations: best.evaluations,
      hasConverged: result.hasConverged, method: method,
      unconvergedSolves: (likelihood as? IterativeLikelihood)?.unconverged ?? 0,
      inverse: try (likelihood as? MarginalLikelihood)?.inverse(at: found))
  }
}

private struct Climb {
  var hyperparameters: Hyperparameters
  var evaluations: Int
  var hasConverged: Bool
}

/// The best end of several starts.
private func climb(
  _ objective: any FitObjective, prior: HyperparameterPrior?, points: Int,
  from starts: [Hyperparameters], iterations: Int,
  progress: @escaping (Double) -> Void
) throws -> Climb {
  var evaluations = 0
  var best: (value: Double, climb: Climb)?
  for start in starts {
    let before = evaluations
    let result = try maximize(
      objective, prior: prior, points: points, from: start, iterations: iterations, tolerance: 1e-6
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
  _ objective: any FitObjective, prior: HyperparameterPrior?, points: Int,
  from start: Hyperparameters, iterations: Int,
  tolerance: Double, firstStep: Double = 1, evaluated: @escaping (Int) -> Void
) throws -> MinimizationResult {
  var evaluations = 0
  // Scaled by 1 / n, so that tolerances mean the same for any amount of data.
  let scale = 1 / Double(points)
  return try minimize(
    from: start.vector, iterations: iterations, tolerance: tolerance, firstStep: firstStep
  ) { vector in
    let h = start.with(vector: vector)
    var (value, gradient) = try objective.evaluate(h)
    if let prior {
      let term = prior.logDensity(h.covariance, logNoiseVariance: h.logNoiseVariance)
      value += term.value
      gradient = zip(gradient, term.gradient).map { $0 + $1 }
    }
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
package func evenlySpreadRows(count: Int, wanted: Int) -> [Int] {
  if count <= wanted { return Array(0..<count) }
  return (0..<wanted).map { ($0 * count + count / 2) / wanted }
}
