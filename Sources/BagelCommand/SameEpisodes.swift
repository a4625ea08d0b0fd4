// SPDX-License-Identifier: Apache-2.0
// The episodes of an evaluation again with another controller, a rival or a former version: driven and said in one way.

import Bagel
import Foundation
import GaussianProcesses
import Policies
import Tasks

extension ControlTask {
  /// Drives them, and says what happens.
  ///
  /// - Parameters:
  ///   - controller: the other one ...
  ///   - description: ... and its file's words.
  ///   - logName: of the rows of a machine.
  ///   - folder: of the output, where these are kept.
  ///   - seed: of the episodes.
  ///   - spread: of the plant's parameters.
  ///   - console: prints messages.
  /// - Returns: nil where it was interrupted. Throws: as `evaluate`.
  func evaluateSameEpisodes(
    _ controller: PolicyController, _ description: PolicyDescription, logName: String,
    in folder: String, seed: UInt64, spread: Double, _ console: Console
  ) throws -> Evaluation? {
    let words = EpisodeWords(console, self)
    let evaluation = try evaluate(
      controller, seed: seed, spread: spread, within: .init(description),
      logFolder: folder, logName: logName,
      goesOn: { !InterruptSignal.wasRaised }, tell: words.tell)
    words.sayEarlyEnds(of: evaluation.episodes.count)
    if let logs = words.logWords { console.say(logs) }
    if InterruptSignal.wasRaised {
      if let leaving = words.leaving { console.say(leaving) }
      return nil
    }
    return evaluation
  }
}

extension Evaluation {
  /// Successes, constraints and responses.
  func describeBriefly(_ task: ControlTask, _ console: Console) {
    console.say(
      steps.count > episodes.count
        ? "  \(stepSuccesses) of \(steps.count) steps of the reference"
        : "  \(successes) of \(episodes.count) episodes succeed")
    for figures in task.violations(in: self) { console.say("  \(figures.plantSentence)") }
    if task.evaluation.measures.isEmpty, !whole.episodes.isEmpty {
      whole.describeSteps(task, console)
    }
  }
}

/// The model that a policy was found on; nil where it is not in the folder. Throws: `TensorFileError`.
func modelOfPolicy(_ description: PolicyDescription, in folder: String) throws -> DynamicsModel? {
  let path = "\(folder)/model.safetensors"
  guard description.model != nil,
    description.model == (try? DynamicsModel.fingerprint(path: path))
  else { return nil }
  return try DynamicsModel(path: path)
}
