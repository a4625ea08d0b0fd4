// SPDX-License-Identifier: Apache-2.0
// The sections `watch` and `fallback` of a task file: what a run checks, its response, and what drives then.

import SafeText
import Watching

extension ControlTask {
  /// What drives a run after a finding that asks for it.
  package enum Fallback: Hashable, Sendable {
    /// The safe action, reached within the rate limits, until the run ends.
    case hold
    /// The PID controller of the same model, in the output folder.
    case pid
    /// Path of a policy's file.
    case policy(String)
  }

  /// watch: {beyondData: warn, innovation: warn, frozen: warn, late: warn}   and   fallback: hold, pid, or a policy's file
  mutating func readWatch(_ yaml: YAMLMapping, _ folder: String) throws {
    if let section = try yaml.mapping("watch") {
      for matter in WatchedMatter.allCases {
        if let response = try section.choice(matter.rawValue, WatchResponse.self) {
          watch.responses[matter] = response
        }
      }
    }
    guard let word = try yaml.string("fallback") else { return }
    if word == "hold" {
      fallback = .hold
    } else if word == "pid" {
      if let obstacleToPID { throw yaml.error("fallback", "is pid, but \(obstacleToPID)") }
      fallback = .pid
    } else if word.hasSuffix(".safetensors") {
      fallback = .policy(resolved(word, in: folder))
    } else {
      throw yaml.error(
        "fallback",
        "must be hold, pid, or the file of a policy (NAME.safetensors), not '\(shortened(word))'")
    }
  }
}
