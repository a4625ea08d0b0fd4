// SPDX-License-Identifier: Apache-2.0
// The gain of further observations of a process: variances at some points once there are observations at others. They do not depend
// on the observed values (hyperparameters given), so that the value of a drive is known before (D-optimal design and its
// relatives: MacKay 1992, Information-based objective functions for active data selection).
//
//   c(a, b) = k(a, b) - k(a, X) (K + sn2 I)^-1 k(X, b),    variance'(p) = c(p, p) - c(p, Z) (c(Z, Z) + sn2 I)^-1 c(Z, p)

import LinearAlgebra

/// Variances of a process at fixed points, with more observations.
package struct ObservationGain: Sendable {
  private let process: GaussianProcess
  private let exact: ExactConditioning
  private let points: Matrix
  /// L^-1 k(X, points) [n, m]
  private let white: Matrix
  /// Latent variances now [m].
  package let variances: [Double]

  /// Of a process on many data, so many rows, evenly spread, stand for them.
  private static let mostRows = 2_000

  /// - Parameters:
  ///   - process: with its data.
  ///   - points: where its variance matters [m, D], standardised.
  /// - Throws: `FactorizationError`.
  package init(_ process: GaussianProcess, at points: Matrix) throws {
    var process = process
    if process.exact == nil || process.x.rows > Self.mostRows {
      let rows = evenlySpreadRows(count: process.x.rows, wanted: Self.mostRows)
      process = try GaussianProcess(
        process.hyperparameters, x: process.x.selecting(rows: rows), y: rows.map { process.y[$0] },
        noiseProfile: process.noiseProfile)
    }
    guard let exact = process.exact else { preconditionFailure("\(process.x.rows) rows are few") }
    (self.process, self.exact, self.points) = (process, exact, points)
    white = exact.cholesky.solveLower(
      process.hyperparameters.covariance.matrix(process.x, points))
    variances = process.predict(points).variance
  }

  /// Latent variances [m] once there are observations at z [c, D] too, standardised. O(n^2 c).
  ///
  /// Throws: `FactorizationError`.
  package func variances(observing z: Matrix) throws -> [Double] {
    let covariance = process.hyperparameters.covariance
    let whiteZ = exact.cholesky.solveLower(covariance.matrix(process.x, z))
    var among = covariance.matrix(z, z) - whiteZ.times(whiteZ, transposingFirst: true)
    let factors = process.noiseProfile?.factors(z) ?? Array(repeating: 1, count: z.rows)
    for i in 0..<z.rows {
      among.values[i * z.rows + i] += process.hyperparameters.noiseVariance * factors[i]
    }
    let cross = covariance.matrix(z, points) - whiteZ.times(white, transposingFirst: true)
    let told = try Cholesky(among, what: "further observations").solveLower(cross)
    var left = variances
    for i in 0..<told.rows {
      for j in left.indices { left[j] -= told[i, j] * told[i, j] }
    }
    return left.map { max($0, 0) }
  }
}
