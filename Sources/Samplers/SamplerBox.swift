// SPDX-License-Identifier: Apache-2.0
// Where samplers must be good: the box of standardised features that rollouts may visit, and points in it.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra

extension DynamicsModel {
  /// The data's bounds with a tenth of the range added at each end; present actions reach exactly their
  /// limits. Standardised.
  public func samplerBox(actionLimits: [ClosedRange<Double>]) -> [ClosedRange<Double>] {
    zip(form.features, featureBounds).enumerated().map { d, pair in
      let (feature, bounds) = pair
      let (mean, scale) = (featureStandardiser.mean[d], featureStandardiser.scale[d])
      func standardised(_ lower: Double, _ upper: Double) -> ClosedRange<Double> {
        (lower - mean) / scale...(upper - mean) / scale
      }
      switch feature {
      case .action(let j, _):
        return standardised(actionLimits[j].lowerBound, actionLimits[j].upperBound)
      case .sine, .cosine: return standardised(-1, 1)
      case .state:
        let margin = 0.1 * max(bounds.upperBound - bounds.lowerBound, scale)
        return standardised(bounds.lowerBound - margin, bounds.upperBound + margin)
      }
    }
  }

}

extension ProcessGroup {
  /// Most points of KISS-GP's grid: with a root of rank 100 they fill 13 MB an output.
  static let largestGrid = 1 << 15

  /// A box that also holds all training inputs (commands beyond the task's limits).
  func boxWithData(_ box: [ClosedRange<Double>]) -> [ClosedRange<Double>] {
    return box.enumerated().map { axis, range in
      let column = x.column(axis)
      return min(range.lowerBound, column.min() ?? 0)...max(range.upperBound, column.max() ?? 0)
    }
  }

  /// Grid points along each axis for KISS-GP: a quarter of the shortest lengthscale apart, within a budget.
  ///
  /// Throws: `GridError`.
  func gridPoints(_ box: [ClosedRange<Double>]) throws -> [Int] {
    let lengthscales = try processes.map {
      try $0.hyperparameters.covariance.gridStationary(inputs: box.count).lengthscales
    }
    let wanted = box.enumerated().map { axis, range in
      let shortest = lengthscales.map { $0[axis] }.min() ?? 1
      let count = (range.upperBound - range.lowerBound) / (0.25 * shortest)
      return min(max(Int(count.rounded(.up)) + 1, 8), 100)
    }
    return withinBudget(wanted, budget: Self.largestGrid, least: 6, support: 2)
  }

  /// `count` training inputs, evenly spread over the log.
  func spreadInputs(_ count: Int) -> [[Double]] {
    evenlySpreadRows(count: x.rows, wanted: count).map(x.row)
  }
}

/// Fewer points along the finest axes, until all with their `support` are within a budget.
func withinBudget(_ wanted: [Int], budget: Int, least: Int, support: Int) -> [Int] {
  var counts = wanted
  while counts.reduce(1, { $0 * ($1 + support) }) > budget {
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
