// SPDX-License-Identifier: Apache-2.0
// E[r(x)] of x ~ N(m, S) in closed form, as programs.

import MachineLogs
import Programs

/// The expectation of a reward over a Gaussian state (standardised).
package struct ExpectedReward: Sendable {
  /// Mean [S] and covariance of the state, the goal [S] -> the expectation.
  let body: @Sendable (_ mean: Value, _ covariance: ScalarMatrix, _ goal: Value) -> Value

  /// Of exp(-(x - g)^T Q (x - g) / (2 width^2)), Q = diag(weights) on standardised states (paper, equation 8):
  /// |I + W S W|^-1/2 exp(-|(I + W S W)^-1/2 W (m - g)|^2 / 2), W = Q^1/2 / width (Deisenroth 2010, section 3.6.1).
  package static func saturating(weights: [Double], width: Double = 1) -> ExpectedReward {
    let roots = weights.map { $0.squareRoot() / width }
    return ExpectedReward { mean, covariance, goal in
      let counted = roots.indices.filter { roots[$0] > 0 }
      let spread = ScalarMatrix(rows: counted.count, columns: counted.count) { i, j in
        let scaled =
          roots[counted[i]] * roots[counted[j]] * covariance[counted[i], counted[j]]
        return i == j ? 1 + scaled : scaled
      }
      let lower = spread.choleskyRows()
      let error = mean - goal
      var whitened: [Value] = []
      for (i, state) in counted.enumerated() {
        let known = whitened.indices.map { lower[i][$0] * whitened[$0] }
        let target = roots[state] * error[state]
        whitened.append((known.isEmpty ? target : target - known.sum) / lower[i][i])
      }
      let determinant = lower.indices.dropFirst().reduce(lower[0][0]) { $0 * lower[$1][$1] }
      return exp(-0.5 * whitened.map { $0 * $0 }.sum) / determinant
    }
  }
}
