// SPDX-License-Identifier: Apache-2.0
// Sums of squares and products of two columns about their means, in two passes: stamps of an epoch are large, and their squares' sums
// would lose what lies about the mean.

/// How two columns go together.
package struct PairMoments {
  /// Sums over rows of (x - mean)^2, (x - mean)(y - mean), (y - mean)^2.
  package private(set) var (xx, xy, yy) = (0.0, 0.0, 0.0)

  /// - Parameters:
  ///   - x: [rows], one at least.
  ///   - y: as many.
  package init(_ x: [Double], _ y: [Double]) {
    let n = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      xy += (a - meanX) * (b - meanY)
      yy += (b - meanY) * (b - meanY)
    }
  }

  /// -1 ... 1; 0 where one does not move.
  package var correlation: Double { xx > 0 && yy > 0 ? xy / (xx * yy).squareRoot() : 0 }
}
