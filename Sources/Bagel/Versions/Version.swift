// SPDX-License-Identifier: Apache-2.0
// What is known of a kept model or policy: the contents of version.json.

import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks

/// A kept model or policy.
package struct Version: Codable, Hashable, Sendable {
  package enum Kind: String, Codable, Sendable { case model, policy }
  package var number = 0
  package var kind: Kind
  /// When it was made, ISO 8601.
  package var date: String
  /// nil where nobody knows: it stood in the folder, and no version did.
  package var seed: UInt64?
  package var task: String
  /// Fingerprints of the model (a policy's is the one it was found on) and of the policy.
  package var model: String?
  package var policy: String?
  /// Fingerprint of the episodes that a model was learnt from.
  package var data: String?
  /// In words: what is known of how good it is.
  package var words: String
  /// A policy's return on its model, and what it did on the plant since.
  package var predictedReturn: Double?
  package var plantSuccesses: Int?
  package var plantEpisodes: Int?
  /// Errors of its responses there, and what they are of.
  package var plantErrors: PlantErrors?
  /// Whether `learn` ended with it as solved.
  package var isSolved: Bool?

  /// Errors of responses on a plant.
  package struct PlantErrors: Codable, Hashable, Sendable {
    /// Mean |state - goal| from the settling time on [responses][tracked] (`EvaluatedEpisode.responseErrors`).
    package var values: [[Double]]
    /// `ControlTask.judgedResponses`, as it was.
    package var judged: String
    /// Of the episodes' starts, goals and noise.
    package var seed: UInt64

    package init(_ values: [[Double]], _ task: ControlTask, seed: UInt64) {
      (self.values, judged, self.seed) = (values, task.judgedResponses, seed)
    }
  }

  /// Whether it succeeded on the plant: solved, or in nine of ten episodes.
  package var isProven: Bool {
    guard let plantEpisodes, plantEpisodes > 0 else { return isSolved ?? false }
    return 10 * (plantSuccesses ?? 0) >= 9 * plantEpisodes
  }

  package init(kind: Kind, date: Date = Date(), seed: UInt64?, task: String, words: String) {
    (self.kind, self.seed, self.task, self.words) = (kind, seed, task, words)
    self.date = ISO8601DateFormatter().string(from: date)
  }

  /// The file that commands read.
  package var file: String { kind.rawValue + ".safetensors" }
}

extension Version {
  /// A model that was fitted.
  package init(of fit: FittedModel, _ task: ControlTask, seed: UInt64) {
    let rows = fit.training.reduce(0) { $0 + $1.count }
    let verdict = fit.horizons.map { "; held out: \($0.verdict)" } ?? ""
    self.init(
      kind: .model, seed: seed, task: task.name,
      words: "learnt from \(counted(rows, "row"))\(verdict)")
    (model, data) = (fit.model.fingerprint, fingerprint(of: fit.training))
  }

  /// A policy that was searched.
  package init(of found: OptimizedPolicy, _ description: PolicyDescription, seed: UInt64) {
    let value = description.predictedReturn.map { "return \(Bagel.number($0)) on its model" }
    self.init(
      kind: .policy, seed: seed, task: description.task, words: value ?? "without a return")
    (model, policy) = (description.model, found.best.fingerprint)
    predictedReturn = description.predictedReturn
  }
}

/// 16 hexadecimal digits of the SHA-256 of episodes: states, commands and disturbances.
package func fingerprint(of episodes: [Episode]) -> String {
  let hashes = episodes.map { episode in
    (episode.states + episode.actions + episode.disturbances).flatMap { $0 }
      .withUnsafeBytes { sha256($0) }
  }
  return String(sha256(hashes.joined().utf8).prefix(16))
}
