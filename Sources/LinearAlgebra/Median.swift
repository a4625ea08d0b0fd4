// SPDX-License-Identifier: Apache-2.0

/// The middle value, or the mean of the two in the middle; NaN of none. Infinite values count as values.
public func median(_ values: [Double]) -> Double {
  if values.isEmpty { return .nan }
  let (sorted, half) = (values.sorted(), values.count / 2)
  return values.count % 2 == 1 ? sorted[half] : 0.5 * (sorted[half - 1] + sorted[half])
}
