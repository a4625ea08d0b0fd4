// SPDX-License-Identifier: Apache-2.0
// One process at a time writes into an output folder: two would mix their models, policies, logs and reports, or drive one
// machine together.

import Foundation

/// Holds a folder as long as it lives, by a lock on the folder itself and one on its file `lock`, which is removed at the end:
/// network file systems lock no folders, and a file may be removed by hand. The kernel lets go when the process ends, however
/// it ends; a file that a killed process has left locks nobody out.
public final class FolderLock {
  private static let name = "lock"
  private let folder: Int32
  private let file: Int32

  /// - Parameter path: of the folder, which must be there.
  /// - Throws: `LoopError` where another process holds the folder, `OutputError` where it cannot be written.
  public init(_ path: String) throws {
    func failure(_ number: Int32) -> any Error {
      number == EWOULDBLOCK
        ? LoopError(
          description: "another bagel is at work in \(path); wait for it, or give another --output")
        : OutputError(path: path, errorNumber: number)
    }
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(errno) }
    if flock(folder, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK {
      close(folder)
      throw failure(EWOULDBLOCK)
    }
    while true {
      let opened = openat(folder, Self.name, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC, 0o644)
      guard opened >= 0, flock(opened, LOCK_EX | LOCK_NB) == 0 else {
        let number = errno
        if opened >= 0 { close(opened) }
        close(folder)
        throw failure(number)
      }
      if Self.isNamed(opened, in: folder) {
        file = opened
        return
      }
      // Its holder removed it between our two calls: this lock would be of a file that nobody else finds.
      close(opened)
    }
  }

  deinit {
    // By the folder's descriptor: the folder may have another name by now, and another folder its own.
    unlinkat(folder, Self.name, 0)
    close(file)
    close(folder)
  }

  /// Whether the open file is the one that has the name now.
  private static func isNamed(_ file: Int32, in folder: Int32) -> Bool {
    var (opened, named) = (stat(), stat())
    return fstat(file, &opened) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0
      && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }
}
