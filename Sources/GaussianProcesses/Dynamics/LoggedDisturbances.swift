// SPDX-License-Identifier: Apache-2.0
// What disturbed a machine while it was logged: rollouts go along such stretches. In: episodes with disturbances [T, W]. Out:
// rows, and to which uninterrupted stretch each belongs; pieces of the episodes, evenly spread, where these are long.

import LinearAlgebra
import MachineLogs

/// Rows of logged disturbances.
package struct LoggedDisturbances: Hashable, Sendable {
  /// [n][W], physical units.
  package let rows: [[Double]]
  /// Number of the stretch of each row [n], ascending.
  let stretchOf: [Int]

  /// Rows that are kept, at most, and those of one piece of a longer episode.
  private static let mostRows = 100_000
  private static let longestPiece = 5_000

  init(rows: [[Double]] = [], stretchOf: [Int] = []) {
    (self.rows, self.stretchOf) = (rows, stretchOf)
  }

  init(_ episodes: [Episode]) {
    let pieces = episodes.flatMap { episode in
      stride(from: 0, to: episode.disturbances.count, by: Self.longestPiece).map { first in
        episode.disturbances[first..<min(first + Self.longestPiece, episode.count)]
      }
    }
    let count = pieces.reduce(0) { $0 + $1.count }
    let most = count <= Self.mostRows ? pieces.count : pieces.count * Self.mostRows / count
    let kept = evenlySpreadRows(count: pieces.count, wanted: max(most, 1)).map { pieces[$0] }
    rows = kept.flatMap { $0 }
    stretchOf = kept.enumerated().flatMap { number, piece in piece.map { _ in number } }
  }

  /// Of the disturbances [W]: what policies see them by.
  package var standardiser: Standardiser {
    rows.isEmpty ? Standardiser(mean: [], scale: []) : Standardiser(fitting: rows)
  }

  /// Of the disturbances [W], physical units.
  package var bounds: [ClosedRange<Double>] { rows.isEmpty ? [] : columnBounds(of: rows) }

  /// The rows of each stretch.
  package var stretches: [Range<Int>] {
    var starts = rows.indices.filter { $0 == 0 || stretchOf[$0] != stretchOf[$0 - 1] }
    starts.append(rows.count)
    return zip(starts, starts.dropFirst()).map { $0..<$1 }
  }
}
