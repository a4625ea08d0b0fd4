// SPDX-License-Identifier: Apache-2.0
// Many paths at the same times: mean, quantiles, bounds.

import Execution

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

  /// A state of all particles, in physical units.
  package init(_ rollouts: BatchTrajectories, state: Int, mean: Double, scale: Double) {
    self.init(
      (0..<rollouts.particles).map { b in
        (0...rollouts.horizon).map { k in
          let carry = rollouts.state(step: k, particle: b)
          return carry[carry.startIndex + state] * scale + mean
        }
      })
  }

  /// At every time, the value that a fraction of the paths is below [T].
  package func quantile(_ fraction: Double) -> [Double] {
    sorted.map { $0[Int(fraction * Double($0.count - 1))] }
  }

  package var mean: [Double] { sorted.map { $0.reduce(0, +) / Double($0.count) } }
}
