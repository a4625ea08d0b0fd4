// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on disk, so that a kernel is compiled once per machine. Key: SHA-256 of text, options,
// compiler and CPU or GPU architecture. Code of other users is never loaded: the folder is this user's alone
// (TrustedFolder), an entry is bound to its key (KernelEntry), what is loaded is the bytes that were checked
// (DynamicLibrary). An entry that is missing, foreign or damaged is compiled anew.

import Foundation

/// A folder of compiled kernels.
package struct KernelCache: Sendable {
  private let places: CachePlaces

  /// The user's: `$XDG_CACHE_HOME/bagel`; else `$HOME/.cache/bagel` (macOS: `$HOME/Library/Caches/bagel`), with the home
  /// folder of the list of users where HOME is not set; else, where that is not there or cannot be written,
  /// `bagel-cache-UID` in `$TMPDIR` or /tmp.
  package static var standard: KernelCache {
    KernelCache(places: .standard(ProcessInfo.processInfo.environment))
  }

  /// - Parameter folder: made for this user alone (mode 0700) if it is missing.
  package init(folder: String) { places = CachePlaces(folders: [folder]) }

  private init(places: CachePlaces) { self.places = places }

  /// The folder in use. It is made if it is missing: whether it can be made (rights, quota, network disk) shows no other way.
  ///
  /// - Returns: its path without links, and why it is not a preferred one (empty if it is).
  /// - Throws: `ExecutionError.cache` where others could put code there, or it cannot be made or written. (A folder that can
  ///   only be read serves those whose kernels are all in it.)
  package func location() throws -> (folder: String, notes: [String]) {
    let (folder, notes) = try places.open()
    let obstacle = folder.writeObstacle
    guard obstacle == 0 else { throw ExecutionError.unwritten(folder.path, obstacle) }
    return (folder.path, notes)
  }

  /// The library that clang makes of C.
  ///
  /// - Throws: `ExecutionError`.
  func library(
    for text: String, compiler: HostCompiler
  ) throws(ExecutionError) -> (library: DynamicLibrary, wasCached: Bool) {
    let folder = try places.open().folder
    let entry = KernelEntry([text, compiler.identity, hostProcessor] + HostCompiler.options)
    // One that does not load was made for another system's libraries.
    if let code = folder.contents(of: entry.fileName).flatMap(entry.code),
      let library = try? DynamicLibrary(kernel: code, by: folder)
    {
      return (library, true)
    }
    WorkFolder.sweep(folder)
    let work = try WorkFolder(in: folder)
    defer { work.remove() }
    let code = try compiler.compile(text, in: work) {
      keep(text, of: entry, ending: "c", in: folder)
    }
    try store(code, as: entry, in: folder, by: work)
    return (try DynamicLibrary(kernel: code, by: folder), false)
  }

  /// Machine code that NVRTC makes of CUDA C++ for one architecture.
  ///
  /// - Throws: `ExecutionError`.
  func machineCode(
    for text: String, compiler: RuntimeCompiler, architecture: Int
  ) throws -> (code: Data, wasCached: Bool) {
    let folder = try places.open().folder
    let target = compiler.target(for: architecture)
    let entry = KernelEntry(
      [text, "NVRTC", compiler.version, compiler.path, target] + RuntimeCompiler.options)
    if let code = folder.contents(of: entry.fileName).flatMap(entry.code) {
      return (Data(code), true)
    }
    WorkFolder.sweep(folder)
    do {
      let code = try compiler.compile(text, target: target).code
      let work = try WorkFolder(in: folder)
      defer { work.remove() }
      work.guardAgainstKill()
      try store(Array(code), as: entry, in: folder, by: work)
      return (code, false)
    } catch ExecutionError.deviceCompilation(let log, let lines, let compiler) {
      let source = keep(text, of: entry, ending: "cu", in: folder)
      throw ExecutionError.deviceCompilation(
        log: log, lines: lines + "\nPlease report it with the kernel's text: \(source)",
        compiler: compiler)
    }
  }

  /// Written in a work folder and then moved: other processes see all of it or nothing, and a killed process leaves nothing.
  /// (A file without a name, O_TMPFILE, was rejected: network disks have none, and it cannot take a bad entry's place.)
  private func store(
    _ code: [UInt8], as entry: KernelEntry, in folder: TrustedFolder, by work: WorkFolder
  ) throws(ExecutionError) {
    try work.folder.write(entry.file(code), to: entry.fileName)
    try work.folder.move(entry.fileName, to: folder)
  }

  /// Keeps a text that does not compile, for a report. Returns where it is, or why it is not.
  private func keep(
    _ text: String, of entry: KernelEntry, ending: String, in folder: TrustedFolder
  ) -> String {
    let name = "failed-\(entry.key.prefix(16)).\(ending)"
    folder.remove(name)
    do {
      try folder.write(Array(text.utf8), to: name)
      return folder.path + "/" + name
    } catch {
      return "(not kept: \(error))"
    }
  }
}

/// Model and features of the CPU: -march=native objects must not travel between different ones.
private let hostProcessor: String = {
  let lines =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
    .split(separator: "\n") ?? []
  let wanted = lines.prefix(40).filter { $0.hasPrefix("model name") || $0.hasPrefix("flags") }
  return wanted.isEmpty ? ProcessInfo.processInfo.hostName : wanted.joined(separator: "\n")
}()
