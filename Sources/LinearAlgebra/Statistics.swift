// SPDX-License-Identifier: Apache-2.0

/// The middle value, or the mean of the two in the middle; NaN of none. Infinite values count as values.
public func median(_ values: [Double]) -> Double {
  if values.isEmpty { return .nan }
  let (sorted, half) = (values.sorted(), values.count / 2)
  return values.count % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half])
}

/// Standard errors within which a difference counts as chance.
package let doubtfulStandardErrors = 2.0

/// The standard error of the mean of values; 0 of a single one.
public func standardError(_ values: [Double]) -> Double {
  guard values.count > 1 else { return 0 }
  let n = Double(values.count)
  let mean = values.reduce(0, +) / n
  let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)
  return (variance / n).squareRoot()
}
