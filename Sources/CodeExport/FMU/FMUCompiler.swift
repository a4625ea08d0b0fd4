// SPDX-License-Identifier: Apache-2.0
// The C compiler that makes an FMU's library for this machine. In: C files. Out: the bytes of a shared
// library. Not `HostCompiler`: that makes kernels for this processor alone with clang, this makes what other
// machines of the same kind load, with any compiler of C.

import Execution
import Faults
import Foundation
import SafeText

/// A C compiler.
package struct FMUCompiler: Sendable {
  package let path: String

  /// What a library that is not for this processor alone wants. The functions of the standard are exported, no others.
  private static let options =
    ["-std=c99", "-O2", "-fPIC", "-fvisibility=hidden", "-ffp-contract=off"]

  #if os(macOS)
    static let librarySuffix = ".dylib"
    private static let shared = ["-dynamiclib"]
  #else
    static let librarySuffix = ".so"
    private static let shared = ["-shared"]
  #endif

  package init(path: String) { self.path = URL(fileURLWithPath: path).path }

  /// The clang named by BAGEL_CLANG, else the first of cc, clang and gcc on PATH or in the folders where they usually are; nil where
  /// there is none.
  package static func find() -> FMUCompiler? {
    // One that is named and does not run is said, not passed over.
    if let named = ProcessInfo.processInfo.environment["BAGEL_CLANG"], !named.isEmpty {
      return FMUCompiler(path: named)
    }
    return ProgramSearch.find(["cc", "clang", "gcc"], others: ProgramSearch.compilerFolders)
      .map(FMUCompiler.init)
  }

  /// Where the library lies in an archive; nil where the standard has no name for this machine.
  ///
  /// FMI 2.0 (2.0.4 and later) calls 64-bit x86 linux64 and darwin64, and other processors as FMI 3.0 does.
  static func platform(_ version: FMIVersion) -> String? {
    #if os(Linux)
      let system = "linux"
    #elseif os(macOS)
      let system = "darwin"
    #else
      let system = ""
    #endif
    #if arch(x86_64)
      return system.isEmpty ? nil : version == .two ? "\(system)64" : "x86_64-\(system)"
    #elseif arch(arm64)
      return system.isEmpty ? nil : "aarch64-\(system)"
    #else
      return nil
    #endif
  }

  /// A compiler's failure, with what it said.
  struct Failure: Fault {
    let statement: String
    var origin: FaultOrigin { .surroundings }
  }

  /// Compiles the files in a folder of their own, which goes again.
  ///
  /// - Throws: `Failure`.
  func compile(_ files: [FMU.SourceFile]) throws(Failure) -> Data {
    let result: Result<Data, Failure> = Result { try compiled(files) }.mapError {
      ($0 as? Failure) ?? Failure(statement: "\(shortenedPath(path)): \($0.localizedDescription)")
    }
    return try result.get()
  }

  private func compiled(_ files: [FMU.SourceFile]) throws -> Data {
    let manager = FileManager.default
    let folder = manager.temporaryDirectory.appendingPathComponent("bagel-fmu-\(UUID().uuidString)")
    try manager.createDirectory(
      at: folder, withIntermediateDirectories: false, attributes: [.posixPermissions: 0o700])
    defer { try? manager.removeItem(at: folder) }
    for file in files {
      try Data(file.text.utf8).write(to: folder.appendingPathComponent(file.name))
    }
    let library = "library" + Self.librarySuffix
    let process = Process()
    process.executableURL = URL(fileURLWithPath: path)
    process.currentDirectoryURL = folder
    process.arguments =
      Self.options + Self.shared + ["-o", library]
      + files.map(\.name).filter { $0.hasSuffix(".c") } + ["-lm"]
    process.environment = ProcessInfo.processInfo.environment.merging(
      ["TMPDIR": folder.path, "LC_ALL": "C"]) { $1 }
    let pipe = Pipe()
    (process.standardOutput, process.standardError) = (pipe, pipe)
    process.standardInput = FileHandle.nullDevice
    try process.run()
    let words = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure(
        statement: "\(shortenedPath(path)) ended with status \(process.terminationStatus): "
          + shortened(words.split(separator: "\n").joined(separator: " "), to: longestMessage))
    }
    return try Data(contentsOf: folder.appendingPathComponent(library))
  }
}
