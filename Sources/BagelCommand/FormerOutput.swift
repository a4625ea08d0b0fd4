// SPDX-License-Identifier: Apache-2.0
// The former version of a policy in the same episodes, as sentences and as keys of the JSON contract.

import Bagel
import Foundation
import Tasks

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
  ///   - console: prints messages.
  /// - Returns: nil where it was interrupted. Throws: `NoFormerPolicy`; as `evaluate`.
  func evaluateFormer(
    than policy: String, in folder: String, seed: UInt64, spread: Double, _ console: Console
  ) throws -> FormerEvaluation? {
    let former = try VersionStore(folder: folder).former(than: policy, for: policyDescription) {
      console.say("version \($0.number) is skipped: \($1)")
    }
    console.say("the same episodes with the former policy, version \(former.version.number):")
    return try evaluateSameEpisodes(
      former.controller, former.description, logName: "evaluation-former", in: folder, seed: seed,
      spread: spread, console
    ).map { FormerEvaluation(version: former.version, evaluation: $0) }
  }
}

extension FormerEvaluation {
  func json(_ task: ControlTask) -> [String: Any] {
    evaluation.json(task).merging([
      "version": version.number, "policyFingerprint": version.policy ?? NSNull(),
    ]) { $1 }
  }
}
