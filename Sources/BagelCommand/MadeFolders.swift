// SPDX-License-Identifier: Apache-2.0
// Folders that a command makes for what it is going to write. A command that then fails leaves none that is empty: those that
// it made itself are removed at its end, if nothing but a lock is in them.

import Bagel
import Foundation
import Synchronization

enum MadeFolders {
  private static let made = Mutex<[String]>([])

  /// Makes a folder and those above it, or says which option names another. Throws: `OutputError`.
  static func make(_ folder: String, option: String = "--output") throws {
    note(folder)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw OutputError(
        description:
          "cannot make the folder \(folder) (\(systemReason(error))); name another with \(option)")
    }
  }

  /// Makes the folder of a file. Throws: `OutputError`.
  static func make(for file: String, option: String) throws {
    let folder = (file as NSString).deletingLastPathComponent
    if !folder.isEmpty { try make(folder, option: option) }
  }

  /// A folder that somebody is about to make: it and those above it that are not there yet are this command's.
  static func note(_ folder: String) {
    var missing: [String] = []
    // From the root: a command that changes its folder removes the right ones.
    var path = URL(fileURLWithPath: folder).standardizedFileURL.path
    while path != "/" && !path.isEmpty && !FileManager.default.fileExists(atPath: path) {
      missing.append(path)
      path = (path as NSString).deletingLastPathComponent
    }
    if missing.isEmpty { return }
    made.withLock { made in
      if made.isEmpty { atexit { MadeFolders.removeEmpty() } }
      made += missing.reversed()
    }
  }

  /// From the innermost on; a folder with anything in it stays.
  private static func removeEmpty() {
    for folder in made.withLock({ $0 }).reversed() {
      if (try? FileManager.default.contentsOfDirectory(atPath: folder)) == ["lock"] {
        // Whoever holds it is at work there.
        guard let lock = try? FolderLock(folder) else { continue }
        withExtendedLifetime(lock) { _ = unlink(folder + "/lock") }
      }
      rmdir(folder)
    }
  }
}
