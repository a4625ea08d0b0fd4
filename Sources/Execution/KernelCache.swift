// SPDX-License-Identifier: Apache-2.0
// Compiled kernels on disk, so that a kernel is compiled once a machine. Key: SHA-256 of text, options,
// compiler and CPU or GPU architecture. The folder is the user's alone (made with mode 0700, refused if others may write); an object is loaded only if
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

  /// Path of what `compile` made of `text`, and whether it was there already.
  ///
  /// - Parameters:
  ///   - key: what the result depends on besides the text: compiler, options, processor.
  ///   - suffixes: of source and result, such as ".c" and ".so".
  ///   - compile: makes the second file from the first.
  /// - Throws: `ExecutionError` where the folder cannot be used or the text does not compile.
  func compiled(
    _ text: String, key: [String], suffixes: (source: String, result: String),
    compile: (_ source: String, _ result: String) throws -> Void
  ) throws -> (path: String, wasCached: Bool) {
    try prepareFolder()
    let name = String(sha256(([text] + key).joined(separator: "\n").utf8).prefix(32))
    let object = "\(folder)/\(name)\(suffixes.result)"
    let checksum = "\(folder)/\(name).sha256"
    if let recorded = try? String(contentsOfFile: checksum, encoding: .utf8),
      let bytes = FileManager.default.contents(atPath: object), sha256(bytes) == recorded
    {
      return (object, true)
    }
    let stem = "\(folder)/\(name).\(UUID().uuidString)"
    let source = "\(folder)/\(name)\(suffixes.source)"
    defer {
      for suffix in [suffixes.source, suffixes.result, ".sha256"] { unlink(stem + suffix) }
    }
    try write(text, to: stem + suffixes.source)
    try compile(stem + suffixes.source, stem + suffixes.result)
    guard let bytes = FileManager.default.contents(atPath: stem + suffixes.result) else {
      throw ExecutionError.cache(path: stem + suffixes.result, reason: "cannot be read back")
    }
    try write(sha256(bytes), to: stem + ".sha256")
    for (from, to) in [(suffixes.result, object), (".sha256", checksum), (suffixes.source, source)]
    where rename(stem + from, to) != 0 {
      throw ExecutionError.cache(path: to, reason: String(cString: strerror(errno)))
    }
    return (object, false)
  }

  /// The shared object that clang makes of C.
  func object(for text: String, compiler: HostCompiler) throws -> (path: String, wasCached: Bool) {
    try compiled(
      text, key: [compiler.identity, hostProcessor()] + HostCompiler.options,
      suffixes: (".c", ".so")
    ) { try compiler.compile(source: $0, to: $1) }
  }

  /// Machine code that NVRTC makes of CUDA C++ for one architecture.
  func machineCode(
    for text: String, compiler: RuntimeCompiler, architecture: Int
  ) throws -> (code: Data, wasCached: Bool) {
    let target = compiler.target(for: architecture)
    let (path, wasCached) = try compiled(
      text, key: ["NVRTC", compiler.version, compiler.path, target] + RuntimeCompiler.options,
      suffixes: (".cu", ".cubin")
    ) { _, result in
      let code = try compiler.compile(text, target: target).code
      guard FileManager.default.createFile(atPath: result, contents: code) else {
        throw ExecutionError.cache(path: result, reason: "cannot be written; is the disk full?")
      }
    }
    guard let code = FileManager.default.contents(atPath: path) else {
      throw ExecutionError.cache(path: path, reason: "cannot be read back")
    }
    return (code, wasCached)
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
