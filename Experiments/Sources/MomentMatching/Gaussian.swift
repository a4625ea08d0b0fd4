// SPDX-License-Identifier: Apache-2.0
// MomentMatching: PILCO's long-term predictions (Deisenroth & Rasmussen 2011). The state is a Gaussian; a step of the
// closed loop maps its mean and covariance to those of the next state analytically, and the expected return is a
// function of the policy's parameters without any draws. One of the baselines of the paper (section IV-A). In: a
// dynamics model, a policy, an expected reward. Out: the expected return and its gradient.

import LinearAlgebra

/// A normal distribution over vectors.
package struct Gaussian: Hashable, Sendable {
  /// [D]
  package var mean: [Double]
  /// [D, D], symmetric.
  package var covariance: Matrix

  package init(mean: [Double], covariance: Matrix) {
    precondition(
      covariance.rows == mean.count && covariance.columns == mean.count,
      "a covariance of \(covariance.rows) x \(covariance.columns) for \(mean.count) means")
    self.mean = mean
    self.covariance = covariance
  }

  /// Mean and covariance of rows [n][D].
  package init(fitting rows: [[Double]]) {
    let n = Double(rows.count)
    mean = rows[0].indices.map { d in rows.reduce(0) { $0 + $1[d] } / n }
    var sum = Matrix(rows: mean.count, columns: mean.count)
    for row in rows {
      let centred = zip(row, mean).map { $0 - $1 }
      sum += Matrix.outer(centred, centred)
    }
    covariance = (1 / n) * sum
  }
}
