// SPDX-License-Identifier: Apache-2.0
// Where kernels are kept, in the order of preference. A place that cannot be used is skipped with a note. An unsafe place is
// an error: a user who expects one folder must not work in another.

import Foundation

/// Folders for kernels, the preferred one first.
struct CachePlaces: Sendable {
  /// At least one.
  let folders: [String]
  /// Why a usual place is not among them.
  var notes: [String] = []
}

extension CachePlaces {
  /// 1. `$XDG_CACHE_HOME/bagel`, and nothing else, if that variable is set to an absolute path.
  /// 2. `.cache/bagel` (macOS: `Library/Caches/bagel`) in the home folder: `$HOME` if set to an absolute path, else the one
  ///    that the system's list of users names; if that folder is there.
  /// 3. `bagel-cache-UID` in `$TMPDIR` if that is the absolute path of a folder, else in /tmp: for users of containers
  ///    without a home folder, or with one that cannot be written.
  static func standard(_ environment: [String: String]) -> CachePlaces {
    func absolute(_ variable: String) -> String? {
      environment[variable].flatMap { $0.hasPrefix("/") ? $0 : nil }
    }
    if let base = absolute("XDG_CACHE_HOME") { return CachePlaces(folders: [base + "/bagel"]) }
    let temporary = absolute("TMPDIR").flatMap { isFolder($0) ? $0 : nil } ?? "/tmp"
    let last = "\(temporary)/bagel-cache-\(geteuid())"
    guard let home = absolute("HOME") ?? homeOfSystem else {
      return CachePlaces(folders: [last], notes: ["user \(geteuid()) has no home folder"])
    }
    guard isFolder(home) else {
      return CachePlaces(folders: [last], notes: ["the home folder \(home) does not exist"])
    }
    #if os(macOS)
      return CachePlaces(folders: [home + "/Library/Caches/bagel", last])
    #else
      return CachePlaces(folders: [home + "/.cache/bagel", last])
    #endif
  }

  private static func isFolder(_ path: String) -> Bool {
    var information = stat()
    return stat(path, &information) == 0 && information.isFolder
  }

  /// This user's home folder in the list of users (/etc/passwd or a server's).
  private static var homeOfSystem: String? {
    var entry = passwd()
    var found: UnsafeMutablePointer<passwd>?
    var text = [CChar](repeating: 0, count: 1 << 14)
    guard getpwuid_r(geteuid(), &entry, &text, text.count, &found) == 0, found != nil,
      let folder = entry.pw_dir
    else { return nil }
    let path = String(cString: folder)
    return path.hasPrefix("/") ? path : nil
  }

  /// Opens the first that can be written; the last need only be readable.
  ///
  /// - Returns: the folder, and why those before it are not used.
  /// - Throws: `ExecutionError.cache` for a folder that is unsafe, or where none can be used.
  func open() throws(ExecutionError) -> (folder: TrustedFolder, notes: [String]) {
    var notes = notes
    for path in folders.dropLast() {
      do {
        let folder = try TrustedFolder(path)
        if folder.writeObstacle == 0 { return (folder, notes) }
        notes.append("\(folder.path) cannot be written: \(systemReason(folder.writeObstacle))")
      } catch .unusable(let place, let number) where Self.passedOver.contains(number) {
        notes.append("\(place) cannot be used: \(systemReason(number))")
      } catch {
        throw ExecutionError(error)
      }
    }
    do {
      return (try TrustedFolder(folders[folders.count - 1]), notes)
    } catch {
      throw ExecutionError(error)
    }
  }

  /// What a home folder that is none gives. A full disk is not among them: it wants to be known.
  private static let passedOver = [EACCES, EPERM, EROFS, ENOENT, ENOTDIR]
}
