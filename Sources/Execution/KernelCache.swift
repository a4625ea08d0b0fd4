// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on disk, so that a kernel is compiled once a machine. Key: SHA-256 of text, options,
// compiler and CPU. The folder is the user's alone (made with mode 0700, refused if others may write); an object is loaded only if
// its checksum is the recorded one; both files appear by rename, so parallel processes never see half
// of one. A missing, foreign or damaged entry is compiled anew.

import Foundation

/// A folder of compiled kernels.
public struct KernelCache: Sendable {
  public let folder: String

  /// `$XDG_CACHE_HOME/bagel`, or `~/.cache/bagel` (`~/Library/Caches/bagel` on macOS).
  public static var standard: KernelCache {
    let environment = ProcessInfo.processInfo.environment
    if let base = environment["XDG_CACHE_HOME"], base.hasPrefix("/") {
      return KernelCache(folder: base + "/bagel")
    }
    let home = FileManager.default.homeDirectoryForCurrentUser.path
    #if os(macOS)
      return KernelCache(folder: home + "/Library/Caches/bagel")
    #else
      return KernelCache(folder: home + "/.cache/bagel")
    #endif
  }

  public init(folder: String) { self.folder = folder }

  /// Path of the shared object compiled from `text`, and whether it was there already.
  ///
  /// Throws: `ExecutionError` where the folder cannot be used or the text does not compile.
  func object(for text: String, compiler: HostCompiler) throws -> (path: String, wasCached: Bool) {
    try prepareFolder()
    let description = [text, compiler.identity, hostProcessor()] + HostCompiler.options
    let key = String(sha256(description.joined(separator: "\n").utf8).prefix(32))
    let object = "\(folder)/\(key).so"
    let checksum = "\(folder)/\(key).sha256"
    if let recorded = try? String(contentsOfFile: checksum, encoding: .utf8),
      let bytes = FileManager.default.contents(atPath: object), sha256(bytes) == recorded
    {
      return (object, true)
    }
    let stem = "\(folder)/\(key).\(UUID().uuidString)"
    let source = "\(folder)/\(key).c"
    defer {
      for suffix in [".c", ".so", ".sha256"] { unlink(stem + suffix) }
    }
    try write(text, to: stem + ".c")
    try compiler.compile(source: stem + ".c", to: stem + ".so")
    guard let bytes = FileManager.default.contents(atPath: stem + ".so") else {
      throw ExecutionError.cache(path: stem + ".so", reason: "cannot be read back")
    }
    try write(sha256(bytes), to: stem + ".sha256")
    for (from, to) in [(".so", object), (".sha256", checksum), (".c", source)]
    where rename(stem + from, to) != 0 {
      throw ExecutionError.cache(path: to, reason: String(cString: strerror(errno)))
    }
    return (object, false)
  }

  private func write(_ text: String, to path: String) throws {
    do {
      try text.write(toFile: path, atomically: false, encoding: .utf8)
    } catch {
      throw ExecutionError.cache(path: path, reason: "cannot be written; is the disk full?")
    }
  }

  private func prepareFolder() throws {
    try? FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    var information = stat()
    guard stat(folder, &information) == 0 else {
      throw ExecutionError.cache(
        path: folder,
        reason: "\(String(cString: strerror(errno))); set XDG_CACHE_HOME to a folder you can write")
    }
    guard information.st_uid == geteuid(), information.st_mode & 0o022 == 0 else {
      throw ExecutionError.cache(
        path: folder, reason: "others may write to it; make it yours alone (chmod 700)")
    }
  }
}

/// Model and features of the CPU: -march=native objects must not travel between different ones.
func hostProcessor() -> String {
  let lines =
    (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8))?
    .split(separator: "\n") ?? []
  let wanted = lines.prefix(40).filter { $0.hasPrefix("model name") || $0.hasPrefix("flags") }
  return wanted.isEmpty ? ProcessInfo.processInfo.hostName : wanted.joined(separator: "\n")
}
