// SPDX-License-Identifier: Apache-2.0
// What a watch is calibrated by, and what it found, as sentences and as keys of the JSON contract.

import Bagel
import Foundation

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
      return say("no watch for `bagel run`: \(error)")
    }
    try calibration.write(to: path)
  }
}

extension Evaluation {
  /// Nine in ten succeed: nothing is wrong with the machine.
  private var isUsual: Bool { 10 * successes >= 9 * episodes.count }

  /// Teaches the folder's watch what is usual where this policy drives.
  ///
  /// - Parameters:
  ///   - task: that was evaluated.
  ///   - description: of the policy's file.
  ///   - folder: of the policy's file.
  ///   - console: hears of it.
  /// - Throws: `TensorFileError`, `FactorizationError`.
  func teachWatch(
    _ task: ControlTask, _ description: PolicyDescription, in folder: String, _ console: Console
  ) throws {
    guard isUsual,
      let watch = try task.widenedWatch(
        by: episodes.map(\.episode), of: description, in: folder)
    else { return }
    let path = "\(folder)/\(WatchCalibration.fileName)"
    try watch.write(to: path)
    try VersionStore(folder: folder).copyBack(WatchCalibration.fileName)
    console.say("the watch in \(path) knows these episodes as usual")
  }
}

extension ControlTask.Fallback {
  /// "the safe action"
  var words: String {
    switch self {
    case .hold: "the safe action"
    case .policy(let path): "the policy \(path)"
    }
  }
}

extension RealTimeRun {
  /// What the watch found, in one line; nothing where it found nothing.
  func describeWatch(_ console: Console) {
    let counts = WatchedMatter.allCases.compactMap { matter in
      findingCounts[matter].map { "\(matter.rawValue) \($0)" }
    }
    if counts.isEmpty { return }
    console.say("the watch found: \(counts.joined(separator: ", "))")
  }

  var watchJSON: [String: Any] {
    [
      "counts": Dictionary(
        uniqueKeysWithValues: findingCounts.map { ($0.key.rawValue, $0.value) }),
      "findings": findings.map(\.json),
      "fallbackStep": fallbackStep ?? NSNull(), "stopped": outcome.isStopped,
    ]
  }
}

extension WatchFinding {
  var json: [String: Any] { ["matter": matter.rawValue, "step": step, "words": words] }
}
