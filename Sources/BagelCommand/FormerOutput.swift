// SPDX-License-Identifier: Apache-2.0
// The former version of a policy in the same episodes, as sentences and as keys of the JSON contract.

import Bagel
import Foundation

/// An evaluation of a former version.
struct FormerEvaluation {
  let version: Version
  let evaluation: Evaluation
}

extension ControlTask {
  /// The same episodes with the version before a policy's.
  ///
  /// - Parameters:
  ///   - policy: fingerprint of the policy whose former version it is.
  ///   - folder: of the output: where versions, and the rows of a machine, are kept.
  ///   - seed: of the episodes.
  ///   - spread: of the plant's parameters.
  ///   - console: hears of it.
  /// - Returns: nil where there is none, or it was interrupted. Throws: as `evaluate`.
  func evaluateFormer(
    than policy: String, in folder: String, seed: UInt64, spread: Double, _ console: Console
  ) throws -> FormerEvaluation? {
    guard
      let former = VersionStore(folder: folder).former(than: policy, for: policyDescription)
    else { return nil }
    console.say("the same episodes with the former policy, version \(former.version.number):")
    let words = EpisodeWords(console, self)
    let evaluation = try evaluate(
      former.controller, seed: seed, spread: spread, within: .init(former.description),
      logFolder: folder, logName: "evaluation-former",
      goesOn: { !InterruptSignal.wasRaised }, tell: words.tell)
    words.sayEarlyEnds(of: evaluation.episodes.count)
    if let logs = words.logWords { console.say(logs) }
    if InterruptSignal.wasRaised {
      if let leaving = words.leaving { console.say(leaving) }
      return nil
    }
    return FormerEvaluation(version: former.version, evaluation: evaluation)
  }
}

extension FormerEvaluation {
  func describe(_ task: ControlTask, _ console: Console) {
    evaluation.describeBriefly(task, console)
  }

  func json(_ task: ControlTask) -> [String: Any] {
    evaluation.json(task).merging([
      "version": version.number, "policyFingerprint": version.policy ?? NSNull(),
    ]) { $1 }
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
