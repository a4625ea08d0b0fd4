// SPDX-License-Identifier: Apache-2.0
// z = (x - mean) / scale, channel by channel, and back. The scale is the standard deviation of the
// data, so a standardised channel has mean 0 and deviation 1 on it (paper, section IV-A).

/// An affine map of channels.
package struct Standardiser: Hashable, Sendable, Codable {
  package let mean: [Double]
  /// Positive.
  package let scale: [Double]

  package init(mean: [Double], scale: [Double]) {
    precondition(mean.count == scale.count && scale.allSatisfy { $0 > 0 }, "scales \(scale)")
    self.mean = mean
    self.scale = scale
  }

  /// Mean and standard deviation of rows [n][channels]; a constant channel gets scale 1.
  package init(fitting rows: [[Double]]) {
    precondition(!rows.isEmpty, "no rows to standardise")
    let n = Double(rows.count)
    let channels = rows[0].indices
    let mean = channels.map { c in rows.reduce(0) { $0 + $1[c] } / n }
    scale = channels.map { c in
      let variance = rows.reduce(0) { $0 + ($1[c] - mean[c]) * ($1[c] - mean[c]) } / n
      return variance > 1e-24 * (1 + mean[c] * mean[c]) ? variance.squareRoot() : 1
    }
    self.mean = mean
  }

  package func standardise(_ x: [Double]) -> [Double] {
    x.indices.map { (x[$0] - mean[$0]) / scale[$0] }
  }

  package func restore(_ z: [Double]) -> [Double] {
    z.indices.map { z[$0] * scale[$0] + mean[$0] }
  }
}
