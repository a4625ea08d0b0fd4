// SPDX-License-Identifier: Apache-2.0
// What a watch is calibrated by, and what it found, as sentences and as keys of the JSON contract.

import Bagel
import Foundation
import LinearAlgebra
import Policies
import Tasks
import Watching

extension Console {
  /// Writes what is usual on the machine into a folder; a log that tells nothing of it is no failure of a fit.
  ///
  /// - Parameters:
  ///   - fit: of the machine.
  ///   - task: what it was fitted for.
  ///   - folder: of a version.
  /// - Throws: `TensorFileError`.
  func writeWatch(_ fit: FittedModel, _ task: ControlTask, in folder: String) throws {
    let path = "\(folder)/\(WatchCalibration.fileName)"
    let calibration: WatchCalibration
    do {
      calibration = try fit.watchCalibration(safeAction: task.safeAction)
    } catch let error as FactorizationError {
      return say("no watch for `bagel run`: \(words(of: error))")
    }
    try calibration.write(to: path)
  }
}

extension Evaluation {
  /// Nine in ten succeed: nothing is wrong with the machine.
  private var isUsual: Bool { !episodes.isEmpty && 10 * successes >= 9 * episodes.count }

  /// Teaches the folder's watch what is usual where this policy drives.
  ///
  /// - Parameters:
  ///   - task: that was evaluated.
  ///   - description: of the policy's file.
  ///   - folder: of the policy's file.
  ///   - console: prints messages.
  /// - Throws: `TensorFileError`.
  func teachWatch(
    _ task: ControlTask, _ description: PolicyDescription, in folder: String, _ console: Console
  ) throws {
    let driven = episodes.filter(\.isSuccess).map(\.episode)
    let widened: WatchCalibration?
    do {
      widened = isUsual ? try task.widenedWatch(by: driven, of: description, in: folder) : nil
    } catch let error as FactorizationError {
      return console.say("the watch learnt nothing from these episodes: \(words(of: error))")
    }
    guard let watch = widened else { return }
    let path = "\(folder)/\(WatchCalibration.fileName)"
    try watch.write(to: path)
    try VersionStore(folder: folder).copyBack(WatchCalibration.fileName)
    console.say("the watch in \(path) now treats these episodes as usual")
  }
}

extension ControlTask.Fallback {
  /// "the safe action"
  var words: String {
    switch self {
    case .hold: "the safe action"
    case .pid: "the PID controller"
    case .policy(let path): "the policy \(path)"
    }
  }
}

extension RealTimeRun {
  /// What the watch found, in one line; nothing where it found nothing.
  func describeWatch(_ fallback: ControlTask.Fallback, _ console: Console) {
    let counts = WatchedMatter.allCases.compactMap { matter in
      findingCounts[matter].map { "\(matter.rawValue) \($0)" }
    }
    if let fallbackStep {
      let seconds = number(Double(fallbackStep) * outcome.timing.timeStep)
      let driver = holds ? ControlTask.Fallback.hold : fallback
      console.say("from \(seconds) s on, \(driver.words) drove instead of the policy")
    }
    let part = 100 * judgedRows / max(outcome.rows, 1)
    console.say(
      "the watch found \(counts.isEmpty ? "nothing" : counts.joined(separator: ", ")); it judged innovations in \(part) % of the rows"
    )
  }

  var watchJSON: [String: Any] {
    [
      "counts": Dictionary(
        uniqueKeysWithValues: findingCounts.map { ($0.key.rawValue, $0.value) }),
      "findings": findings.map(\.json),
      "fallbackStep": fallbackStep ?? NSNull(), "judgedRows": judgedRows,
      "stopped": outcome.isStopped,
    ]
  }
}

extension WatchFinding {
  var json: [String: Any] { ["matter": matter.rawValue, "step": step, "words": words] }
}
