// SPDX-License-Identifier: Apache-2.0
// One process at a time writes into an output folder: two would mix their models, policies, logs and reports, or drive one
// machine together.

import Faults
import Foundation

/// Holds a folder as long as it lives. The kernel lets go when the process ends, however it ends. Where the file system locks
/// no folders (NFS), a file `.bagel-lock` in it is locked, which is removed at the end; one that a killed process has left locks
/// nobody out.
package final class FolderLock {
  static let name = ".bagel-lock"
  private let folder: Int32
  /// nil where the folder itself is locked.
  private let file: Int32?

  /// - Parameter path: of the folder, which must be there.
  /// - Throws: `LoopError` where another process holds the folder, `OutputError` where it cannot be written.
  package convenience init(_ path: String) throws { try self.init(path, byFile: false) }

  /// - Parameters:
  ///   - path: of the folder.
  ///   - byFile: as where the file system locks no folders.
  package init(_ path: String, byFile: Bool) throws {
    func failure(_ number: Int32) -> any Error {
      number == EWOULDBLOCK
        ? LoopError(
          "another bagel process is using \(path)",
          remedy: .either([.text("wait for it"), .otherFolder]))
        : OutputError(path: path, errorNumber: number)
    }
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard folder >= 0 else { throw failure(errno) }
    if !byFile {
      if flock(folder, LOCK_EX | LOCK_NB) == 0 {
        file = nil
        return
      }
      if errno == EWOULDBLOCK {
        close(folder)
        throw failure(EWOULDBLOCK)
      }
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
    if let file {
      // By the folder's descriptor: the folder may have another name by now, and another folder its own.
      unlinkat(folder, Self.name, 0)
      close(file)
    }
    close(folder)
  }

  /// Whether the open file is the one that has the name now.
  private static func isNamed(_ file: Int32, in folder: Int32) -> Bool {
    var (opened, named) = (stat(), stat())
    return fstat(file, &opened) == 0 && fstatat(folder, name, &named, AT_SYMLINK_NOFOLLOW) == 0
      && opened.st_ino == named.st_ino && opened.st_dev == named.st_dev
  }
}
