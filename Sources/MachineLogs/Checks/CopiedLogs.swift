// SPDX-License-Identifier: Apache-2.0
// Logs that are copies of others, whatever their files are called. In: episodes. Out: which have the same rows.

extension Episode {
  /// Whether another has the same states and actions in all its rows, and moves: at rest every log is alike.
  private func hasRows(of other: Episode) -> Bool {
    states == other.states && actions == other.actions && Set(states).count > Self.fewStates
  }

  private static let fewStates = 10

  /// The first of some episodes that has the same rows.
  package func original(among others: some Sequence<Episode>) -> Episode? {
    others.first { hasRows(of: $0) }
  }
}

extension LogLayout {
  /// A sentence for each episode that has the rows of an earlier one.
  package func copies(among episodes: [Episode]) -> [String] {
    episodes.indices.compactMap { index in
      episodes[index].original(among: episodes[..<index]).map {
        "\(episodes[index].name) has the same rows as \($0.name): they count twice; leave one log out"
      }
    }
  }
}
