// SPDX-License-Identifier: Apache-2.0
// The region in which samplers must be accurate: the box of standardised features that rollouts may visit, and points in it.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra

extension DynamicsModel {
  /// The data's bounds with a tenth of the range added at each end; actions reach exactly their
  /// limits, disturbances the data's bounds. Standardised.
  package func samplerBox(actionLimits: [ClosedRange<Double>]) -> [ClosedRange<Double>] {
    zip(form.features, featureBounds).enumerated().map { d, pair in
      let (feature, bounds) = pair
      let (mean, scale) = (featureStandardiser.mean[d], featureStandardiser.scale[d])
      func standardised(_ lower: Double, _ upper: Double) -> ClosedRange<Double> {
        (lower - mean) / scale...(upper - mean) / scale
      }
      switch feature {
      case .disturbance:
        // Rollouts go along logged ones; a grid wants a range.
        let margin = bounds.lowerBound < bounds.upperBound ? 0 : 0.5 * scale
        return standardised(bounds.lowerBound - margin, bounds.upperBound + margin)
      case .action(let j, _), .filteredAction(let j, _):
        return standardised(actionLimits[j].lowerBound, actionLimits[j].upperBound)
      case .sine, .cosine: return standardised(-1, 1)
      case .state, .formula:
        let margin = 0.1 * max(bounds.upperBound - bounds.lowerBound, scale)
        return standardised(bounds.lowerBound - margin, bounds.upperBound + margin)
      }
    }
  }
}

extension ProcessGroup {
  /// `count` training inputs, evenly spread over the log.
  func spreadInputs(_ count: Int) -> [[Double]] {
    evenlySpreadRows(count: x.rows, wanted: count).map(x.row)
  }
}

/// Fewer points along the finest axes, until all with two for the stencil are within a budget.
func withinBudget(_ wanted: [Int], budget: Int, least: Int) -> [Int] {
  var counts = wanted
  while counts.reduce(1, { $0 * ($1 + 2) }) > budget {
    guard let axis = counts.indices.max(by: { counts[$0] < counts[$1] }), counts[axis] > least
    else { break }
    counts[axis] = max(least, counts[axis] * 19 / 20)
  }
  return counts
}

/// Points spread uniformly over a box, the same every time.
func randomPoints(_ box: [ClosedRange<Double>], count: Int, seed: UInt64 = 1) -> [[Double]] {
  (0..<count).map { index in
    zip(
      box,
      DrawKey(seed: seed, stream: .samplerPoints).uniforms(
        particle: index, step: 0, count: box.count)
    ).map {
      $0.lowerBound + ($0.upperBound - $0.lowerBound) * $1
    }
  }
}
