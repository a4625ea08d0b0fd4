// SPDX-License-Identifier: Apache-2.0
// Which policy drove a run: run-1.policy.json beside run-1.csv. (Not in the log itself: a line of comment is no CSV, and a
// column would repeat the same text in every row.)

import Bagel
import Foundation
import Policies
import Tasks

struct RunSidecar {
  let path: String

  /// - Parameter log: path of the run's log, which is new.
  init(log: String) {
    path = (log.hasSuffix(".csv") ? String(log.dropLast(4)) : log) + ".policy.json"
  }

  /// Throws: `OutputError`, also where there is one: it belongs to another log.
  func write(
    _ controller: PolicyController, _ description: PolicyDescription, _ task: ControlTask
  ) throws {
    let facts: [String: Any] = [
      "fingerprint": controller.fingerprint, "policyOfTask": description.task, "task": task.name,
      "plant": task.plant?.words ?? "", "foundForPlant": description.plant ?? NSNull(),
      "predictedReturn": description.predictedReturn ?? NSNull(),
      "begun": ISO8601DateFormatter().string(from: Date()),
    ]
    do {
      try JSONSerialization.data(
        withJSONObject: facts, options: [.sortedKeys, .withoutEscapingSlashes, .prettyPrinted]
      ).write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
    } catch CocoaError.fileWriteFileExists {
      throw OutputError(
        "\(path) already exists, of another run; give another --log")
    } catch {
      remove()
      throw OutputError(path: path, error)
    }
  }

  /// Where no row was written, there is no log to speak of.
  func remove() { unlink(path) }
}
