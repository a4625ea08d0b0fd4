// SPDX-License-Identifier: Apache-2.0
// The folders that a command writes. It makes them and holds them until it ends, so that no other command mixes its files with
// theirs. A command that fails leaves no empty folder: those that it made itself are removed at its end, if nothing is in
// them.

import Bagel
import Foundation
import Synchronization
import TensorFiles

enum OutputFolders {
  private struct State {
    /// Made by this command, the innermost last.
    var made: [String] = []
    /// By real path.
    var held: [String: FolderLock] = [:]
    var endsWithProcess = false

    mutating func endWithProcess() {
      if !endsWithProcess { atexit { OutputFolders.end() } }
      endsWithProcess = true
    }
  }
  private static let state = Mutex(State())

  /// Makes a folder and those above it, or says which option names another. Throws: `OutputError`.
  static func make(_ folder: String, option: String = "--output") throws {
    note(folder)
    do {
      try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    } catch {
      throw OutputError(
        "cannot make the folder \(folder) (\(systemReason(error))); name another with \(option)")
    }
  }

  /// Makes the folder of a file. Throws: `OutputError`.
  static func make(for file: String, option: String) throws {
    // (NSString's deletingLastPathComponent ends the process at names of one letter.)
    if let slash = file.lastIndex(of: "/"), slash > file.startIndex {
      try make(String(file[..<slash]), option: option)
    }
  }

  /// Holds a folder until the command ends; a second call for the same one does nothing.
  ///
  /// Throws: `LoopError` where another process holds it, `OutputError` where it cannot be written.
  static func hold(_ folder: String) throws {
    let path = URL(fileURLWithPath: folder).resolvingSymlinksInPath().path
    try state.withLock { state in
      if state.held[path] != nil { return }
      state.held[path] = try FolderLock(folder)
      state.endWithProcess()
    }
  }

  /// A folder that somebody is about to make: it and those above it that are not there yet are this command's.
  static func note(_ folder: String) {
    var missing: [String] = []
    // From the root: a command that changes its folder removes the right ones.
    var url = URL(fileURLWithPath: folder).standardizedFileURL
    while url.path != "/" && !FileManager.default.fileExists(atPath: url.path) {
      missing.append(url.path)
      url.deleteLastPathComponent()
    }
    if missing.isEmpty { return }
    state.withLock { state in
      state.endWithProcess()
      state.made += missing.reversed()
    }
  }

  /// Lets go of the folders and removes the empty ones from the innermost on; a folder with anything in it stays.
  private static func end() {
    let made = state.withLock { state in
      state.held = [:]
      return state.made
    }
    for folder in made.reversed() { rmdir(folder) }
  }
}
