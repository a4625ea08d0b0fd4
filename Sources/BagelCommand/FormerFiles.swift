// SPDX-License-Identifier: Apache-2.0
// Models and policies that a command replaces (`replacing`), in words.

import Bagel

extension Console {
  /// Writes a model, and says where a former one that was different is now.
  func replaceModel(_ path: String, _ write: (String) throws -> Void) throws {
    if let former = try replacing(path, write) { say("the former model is kept: \(former)") }
  }

  /// Writes a policy, and says where a former one that was different is now, and its return if its file knows it.
  func replacePolicy(_ path: String, _ write: (String) throws -> Void) throws {
    guard let former = try replacing(path, write) else { return }
    let value = (try? PolicyController.read(path: former))?.description.predictedReturn
    let words = value.map { " (return \(number($0)) on its model)" } ?? ""
    say("the former policy\(words) is kept: \(former)")
  }
}
