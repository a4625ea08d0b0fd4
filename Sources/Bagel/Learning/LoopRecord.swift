// SPDX-License-Identifier: Apache-2.0
// The record of an interaction loop (loop.json), its messages while it runs, and why it may refuse to continue.

import Faults
import Foundation
import MachineLogs
import Plants
import PolicySearch

/// One finished episode of the loop.
package struct EpisodeRecord: Codable, Hashable, Sendable {
  /// 0 for exploration, then 1, 2, ...
  package var trial: Int
  /// Which of the further episodes that judge its trial, from 1 on; nil for a trial's own episode and for exploration.
  package var judging: Int?
  /// Name of its CSV file in the loop's folder.
  package var log: String
  package var rows: Int
  /// Seconds of computing before the episode; 0 for exploration.
  package var fitSeconds = 0.0
  package var optimizeSeconds = 0.0
  /// The best return on the model, as predicted before the episode.
  package var predictedReturn: Double?
  package var iterations = 0
  package var stepSuccesses = 0
  package var steps = 0
  /// Whether every step of this episode succeeded; nil for exploration and in records of before there was judging.
  package var isSuccess: Bool?
  /// Of a trial's own episode: the verdict over all the episodes that judge the trial.
  package var isSolved = false
  /// Mean |state - goal| at the end of each step, of the first tracked state, physical units.
  package var steadyStateErrors: [Double] = []
  /// The same of every tracked state [steps][tracked]; nil in records of before this was kept.
  package var responseErrors: [[Double]]?
  /// Why it ended before its time.
  package var earlyEnd: String?
  /// Whether a state or quantity outside its limits ended it; nil in records of before this was kept.
  package var hasLeftLimits: Bool?
  /// Why it did not succeed, in words; nil where it did, and in records of before this was kept.
  package var reason: String?
  /// What failed on the plant.
  package var failure: String?

  /// A further episode that succeeds says little that is new, and there may be many: only the others are learnt from.
  package var isLearntFrom: Bool { judging == nil || isSuccess != true }
}

/// Everything that a loop remembers besides its logs, models and policies.
package struct LoopRecord: Codable, Hashable, Sendable {
  package var seed: UInt64
  /// Spread of the plant's parameters at trials.
  package var spread = 0.0
  package var episodes: [EpisodeRecord] = []
  /// Episodes of an earlier form of the task: data, but not judged by the present one.
  package var episodesBefore = 0

  /// The latest episode; a caller's bug before the first.
  package var last: EpisodeRecord { episodes[episodes.count - 1] }
  /// One a trial, its own episode.
  package var trials: [EpisodeRecord] { episodes.filter(\.isTrial) }
  /// Of the task as it is.
  package var judgedTrials: [EpisodeRecord] {
    episodes.dropFirst(episodesBefore).filter(\.isTrial)
  }
  /// Whether the last trial succeeded.
  package var isSolved: Bool { judgedTrials.last?.isSolved ?? false }

  /// Why no loop can have written the record, or nil. Counts and names of a damaged file would be believed.
  ///
  /// - Parameter log: the name of an episode's log, by its index.
  func problem(log: (Int) -> String) -> String? {
    guard (0..<1).contains(spread) else { return "its spread is \(spread)" }
    guard (0...episodes.count).contains(episodesBefore) else {
      return "episodesBefore is \(episodesBefore) of \(episodes.count) episodes"
    }
    var trials = 0
    for (index, episode) in episodes.enumerated() {
      if episode.isTrial { trials += 1 }
      // A trial's own episode has the next number, those that judge it have the same.
      guard episode.trial == (episode.isTrial || episode.judging != nil ? trials : 0) else {
        return "episode \(index) is of trial \(episode.trial)"
      }
      guard episode.log == log(index) else {
        return "the log of episode \(index) is not \(log(index))"
      }
      guard episode.countsAreSound else { return "episode \(index) has impossible counts" }
    }
    return nil
  }
}

extension EpisodeRecord {
  fileprivate var countsAreSound: Bool {
    let counts = 0...1_000_000_000
    return counts.contains(rows) && counts.contains(iterations) && counts.contains(steps)
      && (0...steps).contains(stepSuccesses) && (judging.map { (1...100_000).contains($0) } ?? true)
      && fitSeconds >= 0 && fitSeconds.isFinite && optimizeSeconds >= 0 && optimizeSeconds.isFinite
  }
}

/// What a loop tells while it runs.
package enum LoopEvent {
  /// An episode on the plant has ended, in whatever way; the events below say what becomes of it.
  case drove(EpisodeRun.Outcome)
  /// What to explore next is looked for, by a model so far and a policy on it; from here to `proposed` the machine is at rest.
  case proposing
  case proposed
  /// It was too short to learn from; exploring begins again with other draws.
  case exploringAgain(EpisodeRun.Outcome)
  case explored(LoopRecord, Episode)
  /// A trial begins: from here to `optimized` the machine is at rest.
  case fitting(trial: Int)
  case fitted(trial: Int, FittedModel)
  case searching(trial: Int, SearchState)
  case optimized(trial: Int, OptimizedPolicy)
  /// A trial's own episode; where it succeeds and the task is judged over several, those follow.
  case tried(LoopRecord, EvaluatedEpisode)
  /// One more episode that judges the trial.
  case judged(LoopRecord, EvaluatedEpisode)
  /// The plant failed in the last episode, whose rows are kept; the loop ends with its error.
  case failed(LoopRecord)
}

extension LoopEvent {
  /// One line for people; nil where there is nothing new to say.
  package var words: String? {
    switch self {
    case .drove(let outcome): "drove \(counted(outcome.rows, "row"))"
    case .proposing: "planning the next exploration"
    case .proposed: nil
    case .exploringAgain(let outcome): "exploring again: only \(counted(outcome.rows, "row"))"
    case .explored(let record, _): "explored episode \(record.episodes.count)"
    case .fitting(let trial): "trial \(trial): learning the model"
    case .fitted(let trial, let fit): "trial \(trial): model learnt in \(format(fit.seconds)) s"
    case .searching(let trial, let state):
      "trial \(trial): iteration \(state.iteration), best return \(format(state.bestReturn))"
    case .optimized(let trial, let policy):
      "trial \(trial): policy found in \(format(policy.seconds)) s"
    case .tried(let record, let episode), .judged(let record, let episode):
      "trial \(record.trials.count): \(episode.isSuccess ? "success" : "no success")"
    case .failed: "the plant failed"
    }
  }
}

/// A loop that cannot go on in its folder.
package struct LoopError: Fault {
  package let statement: String
  package let remedy: Remedy?

  package init(_ statement: String, remedy: Remedy? = nil) {
    (self.statement, self.remedy) = (statement, remedy)
  }
}

/// Lines that differ, comments and blanks left out, as "- before" and "+ after".
func changedLines(from before: String, to after: String) -> [String] {
  func lines(_ text: String) -> [String] {
    text.split(separator: "\n").map(String.init).filter {
      let bare = $0.trimmingCharacters(in: .whitespaces)
      return !bare.isEmpty && !bare.hasPrefix("#")
    }
  }
  let difference = lines(after).difference(from: lines(before))
  return difference.map { change in
    switch change {
    case .remove(_, let line, _): "- " + line
    case .insert(_, let line, _): "+ " + line
    }
  }
}
