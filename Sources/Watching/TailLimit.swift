// SPDX-License-Identifier: Apache-2.0
// A limit that a statistic passes once in so many rows, from far fewer rows: peaks over a threshold (Pickands 1975), with an
// exponential tail, which sums of squares and of log likelihood ratios have.
//
//   peaks above u have the mean excess mu:   P(peak > h) = exp(-(h - u) / mu),   h = u + mu log(wanted rows peaks / rows)
//
// Statistics in units of log likelihood have mu = 1 where the model is right, and more where it is not.

import Foundation

/// The limit of a statistic.
///
/// - Parameters:
///   - series: the statistic over the rows of a log, episodes apart.
///   - rows: in which it may be passed once, on average.
/// - Returns: infinite without rows.
package func tailLimit(_ series: [[Double]], rows: Double) -> Double {
  /// Below this part of the rows lies the threshold.
  let quantile = 0.9
  let sorted = series.joined().sorted()
  guard !sorted.isEmpty else { return .infinity }
  let threshold = sorted[Int(quantile * Double(sorted.count - 1))]
  // A stretch above the threshold counts once, by its highest value.
  var peaks: [Double] = []
  for values in series {
    var peak: Double?
    for value in values + [-.infinity] {
      if value > threshold {
        peak = max(peak ?? value, value)
      } else if let highest = peak {
        peaks.append(highest)
        peak = nil
      }
    }
  }
  let count = Double(max(peaks.count, 1))
  let mean = peaks.reduce(0) { $0 + $1 - threshold } / count
  // How far the excess lies above 1 is estimated from few peaks; its upper bound, right in 95 of 100 logs, counts.
  let excess = max(1, 1 + exponentialUpperFactor(count) * (mean - 1))
  return threshold + excess * log(max(rows * count / Double(sorted.count), 1))
}

/// The upper 95 % bound of an exponential mean over its estimate from n values: 2 n / chi-square(0.05; 2 n), by Wilson and Hilferty (1931).
private func exponentialUpperFactor(_ n: Double) -> Double {
  let part = 2 / (9 * 2 * n)
  let root = 1 - part - 1.645 * part.squareRoot()
  return 1 / max(root * root * root, 0.05)
}
