// SPDX-License-Identifier: Apache-2.0
// What `export --file` names: a file is replaced, a link is followed and stays, a device or pipe is written to and stays.

import Bagel
import Foundation
import MachineLogs
import Policies
import Tasks
import TestSupport
import Testing

@Suite("targets of export")
struct ExportTargetTests {
  private let folder: String
  private let whole: String

  init() throws {
    folder = try Scratch.folder()
    let yaml = SmallTask.yaml.replacingOccurrences(of: "name: test", with: "name: small")
    try yaml.write(toFile: folder + "/small.yaml", atomically: true, encoding: .utf8)
    let task = try ControlTask(folder + "/small.yaml")
    let policy = task.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
      stateScale: [1, 1])
    try controller.write(
      to: folder + "/policy.safetensors", description: task.policyDescription)
    let export = try task.exported(
      controller, task.policyDescription, in: folder, provenance: [])
    whole = String(decoding: try export.data(.c), as: UTF8.self)
  }

  private func export(_ file: String) throws -> Outcome {
    try bagel(
      ["export", "small.yaml", "--policy", "policy.safetensors", "--format", "c", "--file", file],
      in: folder)
  }

  private func text(_ name: String) throws -> String {
    try String(contentsOfFile: folder + "/" + name, encoding: .utf8)
  }

  /// What lstat says a path is.
  private func kind(_ path: String) -> mode_t {
    var status = stat()
    return lstat(path, &status) == 0 ? status.st_mode & S_IFMT : 0
  }

  @Test("files of any name, replaced whole; the header beside; no output folder is made")
  func files() throws {
    for name in ["a", "a.c", "new/deep/a.c", "./b.c"] {
      let outcome = try export(name)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(try text(name) == whole)
    }
    #expect(try text("a.h").contains("#ifndef") && text("new/deep/a.h").contains("#ifndef"))
    #expect(!FileManager.default.fileExists(atPath: folder + "/small-out"))
  }

  @Test("C without a file is a folder in the output folder, with a test and a README")
  func folderOfC() throws {
    for _ in 0..<2 {
      let outcome = try bagel(
        [
          "export", "small.yaml", "--policy", "policy.safetensors", "--format", "c", "--output",
          "out", "--json",
        ], in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
      #expect(outcome.json["path"] as? String == "out/controller/controller.c")
    }
    let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/out/controller")
    #expect(
      Set(names) == ["controller.c", "controller.h", "controller_test.c", "README.md"],
      "the same bytes are no former file: \(names)")
    #expect(try text("out/controller/controller.c") == whole)
    #expect(try text("out/controller/README.md").contains("policy "))
  }

  @Test("links are followed, to nothing too, and stay")
  func links() throws {
    let files = FileManager.default
    try "old".write(toFile: folder + "/real.c", atomically: true, encoding: .utf8)
    for (link, target) in [("there.c", "real.c"), ("not-yet.c", "later.c")] {
      try files.createSymbolicLink(
        atPath: folder + "/" + link, withDestinationPath: target)
      #expect(try export(link).status == 0)
      #expect(kind(folder + "/" + link) == S_IFLNK)
      #expect(try text(target) == whole)
    }
    try files.createSymbolicLink(atPath: folder + "/round.c", withDestinationPath: "round.c")
    #expect(try export("round.c").status == 1)
  }

  @Test("devices and pipes are written to, and nothing is put beside them")
  func streams() throws {
    #expect(try export("/dev/null").status == 0)
    #expect(kind("/dev/null") == S_IFCHR)
    let full = try export("/dev/full")
    #expect(full.status == 1 && full.errors.contains("No space left on device"), "\(full.errors)")
    #expect(mkfifo(folder + "/pipe.c", 0o600) == 0)
    let reader = Process()
    reader.executableURL = URL(fileURLWithPath: "/bin/sh")
    reader.arguments = ["-c", "cat '\(folder)/pipe.c' > '\(folder)/read.c'"]
    try reader.run()
    #expect(try export("pipe.c").status == 0)
    reader.waitUntilExit()
    #expect(try text("read.c") == whole && kind(folder + "/pipe.c") == S_IFIFO)
    #expect(kind(folder + "/pipe.h") == 0)
    let shown = try export("/dev/stdout")
    #expect(shown.output == whole && shown.errors.hasPrefix("controller: /dev/stdout"))
  }

  @Test("a file below /dev is a file like others; benchmarks follow links and write to pipes too")
  func others() throws {
    if FileManager.default.isWritableFile(atPath: "/dev/shm") {
      let path = "/dev/shm/bagel-\(UUID().uuidString)"
      defer { for end in [".c", ".h"] { unlink(path + end) } }
      for _ in 0..<2 {
        #expect(try export(path + ".c").status == 0)
        #expect(try String(contentsOfFile: path + ".c", encoding: .utf8) == whole)
      }
      #expect(kind(path + ".h") == S_IFREG)
    }
    let files = FileManager.default
    try files.createSymbolicLink(
      atPath: folder + "/data.csv", withDestinationPath: "real.csv")
    let arguments = ["benchmark", "fit", "--points", "60", "--data"]
    #expect(try bagel(arguments + ["data.csv"], in: folder).status == 0)
    #expect(kind(folder + "/data.csv") == S_IFLNK && kind(folder + "/real.csv") == S_IFREG)
    #expect(try bagel(arguments + ["/dev/null"], in: folder).status == 0)
    #expect(kind("/dev/null") == S_IFCHR)
  }

  @Test("what the command or its task reads is not replaced, any other former file is kept")
  func formerFiles() throws {
    try FileManager.default.createSymbolicLink(
      atPath: folder + "/link.c", withDestinationPath: "small.yaml")
    for name in ["small.yaml", "policy.safetensors", "link.c"] {
      let outcome = try export(name)
      #expect(outcome.status == 1, "\(name)")
      #expect(
        outcome.errors == "error: cannot write \(name): this command or its task reads it\n")
    }
    #expect(try text("small.yaml").hasPrefix("name: small"))
    try "mine".write(toFile: folder + "/mine.c", atomically: true, encoding: .utf8)
    let outcome = try export("mine.c")
    #expect(outcome.output.contains("the former file is kept: "), "\(outcome.output)")
    #expect(try text("mine.previous.c") == "mine" && text("mine.c") == whole)
  }

  @Test("a policy's file takes whatever a task may say of its plant and its names")
  func words() throws {
    let command = String(repeating: "a long way/", count: 500)
    let yaml = SmallTask.yaml.replacingOccurrences(
      of: "name: test", with: "name: \"\u{915}\u{94D}\u{200D}\u{937}\"")
    try (yaml + "\nplant: {process: [./plant, \"two\\nlines\", \"\(command)\"]}\n").write(
      toFile: folder + "/words.yaml", atomically: true, encoding: .utf8)
    let task = try ControlTask(folder + "/words.yaml")
    let policy = task.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
      stateScale: [1, 1])
    var description = task.policyDescription
    description.plant = task.plant?.words
    let path = folder + "/words.safetensors"
    try controller.write(to: path, description: description)
    #expect(try PolicyController.read(path: path).description.plant == description.plant)
  }

  @Test("folders are refused")
  func folders() throws {
    for name in [".", "..", "/"] {
      let outcome = try export(name)
      #expect(outcome.status == 1 && outcome.errors.hasSuffix("it is a folder\n"))
    }
    #expect(try export("").status == 1)
  }
}
