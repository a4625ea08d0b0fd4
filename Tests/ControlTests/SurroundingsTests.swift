// SPDX-License-Identifier: Apache-2.0
// What surrounds a command and must not matter, or must be said: a locale with decimal commas, no home folder, a disk that is
// full or read-only.

import Bagel
import Foundation
import MachineLogs
import TestSupport
import Testing

@Suite("surroundings")
struct SurroundingsTests {
  private func folder() throws -> String {
    let folder = try Scratch.folder()
    let yaml = QuickPendulum.yaml(trials: 1).replacingOccurrences(
      of: "evaluate: {", with: "evaluate: {episodes: 1, ")
    try yaml.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    return folder
  }

  @Test("numbers have points in every file and message, whatever the locale")
  func decimalCommas() throws {
    let locales = try Scratch.folder()
    let made = try? run(
      "/usr/bin/localedef", ["-i", "de_DE", "-f", "UTF-8", locales + "/de_DE.UTF-8"])
    guard made?.status == 0 else { return print("skipped: no localedef to make de_DE with") }
    let environment = ["LOCPATH": locales, "LC_ALL": "de_DE.UTF-8", "LANG": "de_DE.UTF-8"]
    let shown = try run("/usr/bin/printf", ["%.1f", "1"], environment: environment)
    #expect(shown.output == "1,0", "the locale is not in force: this test would show nothing")
    var files: [[String: Data]] = []
    var words: [String] = []
    for surroundings in [["LC_ALL": "C"], environment] {
      let folder = try folder()
      var said = ""
      for command in [
        ["fit", "quick.yaml"], ["optimize", "quick.yaml"], ["evaluate", "quick.yaml"],
        ["export", "quick.yaml", "--format", "c"],
      ] {
        let outcome = try bagel(command, in: folder, environment: surroundings)
        #expect([0, 2].contains(outcome.status), "\(outcome.errors)")
        said += outcome.output
      }
      words.append(said)
      var made: [String: Data] = [:]
      for name in ["model.safetensors", "policy.safetensors", "controller/controller.c"] {
        made[name] = FileManager.default.contents(atPath: "\(folder)/quick-out/\(name)")
      }
      files.append(made)
    }
    #expect(files[0] == files[1] && files[0].count == 3)
    // Seconds differ from run to run.
    func shapes(_ text: String) -> String {
      text.replacing(/[0-9.e+-]*[0-9]/, with: "#")
    }
    #expect(shapes(words[0]) == shapes(words[1]))
  }

  @Test("without a home folder everything works")
  func noHome() throws {
    let folder = try folder()
    let environment = ["HOME": "/nonexistent", "XDG_CACHE_HOME": "", "TMPDIR": folder]
    for command in ["fit", "optimize"] {
      let outcome = try bagel([command, "quick.yaml"], in: folder, environment: environment)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let cache = folder + "/bagel-cache-\(geteuid())"
    #expect(try !FileManager.default.contentsOfDirectory(atPath: cache).isEmpty)
  }

  /// Runs with a small disk of its own, where the system lets this user have one.
  private func withDisk(_ body: (String) throws -> Void) throws {
    let disk = try Scratch.folder()
    let mounted = try? run("/bin/mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", disk])
    guard mounted?.status == 0 else { return print("skipped: no right to mount a disk") }
    defer { _ = try? run("/bin/umount", ["-l", disk]) }
    try body(disk)
  }

  @Test("a full disk is said with the file that is not written; what was there stays whole")
  func fullDisk() throws {
    let folder = try folder()
    #expect(try bagel(["fit", "quick.yaml"], in: folder).status == 0)
    #expect(try bagel(["optimize", "quick.yaml"], in: folder).status == 0)
    try withDisk { disk in
      for name in ["model.safetensors", "policy.safetensors"] {
        try FileManager.default.copyItem(
          atPath: "\(folder)/quick-out/\(name)", toPath: "\(disk)/\(name)")
      }
      let policy = FileManager.default.contents(atPath: disk + "/policy.safetensors")
      _ = try run("/bin/sh", ["-c", "cat /dev/zero > '\(disk)/rest'; true"])
      for command in [
        ["fit"], ["optimize", "--seed", "3"], ["evaluate"], ["export", "--format", "c"],
        ["learn"], ["run", "--seconds", "0.5"],
      ] {
        let outcome = try bagel(
          [command[0], "quick.yaml", "--output", disk] + command.dropFirst(), in: folder)
        #expect(outcome.status == 1, "\(command): \(outcome.output) \(outcome.errors)")
        #expect(
          outcome.errors.contains("No space left on device") && outcome.errors.contains(disk),
          "\(command): \(outcome.errors)")
        #expect(!outcome.errors.contains("bug"), "\(command): \(outcome.errors)")
        #expect(
          FileManager.default.contents(atPath: disk + "/policy.safetensors") == policy, "\(command)"
        )
      }
    }
  }

  @Test("a read-only disk is said before anything is computed or moved")
  func readOnlyDisk() throws {
    let folder = try folder()
    try withDisk { disk in
      #expect(try run("/bin/mount", ["-o", "remount,ro", disk]).status == 0)
      for command in ["fit", "optimize", "evaluate", "learn", "run", "demo"] {
        let task = command == "demo" ? [] : ["quick.yaml"]
        let outcome = try bagel([command] + task + ["--output", disk], in: folder)
        #expect(outcome.status == 1, "\(command): \(outcome.errors)")
        #expect(outcome.errors.contains(disk) && outcome.output.isEmpty, "\(outcome.errors)")
      }
    }
  }
}
