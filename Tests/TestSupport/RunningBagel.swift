// SPDX-License-Identifier: Apache-2.0
// Runs the real binary and reads what it says.

import Foundation

package struct Outcome: Sendable {
  package var status: Int32
  package var output: String
  package var errors: String

  /// The JSON object on the last line of standard output.
  package var json: [String: Any] {
    let last = output.split(separator: "\n").last.map(String.init) ?? ""
    return (try? JSONSerialization.jsonObject(with: Data(last.utf8))) as? [String: Any] ?? [:]
  }
}

/// The folder of the built products, beside the test bundle.
package let bagelBinary: String = {
  let bundle = CommandLine.arguments[0]
  var folder = URL(fileURLWithPath: bundle)
  while folder.path != "/" {
    let candidate = folder.appendingPathComponent("bagel").path
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: candidate, isDirectory: &isFolder),
      !isFolder.boolValue
    {
      return candidate
    }
    folder = folder.deletingLastPathComponent()
  }
  let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent()
  return package.appendingPathComponent(".build/release/bagel").path
}()

/// Runs bagel in `folder`; `interruptWhenExists` sends the signal once that file exists.
package func bagel(
  _ arguments: [String], in folder: String, interruptWhenExists file: String? = nil,
  signal: Int32 = SIGINT,
  environment: [String: String] = [:]
) throws -> Outcome {
  try run(
    bagelBinary, arguments, in: folder, interruptWhenExists: file, signal: signal,
    environment: environment)
}

/// The Python with the packages that tests compare with; nil where there is none.
package let testPython = ProcessInfo.processInfo.environment["BAGEL_PYTHON"].flatMap {
  $0.isEmpty ? nil : $0
}

/// A program that did not end with 0.
package struct ProgramFailed: Error, CustomStringConvertible {
  package let description: String
}

/// What a program says that ends with 0, in a folder of its own. Throws: `ProgramFailed`.
package func output(_ command: [String]) throws -> String {
  let ended = try run("/usr/bin/env", command)
  guard ended.status == 0 else {
    throw ProgramFailed(
      description: "\(command.prefix(3)): \(ended.status), \(ended.errors.suffix(2_000))")
  }
  return ended.output
}

/// Runs a program in `folder`, a new one by default.
package func run(
  _ program: String, _ arguments: [String], in folder: String? = nil,
  interruptWhenExists file: String? = nil, signal: Int32 = SIGINT,
  environment: [String: String] = [:]
) throws -> Outcome {
  let folder = try folder ?? Scratch.folder()
  let process = Process()
  process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
  process.executableURL = URL(fileURLWithPath: program)
  process.arguments = arguments
  process.currentDirectoryURL = URL(fileURLWithPath: folder)
  let outputPath = folder + "/" + UUID().uuidString
  let errorPath = outputPath + ".err"
  for path in [outputPath, errorPath] {
    try Data().write(to: URL(fileURLWithPath: path))
  }
  process.standardOutput = FileHandle(forWritingAtPath: outputPath)
  process.standardError = FileHandle(forWritingAtPath: errorPath)
  process.standardInput = FileHandle.nullDevice
  try process.run()
  if let file {
    for _ in 0..<600 where !FileManager.default.fileExists(atPath: file) { usleep(50_000) }
    kill(process.processIdentifier, signal)
  }
  process.waitUntilExit()
  return Outcome(
    status: process.terminationStatus,
    output: String(decoding: try Data(contentsOf: URL(fileURLWithPath: outputPath)), as: UTF8.self),
    errors: String(decoding: try Data(contentsOf: URL(fileURLWithPath: errorPath)), as: UTF8.self))
}

/// Runs `body`, which waits for programs and computes little, on a thread of its own, so that other tests run meanwhile: they share as
/// many threads as there are cores.
package func besideOtherTests<T: Sendable>(
  _ body: @escaping @Sendable () throws -> T
) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
  }
}
