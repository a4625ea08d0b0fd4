// SPDX-License-Identifier: Apache-2.0
// The C compiler that turns emitted text into a shared object: clang, because the text uses its
// vector extensions and Swift's toolchain carries it. In: text. Out: the bytes of a shared object.

import Foundation

/// A clang executable.
package struct HostCompiler: Sendable {
  package let path: String

  /// Part of every cache key. Not -ffast-math: comparisons with NaN must hold.
  static let options = [
    "-std=c11", "-O3", "-march=native", "-fPIC", "-shared", "-ffp-contract=fast",
    "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fno-vectorize",
    "-fno-slp-vectorize", "-Wno-psabi",
  ]

  /// The clang named by BAGEL_CLANG, else the first one on PATH, else one in the folders where clang is
  /// usually installed.
  package static func find() throws -> HostCompiler {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["BAGEL_CLANG"] {
      guard FileManager.default.isExecutableFile(atPath: named) else {
        throw ExecutionError.noCompiler(searched: ["BAGEL_CLANG=\(named) (not executable)"])
      }
      return HostCompiler(absolute: named)
    }
    let others = ProgramSearch.compilerFolders
    guard let found = ProgramSearch.find(["clang"], others: others) else {
      throw ExecutionError.noCompiler(
        searched: ProgramSearch.candidates(["clang"], others: others))
    }
    return HostCompiler(absolute: found)
  }

  /// It is run from another folder than this process's.
  private init(absolute path: String) { self.path = URL(fileURLWithPath: path).path }

  /// Distinguishes compilers without running them: path, size, date.
  var identity: String {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let attributes = try? FileManager.default.attributesOfItem(atPath: resolved)
    let date = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(resolved) \(attributes?[.size] ?? 0) \(date)"
  }

  /// First line of `clang --version`.
  package func version() throws -> String {
    let (_, output) = try run(["--version"])
    return output.split(separator: "\n").first.map(String.init) ?? "unknown"
  }

  /// Compiles C into a shared object.
  ///
  /// - Parameters:
  ///   - text: the C.
  ///   - work: where the compiler works.
  ///   - keep: keeps a text that does not compile; returns its path.
  /// - Returns: the bytes of the object.
  /// - Throws: `ExecutionError`.
  func compile(
    _ text: String, in work: WorkFolder, keep: () -> String
  ) throws(ExecutionError) -> [UInt8] {
    let (source, object) = ("kernel.c", "kernel.so")
    try work.folder.write(Array(text.utf8), to: source)
    let (status, log) = try work.run([path] + Self.options + ["-o", object, source])
    guard status == 0 else {
      throw .failed(path, status: status, log: log, folder: work.folder.path, source: keep)
    }
    guard let code = work.folder.contents(of: object) else {
      throw .compilerFailed(
        compiler: path,
        reason: "it ended without an error and wrote no object file"
          + (log.isEmpty ? "" : ": \(log)"))
    }
    return code
  }

  private func run(_ arguments: [String]) throws -> (status: Int32, output: String) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.arguments = arguments
    let pipe = Pipe()
    process.standardOutput = pipe
    process.standardError = pipe
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, String(decoding: data, as: UTF8.self))
  }
}
