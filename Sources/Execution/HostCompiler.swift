// SPDX-License-Identifier: Apache-2.0
// The C compiler that turns emitted text into a shared object: clang, because the text uses its
// vector extensions and Swift's toolchain carries it. In: text. Out: the path of a shared object.

import Foundation

/// What can go wrong between a kernel's text and running it.
public enum ExecutionError: Error, CustomStringConvertible {
  case noCompiler(searched: [String])
  case compilation(log: String, source: String)
  case cache(path: String, reason: String)
  case loading(path: String, reason: String)
  case outOfMemory(bytes: Int)

  public var description: String {
    switch self {
    case .noCompiler(let searched):
      """
      no clang found to compile the rollout kernel; looked for \(searched.joined(separator: ", ")).
      Install clang (Debian, Ubuntu: apt-get install clang; macOS: xcode-select --install), name one \
      with BAGEL_CLANG=/path/to/clang, or use the slow interpreter: --device interpreter
      """
    case .compilation(let log, let source):
      "the emitted kernel \(source) does not compile; this is a bug in BAGEL. clang says:\n\(log)"
    case .cache(let path, let reason): "kernel cache \(path): \(reason)"
    case .loading(let path, let reason): "cannot load the compiled kernel \(path): \(reason)"
    case .outOfMemory(let bytes):
      "no memory for a buffer of \(bytes) bytes; use fewer particles or a shorter horizon"
    }
  }
}

/// A clang executable.
public struct HostCompiler: Sendable {
  public let path: String

  /// Part of every cache key. Not -ffast-math: comparisons with NaN must hold.
  static let options = [
    "-std=c11", "-O3", "-march=native", "-fPIC", "-shared", "-ffp-contract=fast",
    "-fno-math-errno", "-fno-trapping-math", "-fno-signed-zeros", "-fno-vectorize",
    "-fno-slp-vectorize", "-Wno-psabi",
  ]

  /// The clang named by BAGEL_CLANG, else the first one on PATH, else one in the folders where clang is
  /// usually installed.
  public static func find() throws -> HostCompiler {
    let environment = ProcessInfo.processInfo.environment
    if let named = environment["BAGEL_CLANG"] {
      guard FileManager.default.isExecutableFile(atPath: named) else {
        throw ExecutionError.noCompiler(searched: ["BAGEL_CLANG=\(named) (not executable)"])
      }
      return HostCompiler(path: named)
    }
    let folders = (environment["PATH"] ?? "").split(separator: ":").map(String.init)
    let candidates = (folders + ["/usr/bin", "/usr/local/bin", "/opt/homebrew/opt/llvm/bin"]).map {
      $0 + "/clang"
    }
    for candidate in candidates where FileManager.default.isExecutableFile(atPath: candidate) {
      return HostCompiler(path: candidate)
    }
    throw ExecutionError.noCompiler(searched: candidates)
  }

  /// Distinguishes compilers without running them: path, size, date.
  var identity: String {
    let resolved = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    let attributes = try? FileManager.default.attributesOfItem(atPath: resolved)
    let date = (attributes?[.modificationDate] as? Date)?.timeIntervalSince1970 ?? 0
    return "\(resolved) \(attributes?[.size] ?? 0) \(date)"
  }

  /// First line of `clang --version`.
  public func version() throws -> String {
    let (_, output) = try run(["--version"])
    return output.split(separator: "\n").first.map(String.init) ?? "unknown"
  }

  func compile(source: String, to object: String) throws {
    let (status, log) = try run(Self.options + ["-o", object, source])
    guard status == 0 else { throw ExecutionError.compilation(log: log, source: source) }
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
