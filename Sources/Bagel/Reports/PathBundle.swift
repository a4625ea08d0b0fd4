// SPDX-License-Identifier: Apache-2.0
// Many paths at the same times: mean, quantiles, bounds.

import Execution
import Formulas

/// Paths [B][T] of one quantity.
package struct PathBundle {
  package let paths: [[Double]]
  /// Every time's values in order [T][B].
  private let sorted: [[Double]]

  /// - Parameter paths: at least one, of one length.
  package init(_ paths: [[Double]]) {
    self.paths = paths
    sorted = paths[0].indices.map { k in paths.map { $0[k] }.sorted() }
  }

  /// At every time, the value that a fraction of the paths is below [T].
  package func quantile(_ fraction: Double) -> [Double] {
    sorted.map { $0[Int(fraction * Double($0.count - 1))] }
  }

  package var mean: [Double] { sorted.map { $0.reduce(0, +) / Double($0.count) } }
}

extension BatchTrajectories {
  /// A state of all particles [B][H + 1], times `scale` plus `mean`: in physical units.
  package func paths(of state: Int, mean: Double, scale: Double) -> [[Double]] {
    (0..<particles).map { b in
      (0...horizon).map { k in
        let carry = self.carry(step: k, particle: b)
        return carry[carry.startIndex + state] * scale + mean
      }
    }
  }

  /// Paths of a quantity [particles][steps + 1], physical units.
  ///
  /// - Parameters:
  ///   - quantity: of the states.
  ///   - mean: of the states [S].
  ///   - scale: of the states [S].
  package func paths(of quantity: Quantity, mean: [Double], scale: [Double]) -> [[Double]] {
    if let i = quantity.state { return paths(of: i, mean: mean[i], scale: scale[i]) }
    return (0..<particles).map { b in
      (0...horizon).map { k in
        let carry = self.carry(step: k, particle: b)
        return quantity.value(
          mean.indices.map { carry[carry.startIndex + $0] * scale[$0] + mean[$0] })
      }
    }
  }
}
