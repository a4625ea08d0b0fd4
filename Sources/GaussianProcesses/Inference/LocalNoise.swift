// SPDX-License-Identifier: Apache-2.0
// Noise that depends on the machine's state: low at rest, high in fast motion. From the squared residuals z_i^2
// of rows predicted without their block, in units of their predicted variance, smoothed under a scaled inverse
// chi-square prior of 3 degrees of freedom and scale 1 (the posterior mean of a local variance):
//
//   c(x) = (3 + sum_i w_i z_i^2) / (3 + sum_i w_i - 2),   w_i = exp(-|x - x_i|^2 / 2 h^2)
//   variance of an observation at x = c(x) (latent variance + sn2)
//
// Far from the data c is 3. The bandwidth h is the one under which the z_i are most probable, each judged without
// its own block.

import Foundation
import LinearAlgebra

/// A factor on the predictive variance.
package struct LocalNoise: Hashable, Sendable {
  /// Inputs [k, D], standardised, and their z^2 [k].
  package let inputs: Matrix
  package let squares: [Double]
  /// h in standard deviations of the inputs; nil for the same factor everywhere.
  package let bandwidth: Double?

  /// nu
  package static let priorWeight = 3.0
  /// Candidates for the profile that hyperparameters are learnt with, and for the calibration of predictions.
  static let profileBandwidths: [Double?] = [0.5, 1, 2, nil]
  static let calibrationBandwidths: [Double?] = [0.25, 0.5, 1, 2, nil]
  /// At most this many rows are kept.
  static let largest = 2_000

  package init(inputs: Matrix, squares: [Double], bandwidth: Double?) {
    precondition(inputs.rows == squares.count, "\(inputs.rows) inputs, \(squares.count) squares")
    (self.inputs, self.squares, self.bandwidth) = (inputs, squares, bandwidth)
  }

  /// Chooses one of the bandwidths. O(k^2).
  init(inputs: Matrix, squares: [Double], blocks: RowBlocks, bandwidths: [Double?]) {
    var best = (score: Double.infinity, bandwidth: Double?.none)
    for bandwidth in bandwidths {
      var weights = Self.weights(inputs, inputs, bandwidth)
      for block in blocks.ranges {
        for i in block { for j in block { weights[i, j] = 0 } }
      }
      let score = zip(Self.factors(weights, squares), squares).reduce(0) {
        $0 + log($1.0) + $1.1 / $1.0
      }
      if score < best.score { best = (score, bandwidth) }
    }
    self.init(inputs: inputs, squares: squares, bandwidth: best.bandwidth)
  }

  /// c at points [m, D], in blocks of 2,048. O(m k).
  package func factors(_ points: Matrix) -> [Double] {
    if bandwidth == nil { return Array(repeating: constantFactor, count: points.rows) }
    return stride(from: 0, to: points.rows, by: 2_048).flatMap { start -> [Double] in
      let block = points.selecting(rows: Array(start..<min(start + 2_048, points.rows)))
      return Self.factors(Self.weights(block, inputs, bandwidth), squares)
    }
  }

  /// c where it is the same everywhere (no bandwidth).
  package var constantFactor: Double {
    (Self.priorWeight + squares.reduce(0, +))
      / (Self.priorWeight - 2 + Double(squares.count))
  }

  private static func weights(_ x: Matrix, _ z: Matrix, _ bandwidth: Double?) -> Matrix {
    guard let bandwidth else { return Matrix(rows: x.rows, columns: z.rows, repeating: 1) }
    return StationaryCovariance(
      .squaredExponential, lengthscales: Array(repeating: bandwidth, count: x.columns),
      signalVariance: 1
    ).matrix(x, z, lowerTriangleOnly: false)
  }

  private static func factors(_ weights: Matrix, _ squares: [Double]) -> [Double] {
    let sums = weights.times(squares)
    let counts = weights.times(squares.map { _ in 1 })
    return zip(sums, counts).map { (priorWeight + $0) / (priorWeight + $1 - 2) }
  }
}

extension GaussianProcess {
  /// Conditions on data and calibrates predictive variances on residuals of rows predicted without their block: a common
  /// factor on signal and noise variance, and a local one.
  ///
  /// `inverse` is theirs, where it is known. Beyond `largestExact` points the plain residuals take their place: with so many data a block weighs nothing.
  /// Throws: `FactorizationError`.
  init(
    calibrating h: Hyperparameters, x: Matrix, y: [Double], noiseProfile: LocalNoise?,
    episodeOf: [Int], inverse: MarginalInverse? = nil, what: String
  ) throws {
    let rows = evenlySpreadRows(count: x.rows, wanted: LocalNoise.largest)
    let squares: [Double]
    if x.rows <= Self.largestExact {
      let inverse =
        try inverse
        ?? MarginalInverse(h, x: x, y: y, noiseFactors: noiseProfile?.factors(x), what: what)
      let residuals = try BlockOutResiduals(
        inverse.q, alpha: inverse.alpha, blocks: RowBlocks(episodeOf: episodeOf))
      squares = rows.map { residuals.errors[$0] * residuals.errors[$0] / residuals.variances[$0] }
    } else {
      let process = try GaussianProcess(h, x: x, y: y, noiseProfile: noiseProfile, what: what)
      let points = x.selecting(rows: rows)
      let prediction = process.predict(points)
      let variances = process.observedVariance(points, latent: prediction.variance)
      squares = rows.indices.map { k in
        let error = y[rows[k]] - prediction.mean[k]
        return error * error / variances[k]
      }
    }
    let scale = max(squares.reduce(0, +) / Double(rows.count), 1e-6)
    try self.init(h.scaled(by: scale), x: x, y: y, noiseProfile: noiseProfile, what: what)
    calibration = LocalNoise(
      inputs: x.selecting(rows: rows), squares: squares.map { $0 / scale },
      blocks: RowBlocks(episodeOf: rows.map { episodeOf[$0] }),
      bandwidths: LocalNoise.calibrationBandwidths)
  }

  /// Noise variances at points.
  package func noiseVariance(_ points: Matrix) -> [Double] {
    let noise = hyperparameters.noiseVariance
    return noiseProfile?.factors(points).map { $0 * noise }
      ?? Array(repeating: noise, count: points.rows)
  }

  /// What observations add to a known latent value: the calibrated noise variances at points.
  package func addedVariance(_ points: Matrix, share: Double = 1) -> [Double] {
    observedVariance(points, latent: Array(repeating: 0, count: points.rows), share: share)
  }

  /// Variances of observations at points where the latent variances are known.
  ///
  /// - Parameters:
  ///   - points: [m, D].
  ///   - latent: [m].
  ///   - share: of the noise's deviation that counts (`ProcessNoise`).
  package func observedVariance(
    _ points: Matrix, latent: [Double], share: Double = 1
  ) -> [Double] {
    let variances = zip(latent, noiseVariance(points)).map { $0 + share * share * $1 }
    guard let calibration else { return variances }
    return zip(calibration.factors(points), variances).map { $0 * $1 }
  }
}
