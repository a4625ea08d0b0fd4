// SPDX-License-Identifier: Apache-2.0
// LOVE (Pleiss, Gardner, Weinberger, Wilson 2018): (K + sn2 I)^-1 ~ S S^T from r Lanczos steps, so that
//
//   variance(x) = k(x, x) - ||S^T k(X, x)||^2   at O(n r) in place of O(n^2)
//
// It is never below the exact variance. Columns are added until those of the last step changed no more at the
// probe points than the tolerance allows, or up to a given rank.

import LinearAlgebra

/// How many columns a root gets.
package enum RankChoice: Hashable, Sendable {
  /// Until `checkInterval` more columns move the RMS of the deviation at the probes by less than this
  /// (in predictive deviations of an observation), at most `largest`.
  case tolerance(Double, largest: Int)
  case rank(Int)

  static let checkInterval = 10

  var capacity: Int {
    switch self {
    case .tolerance(_, let largest): largest
    case .rank(let rank): rank
    }
  }
}

/// Where the rank is judged: prior variances and how a column of S reduces them.
struct VarianceProbes {
  /// k(x_p, x_p) [p]
  let prior: [Double]
  let noise: Double
  /// What is kept of a column s [n]: itself, or its covariance with a grid.
  let cache: ([Double]) -> [Double]
  /// s^T k(X, x_p) [p] from what is kept.
  let projection: ([Double]) -> [Double]
}

/// What the probes keep of the columns of the root S [n, r] of `a`^-1.
///
/// - Parameter start: b [n] of the Krylov space; LOVE takes the mean covariance of data and probes.
func lanczosVarianceRoot(
  _ a: some SymmetricOperator, start: [Double], probes: VarianceProbes, choice: RankChoice
) -> [[Double]] {
  var lanczos = LanczosRoot(start: start, capacity: min(choice.capacity, a.size))
  var columns: [[Double]] = []
  var variance = probes.prior
  var before = variance
  while let column = lanczos.column(a) {
    let kept = probes.cache(column)
    columns.append(kept)
    for (i, c) in probes.projection(kept).enumerated() { variance[i] -= c * c }
    guard case .tolerance(let tolerance, _) = choice else { continue }
    if columns.count % RankChoice.checkInterval == 0 {
      let moved = zip(before, variance).reduce(0) { sum, pair in
        let (old, new) = (max(pair.0, 0), max(pair.1, 0))
        let change = (old.squareRoot() - new.squareRoot()) / (new + probes.noise).squareRoot()
        return sum + change * change
      }
      if (moved / Double(variance.count)).squareRoot() < tolerance { break }
      before = variance
    }
  }
  return columns
}
