// SPDX-License-Identifier: Apache-2.0

import Foundation

/// The middle value, or the mean of the two in the middle; NaN of none. Infinite values count as values.
package func median(_ values: [Double]) -> Double {
  if values.isEmpty { return .nan }
  let (sorted, half) = (values.sorted(), values.count / 2)
  return values.count % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half])
}

/// Standard errors within which a difference counts as chance.
package let doubtfulStandardErrors = 2.0

/// The standard error of the mean of values; 0 of a single one.
package func standardError(_ values: [Double]) -> Double {
  guard values.count > 1 else { return 0 }
  let n = Double(values.count)
  let mean = values.reduce(0, +) / n
  let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
  return (variance / n).squareRoot()
}

/// The upper bound of a probability of which `count` of `trials` independent trials are seen, one-sided (Clopper and Pearson 1934):
/// the probability at which so few or fewer are seen with 1 - `confidence`.
package func binomialUpperBound(count: Int, trials: Int, confidence: Double = 0.95) -> Double {
  guard count < trials else { return 1 }
  let n = Double(trials)
  /// log P(K <= count), its largest term taken out; terms by their ratio.
  func logCumulative(_ p: Double) -> Double {
    let logOdds = log(p) - log1p(-p)
    var (term, terms) = (n * log1p(-p), [n * log1p(-p)])
    for k in 0..<count {
      term += log((n - Double(k)) / Double(k + 1)) + logOdds
      terms.append(term)
    }
    let largest = terms.max() ?? 0
    return largest + log(terms.reduce(0) { $0 + exp($1 - largest) })
  }
  var (low, high) = (Double(count) / n, 1.0)
  let wanted = log(1 - confidence)
  for _ in 0..<60 {
    let middle = 0.5 * (low + high)
    if middle <= 0 || logCumulative(middle) > wanted { low = middle } else { high = middle }
  }
  return high
}

/// The same of trials in clusters, `designEffect` of which are worth one independent one (Korn and Graubard 1998): of `count / designEffect` of
/// `trials / designEffect`, rounded to the side of a larger bound.
package func binomialUpperBound(
  count: Int, trials: Int, confidence: Double = 0.95, designEffect: Double
) -> Double {
  binomialUpperBound(
    count: Int((Double(count) / designEffect).rounded(.up)),
    trials: Int(Double(trials) / designEffect), confidence: confidence)
}
