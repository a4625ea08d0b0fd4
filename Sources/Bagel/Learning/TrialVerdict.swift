// SPDX-License-Identifier: Apache-2.0
// When a trial of the loop is solved: one success may be luck, so as many episodes are driven as the task evaluates over
// (`evaluate: {episodes: ...}`), with other starts, goals and noise, and nine in ten must succeed. In: the record. Out: what
// is known so far. A function of the record alone: an interrupted judging continues where it stopped.

/// What is known of a trial.
package struct TrialVerdict: Hashable, Sendable {
  /// Episodes that ran so far, the trial's own among them; those that the plant broke off do not count.
  package let episodes: Int
  package let successes: Int
  /// Episodes that judge a trial.
  package let wanted: Int
  /// Whether the trial's own episode succeeded; without it no other is driven.
  let isWorthJudging: Bool

  /// Successes that make it solved: nine in ten, rounded.
  package var fewest: Int { Int((0.9 * Double(wanted)).rounded()) }

  /// Whether further episodes can still change it.
  package var isOpen: Bool {
    isWorthJudging && episodes < wanted && episodes - successes <= wanted - fewest
  }

  package var isSolved: Bool { isWorthJudging && episodes >= wanted && successes >= fewest }

  /// "7 of 8 episodes succeed"
  package var words: String {
    "\(successes) of \(episodes) \(episodes == 1 ? "episode succeeds" : "episodes succeed")"
  }
}

extension EpisodeRecord {
  /// A trial's own episode.
  var isTrial: Bool { trial > 0 && judging == nil }
}

extension LoopRecord {
  /// The episodes that judge the last trial of the task as it is, its own first; none before the first trial.
  package var lastTrialEpisodes: [EpisodeRecord] {
    guard let last = judgedTrials.last, last.failure == nil else { return [] }
    return episodes.dropFirst(episodesBefore).filter {
      $0.trial == last.trial && $0.failure == nil
    }
  }

  /// Errors of the responses of those episodes [responses][tracked].
  package var lastTrialErrors: [[Double]] {
    lastTrialEpisodes.flatMap { $0.responseErrors ?? [] }
  }

  /// What is known of the last trial; nil before the first, and where the plant broke it off.
  ///
  /// - Parameter wanted: episodes that judge a trial.
  package func verdict(over wanted: Int) -> TrialVerdict? {
    let driven = lastTrialEpisodes
    guard let own = driven.first else { return nil }
    // A record of before there was judging says of a trial only whether it was solved.
    guard let success = own.isSuccess else {
      return TrialVerdict(
        episodes: 1, successes: own.isSolved ? 1 : 0, wanted: 1, isWorthJudging: own.isSolved)
    }
    return TrialVerdict(
      episodes: driven.count, successes: driven.count { $0.isSuccess == true }, wanted: wanted,
      isWorthJudging: success)
  }

  /// Adds an episode and, where it is the one that decides, the verdict on its trial.
  mutating func add(_ episode: EpisodeRecord, over wanted: Int) {
    episodes.append(episode)
    guard let verdict = verdict(over: wanted), !verdict.isOpen,
      let own = episodes.lastIndex(where: \.isTrial)
    else { return }
    episodes[own].isSolved = verdict.isSolved
  }
}
