// SPDX-License-Identifier: Apache-2.0
// Where runs along logged actions begin.

import MachineLogs

/// A row of an episode from which predictions begin.
package struct PredictionStart: Hashable, Sendable {
  /// Index of the episode.
  package let episode: Int
  /// The last row that is known.
  package let row: Int

  package init(episode: Int, row: Int) {
    (self.episode, self.row) = (episode, row)
  }

  /// All rows of episodes with so many rows before them, and at least one after.
  package static func all(_ episodes: [Episode], rowsBefore: Int) -> [PredictionStart] {
    episodes.indices.flatMap { e in
      stride(from: rowsBefore, to: episodes[e].count - 1, by: 1).map {
        PredictionStart(episode: e, row: $0)
      }
    }
  }
}
