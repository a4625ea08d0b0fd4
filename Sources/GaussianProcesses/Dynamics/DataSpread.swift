// SPDX-License-Identifier: Apache-2.0
// How far features lie from the data that a model learnt from: the squared distance of Mahalanobis (1936) per dimension, which is 1
// for usual data.

import LinearAlgebra

/// Mean and covariance of a model's standardised features.
package struct DataSpread: Sendable {
  private let mean: [Double]
  /// L^-1 of the covariance plus a ridge.
  private let whitening: Matrix

  /// Of the features' variance: directions in which the data hardly move are no finer than this.
  private static let ridge = 1e-2

  /// - Parameter z: standardised features [n, D].
  /// - Throws: `FactorizationError`.
  package init(_ z: Matrix) throws {
    let n = Double(z.rows)
    mean = (0..<z.columns).map { z.column($0).reduce(0, +) / n }
    var centred = z
    for i in 0..<z.rows { for d in 0..<z.columns { centred[i, d] -= mean[d] } }
    var covariance = centred.times(centred, transposingFirst: true)
    for i in covariance.values.indices { covariance.values[i] /= n }
    for d in 0..<z.columns { covariance[d, d] += Self.ridge }
    whitening = try Cholesky(covariance, what: "covariance of features").inverseLower()
  }

  /// Squared distances per dimension [m] of features [m, D].
  package func distances(_ z: Matrix) -> [Double] {
    var centred = z
    for i in 0..<z.rows { for d in 0..<z.columns { centred[i, d] -= mean[d] } }
    let white = centred.times(whitening, transposingSecond: true)
    return (0..<z.rows).map { i in
      white.row(i).reduce(0) { $0 + $1 * $1 } / Double(max(z.columns, 1))
    }
  }
}
