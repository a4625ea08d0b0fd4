// SPDX-License-Identifier: Apache-2.0
// The exact posterior of one output (paper, equations 2-3; the variance is that of the latent function):
//
//   mean(x) = h(x)^T beta + k(x, X) alpha,   variance(x) = k(x, x) - ||L^-1 k(X, x)||^2

import LinearAlgebra

/// A Gaussian process conditioned on data: exactly, or through inducing points where there are many data.
package struct GaussianProcess: Sendable {
  package let hyperparameters: Hyperparameters
  /// Training inputs [n, D], standardised.
  package let x: Matrix
  /// Training targets [n], standardised; of a refined process those whose posterior has its mean.
  package let y: [Double]
  /// Coefficients of the mean's basis [q].
  package let meanCoefficients: [Double]
  /// log p of the data's targets, nats: of a refined process that of one step.
  package private(set) var logMarginalLikelihood: Double
  /// Whether its targets are not the data's but those that a refined mean has.
  private(set) var isRefined = false
  /// The noise variance at x is c(x) sn2; nil where it is the same everywhere.
  package let noiseProfile: LocalNoise?
  /// c at the training inputs [n].
  package let noiseFactors: [Double]
  /// Factor on the predictive variance of observations, from residuals of left-out blocks; nil for none.
  package internal(set) var calibration: LocalNoise?
  private let conditioning: Conditioning

  private enum Conditioning {
    case exact(ExactConditioning)
    case lowRank(LowRankPosterior)
  }

  /// Beyond this many points the Cholesky factor (200 MB) gives way to inducing points.
  package static let largestExact = 5_000

  /// Conditions on data. O(n^3), or O(n r^2) beyond `largestExact` points. Throws: `FactorizationError`,
  /// naming `what`.
  package init(
    _ hyperparameters: Hyperparameters, x: Matrix, y: [Double], noiseProfile: LocalNoise? = nil,
    what: String = "Gaussian process"
  ) throws {
    precondition(x.rows == y.count, "\(x.rows) inputs and \(y.count) targets")
    self.hyperparameters = hyperparameters
    self.x = x
    self.y = y
    self.noiseProfile = noiseProfile
    let factors = noiseProfile?.factors(x) ?? y.map { _ in 1 }
    noiseFactors = factors
    if x.rows <= Self.largestExact {
      let data = try ConditionedData(
        hyperparameters, x: x, y: y, noiseFactors: factors, what: what)
      meanCoefficients = data.coefficients
      logMarginalLikelihood = data.logMarginalLikelihood
      conditioning = .exact(ExactConditioning(alpha: data.alpha, cholesky: data.cholesky))
    } else {
      let posterior = try LowRankPosterior(
        hyperparameters, x: x, y: y, noiseFactors: factors)
      meanCoefficients = posterior.meanCoefficients
      logMarginalLikelihood = posterior.logMarginalLikelihood
      conditioning = .lowRank(posterior)
    }
  }

  /// The same process with a mean that is k(x, x_rows) weights, without a mean function: conditioned on the targets that have this
  /// mean, K weights + N weights. Whatever draws from the posterior draws about it. Its variances grow by the factor by which its
  /// squared errors at the data do.
  ///
  /// - Parameters:
  ///   - rows: of the training inputs.
  ///   - weights: one per row.
  ///   - what: named in errors.
  /// - Throws: `FactorizationError`.
  func replacingMean(rows: [Int], weights: [Double], what: String) throws -> GaussianProcess {
    precondition(hyperparameters.mean == .zero, "a mean function has targets of its own")
    let mean = hyperparameters.covariance.matrix(x, x.selecting(rows: rows)).times(weights)
    let before = predict(x)
    let variances = observedVariance(x, latent: before.variance)
    func squares(_ mean: [Double]) -> Double {
      mean.indices.reduce(0) { $0 + (y[$1] - mean[$1]) * (y[$1] - mean[$1]) / variances[$1] }
    }
    let growth = max(squares(mean) / max(squares(before.mean), 1e-300), 1)
    var targets = mean
    for (row, weight) in zip(rows, weights) {
      targets[row] += (hyperparameters.noiseVariance * noiseFactors[row] + jitter) * weight
    }
    var process = try GaussianProcess(
      hyperparameters.scaled(by: growth), x: x, y: targets, noiseProfile: noiseProfile, what: what)
    process.calibration = calibration
    process.keepLikelihood(logMarginalLikelihood)
    return process
  }

  /// Marks a process as refined: its targets are not the data's, its likelihood is.
  mutating func keepLikelihood(_ value: Double) {
    (isRefined, logMarginalLikelihood) = (true, value)
  }

  /// The exact posterior's factors; nil beyond `largestExact` points.
  package var exact: ExactConditioning? {
    if case .exact(let exact) = conditioning { return exact }
    return nil
  }

  /// The posterior through inducing points; nil up to `largestExact` points.
  package var lowRank: LowRankPosterior? {
    if case .lowRank(let posterior) = conditioning { return posterior }
    return nil
  }

  /// Jitter that a factorisation needed; 0 almost always.
  package var jitter: Double { exact?.cholesky.jitter ?? lowRank?.jitter ?? 0 }

  /// The standard deviation of the prior about its mean function.
  package var signalDeviation: Double {
    let variances = hyperparameters.covariance.diagonal(x)
    return (variances.reduce(0, +) / Double(variances.count)).squareRoot()
  }

  /// Whether nothing but noise was looked for (`LinearFit.alone`).
  package var isNoise: Bool { hyperparameters == .noise(inputs: x.columns) }

  /// What errors of the mean are measured by: the signal's deviation, but at least a tenth of the output's own (which is
  /// 1), below which the prior mean tells nearly all.
  package var signalScale: Double { max(signalDeviation, 0.1) }

  /// h(x_i)^T beta [m].
  package func priorMean(_ points: Matrix) -> [Double] {
    hyperparameters.mean.values(points, meanCoefficients)
  }

  /// The prior mean as b + a^T x, whatever its basis: b, and a [D].
  package var priorMeanLine: (constant: Double, slopes: [Double]) {
    let all = meanCoefficients + Array(repeating: 0, count: 1 + x.columns - meanCoefficients.count)
    return (all[0], Array(all.dropFirst()))
  }

  /// y - H beta [n].
  package var residuals: [Double] { zip(y, priorMean(x)).map { $0 - $1 } }

  /// Posterior mean and latent variance at `points` [m, D].
  package func predict(_ points: Matrix) -> (mean: [Double], variance: [Double]) {
    switch conditioning {
    case .exact(let exact): exact.predict(self, points)
    case .lowRank(let posterior): posterior.predict(points)
    }
  }
}

/// What conditioning on all data gives (equations 2-3).
package struct ExactConditioning: Sendable {
  /// (K + sn2 I)^-1 (y - H beta) [n]
  package let alpha: [Double]
  /// K + sn2 I = L L^T
  package let cholesky: Cholesky

  /// O(n^2 m), in blocks of 1,024 points. A variance that rounding makes negative is raised to 0.
  func predict(
    _ process: GaussianProcess, _ points: Matrix
  ) -> (mean: [Double], variance: [Double]) {
    var mean = process.priorMean(points)
    let covariance = process.hyperparameters.covariance
    var variance = covariance.diagonal(points)
    for start in stride(from: 0, to: points.rows, by: 1_024) {
      let rows = start..<min(start + 1_024, points.rows)
      let block = points.selecting(rows: Array(rows))
      let cross = covariance.matrix(process.x, block)
      for (offset, value) in cross.times(alpha, transposed: true).enumerated() {
        mean[start + offset] += value
      }
      let white = cholesky.solveLower(cross)
      white.values.withUnsafeBufferPointer { v in
        for i in 0..<white.rows {
          for j in 0..<white.columns {
            variance[start + j] -= v[i * white.columns + j] * v[i * white.columns + j]
          }
        }
      }
    }
    return (mean, variance.map { max($0, 0) })
  }
}
