// SPDX-License-Identifier: Apache-2.0
// Where tests write: one folder a run, removed when the run ends, and one that stays.

import Foundation

package enum Scratch {
  private static let root: URL = {
    let root = FileManager.default.temporaryDirectory.appendingPathComponent(
      "bagel-tests-\(UUID().uuidString)")
    // For this user alone whatever the umask: caches of kernels in it are refused otherwise.
    try? FileManager.default.createDirectory(
      at: root, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    atexit { try? FileManager.default.removeItem(at: Scratch.root) }
    return root
  }()

  /// An empty folder of its own.
  package static func folder() throws -> String {
    let folder = root.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.path
  }

  /// A path that stays when the run has ended: for what somebody is to look at, or to copy.
  package static func kept(_ name: String) throws -> String {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "bagel-tests-kept-\(getuid())")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    return folder.appendingPathComponent(name).path
  }

  /// A path at which there is nothing yet.
  package static func path(_ name: String) -> String {
    root.appendingPathComponent("\(UUID().uuidString)-\(name)").path
  }
}
