// SPDX-License-Identifier: Apache-2.0
// One process at a time drives a machine for a folder, and one works in a loop's: two would mix their actions and logs.

import Foundation

/// Holds a folder as long as it lives; the kernel lets go when the process ends, however it ends.
public final class FolderLock {
  private let file: Int32

  /// Throws: `LoopError` where another process holds the folder.
  public init(_ folder: String) throws {
    let opened = open(folder + "/lock", O_CREAT | O_RDWR | O_CLOEXEC, 0o644)
    guard opened >= 0, flock(opened, LOCK_EX | LOCK_NB) == 0 else {
      let isHeld = opened >= 0 && errno == EWOULDBLOCK
      if opened >= 0 { close(opened) }
      throw LoopError(
        description: isHeld
          ? "another bagel is at work in \(folder); wait for it, or give another --output"
          : "cannot write to \(folder)")
    }
    file = opened
  }

  deinit { close(file) }
}
