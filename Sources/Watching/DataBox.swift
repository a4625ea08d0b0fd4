// SPDX-License-Identifier: Apache-2.0
// The box of the data behind a policy: the least and greatest values of its inputs. Well beyond it, model and policy are untested.

import MachineLogs

/// Bounds of data, physical units.
package struct DataBox: Hashable, Sendable {
  package let bounds: [ClosedRange<Double>]

  /// Beyond the data by more than this part of their range is well beyond: noise, and a step over the edge, are not.
  private static let margin = 0.1

  package init(bounds: [ClosedRange<Double>]) { self.bounds = bounds }

  /// Beyond which a value of channel i is well beyond.
  package func edges(of i: Int) -> (lower: Double, upper: Double) {
    let margin = Self.margin * (bounds[i].upperBound - bounds[i].lowerBound)
    return (bounds[i].lowerBound - margin, bounds[i].upperBound + margin)
  }

  /// Whether a value of channel i is well beyond.
  package func isWellBeyond(_ value: Double, of i: Int) -> Bool {
    let edges = edges(of: i)
    return value < edges.lower || value > edges.upper
  }

  /// "-0.6 to 0.72"
  package func words(of i: Int) -> String {
    "\(format(bounds[i].lowerBound)) to \(format(bounds[i].upperBound))"
  }
}
