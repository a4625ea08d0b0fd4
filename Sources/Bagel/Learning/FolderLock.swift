// SPDX-License-Identifier: Apache-2.0
// One process at a time drives a machine for a folder, and one works in a loop's: two would mix their actions and logs.

import Foundation

/// Holds a folder as long as it lives; the kernel lets go when the process ends, however it ends.
public final class FolderLock {
  private let file: Int32

  /// Throws: `LoopError` where another process holds the folder, `OutputError` where it cannot be written.
  public init(_ folder: String) throws {
    let opened = open(folder + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard opened >= 0, flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let failure = errno
      if opened >= 0 { close(opened) }
      guard opened >= 0 && failure == EWOULDBLOCK else {
        throw OutputError(
          description: "cannot write to \(folder): \(String(cString: strerror(failure)))")
      }
      throw LoopError(
        description: "another bagel is at work in \(folder); wait for it, or give another --output")
    }
    file = opened
  }

  deinit { close(file) }
}
