// SPDX-License-Identifier: Apache-2.0
// What another user would put into a cache of kernels: a valid entry whose code writes a file as soon as it is loaded; and
// the smallest kernel there is, to look for it with; and a program of that user's. Acts of another user need root; tests
// without it say that they skip.

import Execution
import Foundation
import Programs
import TestSupport

/// A rollout that does nothing: x' = x.
let idleProgram: RolloutProgram = {
  let step = ProgramBuilder()
  step.output(.next, step.input(.carry, length: 1))
  step.output(.reward, step.constant([0]))
  step.output(.action, step.constant([0]))
  let initial = ProgramBuilder()
  initial.output(.reward, initial.constant([0]))
  return RolloutProgram(
    initial: initial.finish(), step: step.finish(), parameterCount: 0, stateLimit: 1)
}()

/// Loads the idle kernel. Throws: `ExecutionError`.
@discardableResult
func loadIdle(_ folder: String) throws -> HostExecutor {
  try HostExecutor(idleProgram, data: [:], threads: 1, cache: KernelCache(folder: folder))
}

/// The text of what `body` throws, "" if nothing.
func message(_ body: () throws -> Void) -> String {
  do {
    try body()
    return ""
  } catch {
    return "\(error)"
  }
}

/// A user who is neither root nor this one (nobody, on most systems).
let otherUser: uid_t = 65_534

/// Whether other users can be played; says so if not.
func canPlayOtherUsers(_ what: String) -> Bool {
  if geteuid() == 0 { return true }
  print("skipped: not root, \(what)")
  return false
}

/// A folder with the idle kernel in it, and the entry's name.
func filledFolder() throws -> (folder: String, entry: String) {
  let folder = try Scratch.folder()
  try loadIdle(folder)
  let names = try FileManager.default.contentsOfDirectory(atPath: folder)
  guard names.count == 1, names[0].hasSuffix(".kernel") else {
    throw ExecutionError.loading(path: folder, reason: "one entry and nothing else: \(names)")
  }
  return (folder, names[0])
}

/// A kernel that tells when it is loaded.
struct ForeignKernel {
  /// Written by the kernel's constructor.
  let marker = Scratch.path("marker")
  /// A valid entry for the name it was made for.
  let file: Data

  init(for entry: String) throws {
    let (source, object) = (Scratch.path("foreign.c"), Scratch.path("foreign.so"))
    let text = """
      #include <stdio.h>
      __attribute__((constructor)) static void loaded(void) { fclose(fopen("\(marker)", "w")); }
      int bagel_lanes(void) { return 4; }
      void bagel_returns(void) {}
      """
    try text.write(toFile: source, atomically: true, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: try HostCompiler.find().path)
    compiler.arguments = ["-shared", "-fPIC", "-w", "-o", object, source]
    try compiler.run()
    compiler.waitUntilExit()
    let code = try Data(contentsOf: URL(fileURLWithPath: object))
    let checksum = sha256((entry.replacingOccurrences(of: ".kernel", with: "") + sha256(code)).utf8)
    file = Data("BAGEL kernel 2\n\(checksum)\n".utf8) + code
  }

  var wasLoaded: Bool { FileManager.default.fileExists(atPath: marker) }

  /// Puts the entry there as its owner and mode say.
  func write(to path: String, owner: uid_t = geteuid(), mode: mode_t = 0o600) throws {
    try? FileManager.default.removeItem(atPath: path)
    try file.write(to: URL(fileURLWithPath: path))
    guard chmod(path, mode) == 0, chown(path, owner, owner) == 0 else {
      throw ExecutionError.loading(path: path, reason: String(cString: strerror(errno)))
    }
  }
}

/// A program of another user that does something to the names of a folder again and again until it is ended.
final class Attacker {
  private let process = Process()

  /// - Parameters:
  ///   - round: C, what is done again and again; `arguments[2]` and so on are `words`.
  ///   - folder: its current folder, which he can search.
  init(_ round: String, in folder: String, _ words: [String] = []) throws {
    let (source, program) = (Scratch.path("attacker.c"), Scratch.path("attacker"))
    let text = """
      #include <stdio.h>
      #include <sys/time.h>
      #include <unistd.h>
      int main(int count, char **arguments) {
        if (chdir(arguments[1]) || setgid(\(otherUser)) || setuid(\(otherUser))) return 1;
        const int parent = getppid();
        while (getppid() == parent) { \(round) }
        return 0;
      }
      """
    try text.write(toFile: source, atomically: true, encoding: .utf8)
    let compiler = Process()
    compiler.executableURL = URL(fileURLWithPath: try HostCompiler.find().path)
    compiler.arguments = ["-O1", "-w", "-o", program, source]
    try compiler.run()
    compiler.waitUntilExit()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [folder] + words
    try process.run()
  }

  func end() {
    // Not `terminate`: the threads of tests block SIGTERM, and their children inherit that.
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }
}
