// SPDX-License-Identifier: Apache-2.0
// Two commands at once in one folder: one of them waits for nobody and is refused, nothing is mixed, no row of a log is lost.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Synchronization
import Tasks
import TestSupport
import Testing

@Suite("two commands at once")
struct SharedFolderTests {
  /// Runs commands side by side in a folder.
  private func atOnce(_ commands: [[String]], in folder: String) throws -> [MeasuredRun] {
    let runs = Mutex<[Int: MeasuredRun]>([:])
    DispatchQueue.concurrentPerform(iterations: commands.count) { index in
      let run = try? MeasuredRun([bagelBinary] + commands[index], in: folder, limit: 60)
      runs.withLock { $0[index] = run }
    }
    return try commands.indices.map { index in try #require(runs.withLock { $0[index] }) }
  }

  private func preparedFolder() throws -> String {
    let folder = try Scratch.folder()
    let yaml = QuickPendulum.yaml(trials: 1).replacingOccurrences(
      of: "evaluate: {", with: "evaluate: {episodes: 2, ")
    try yaml.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    for command in ["fit", "optimize"] {
      let run = try bagel([command, "quick.yaml"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
    }
    return folder
  }

  @Test(
    "every pair of commands that write the same folder leaves what one of them alone would leave")
  func pairs() throws {
    let prepared = try preparedFolder()
    let commands = [
      ["fit"], ["optimize", "--restart"], ["evaluate"], ["learn", "--restart"],
      ["export", "--format", "c"], ["run", "--seconds", "0.3"],
    ]
    var refused = 0
    for (first, second) in commands.flatMap({ a in commands.map { (a, $0) } }) {
      let folder = try Scratch.folder()
      try FileManager.default.removeItem(atPath: folder)
      try FileManager.default.copyItem(atPath: prepared, toPath: folder)
      func command(_ words: [String], _ seed: Int) -> [String] {
        [words[0], "quick.yaml", "--seed", "\(seed)"] + words.dropFirst()
      }
      let runs = try atOnce([command(first, 1), command(second, 2)], in: folder)
      for run in runs {
        let isRefused =
          run.status == 65
          && run.errors.hasSuffix(
            "another bagel process is using quick-out; wait for it or give another --output\n")
        if isRefused { refused += 1 }
        #expect(isRefused || [0, 2].contains(run.status), "\(first) \(second): \(run.errors)")
      }
      #expect(runs.contains { [0, 2].contains($0.status) }, "\(first) \(second)")
      try checkIsWhole(folder + "/quick-out", "\(first) \(second)")
      try FileManager.default.removeItem(atPath: folder)
    }
    print("pairs of commands: \(refused) of \(commands.count * commands.count) had one refused")
    #expect(refused > 0)
  }

  /// Whether model, policy and their reports are of the same making.
  private func checkIsWhole(_ output: String, _ pair: String) throws {
    func report(_ name: String) -> String {
      (try? String(contentsOfFile: "\(output)/\(name)", encoding: .utf8)) ?? ""
    }
    let (controller, description) = try PolicyController.read(path: output + "/policy.safetensors")
    let model = try DynamicsModel.fingerprint(path: output + "/model.safetensors")
    // `learn` writes both and has a report of its own.
    let isLearnt = FileManager.default.fileExists(atPath: output + "/learn/report.html")
    let place = isLearnt ? "learn/report.html" : "report-optimize.html"
    #expect(report(place).contains("policy \(controller.fingerprint)"), "\(pair)")
    #expect(report(place).contains(description.model ?? "?"), "\(pair)")
    #expect(isLearnt || report("report-fit.html").contains(model), "\(pair)")
    #expect(!FileManager.default.fileExists(atPath: output + "/.bagel-lock"), "\(pair)")
  }

  @Test("every command that writes a folder is refused while another holds it, and changes nothing")
  func held() throws {
    let folder = try preparedFolder()
    let output = folder + "/quick-out"
    let lock = try FolderLock(output)
    func contents() throws -> [String: Data] {
      let names = try FileManager.default.contentsOfDirectory(atPath: output)
      return Dictionary(
        uniqueKeysWithValues: names.compactMap { name in
          FileManager.default.contents(atPath: output + "/" + name).map { (name, $0) }
        })
    }
    let before = try contents()
    for command in [
      ["fit", "quick.yaml"], ["optimize", "quick.yaml"], ["evaluate", "quick.yaml"],
      ["learn", "quick.yaml"], ["learn", "quick.yaml", "--runs", "2"],
      ["run", "quick.yaml", "--seconds", "0.3"], ["export", "quick.yaml", "--format", "onnx"],
      ["export", "quick.yaml", "--format", "c", "--file", "quick-out/a.c"],
      ["demo", "--output", "quick-out"], ["reproduce", "figure4", "--output", "quick-out"],
    ] {
      let run = try MeasuredRun([bagelBinary] + command, in: folder, limit: 30)
      #expect(run.status == 65, "\(command): \(run.errors)")
      #expect(run.errors.hasSuffix("give another --output\n"), "\(command): \(run.errors)")
      #expect(try contents() == before, "\(command)")
    }
    withExtendedLifetime(lock) {}
  }

  @Test("a log is written by one command only, and no row of it is damaged")
  func logs() throws {
    let folder = try preparedFolder()
    for round in 0..<3 {
      let log = folder + "/run-\(round).csv"
      let commands = [1, 2].map { seed in
        [
          "run", "quick.yaml", "--seed", "\(seed)", "--seconds", "0.5", "--log", log,
          "--output", "out-\(seed)", "--policy", "quick-out/policy.safetensors",
        ]
      }
      let runs = try atOnce(commands, in: folder)
      #expect(runs.count { $0.status == 0 } == 1, "\(runs.map(\.errors))")
      #expect(runs.contains { $0.errors.contains("already") }, "\(runs.map(\.errors))")
      let layout = try ControlTask(folder + "/quick.yaml").layout
      #expect(try layout.episodes(from: [log], needsExcitation: false).count == 1)
      #expect(FileManager.default.fileExists(atPath: folder + "/run-\(round).policy.json"))
    }
  }

  @Test("a lock is held once, by the folder whatever its name is, and leaves no file")
  func folderLock() throws {
    let folder = try Scratch.folder()
    var first: FolderLock? = try FolderLock(folder)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    #expect(throws: LoopError.self) { try FolderLock(folder) }
    try FileManager.default.moveItem(atPath: folder, toPath: folder + "-moved")
    #expect(throws: LoopError.self) { try FolderLock(folder + "-moved") }
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: nil)
    _ = try FolderLock(folder)
    #expect(first != nil)
    first = nil
    _ = try FolderLock(folder + "-moved")
  }

  @Test(
    "where folders cannot be locked, a file is: it outlives neither its holder nor its folder's name"
  )
  func fileLock() throws {
    let folder = try Scratch.folder()
    // A file that a killed process left locks nobody out.
    try Data().write(to: URL(fileURLWithPath: folder + "/.bagel-lock"))
    var first: FolderLock? = try FolderLock(folder, byFile: true)
    #expect(throws: LoopError.self) { try FolderLock(folder, byFile: true) }
    try FileManager.default.moveItem(atPath: folder, toPath: folder + "-moved")
    try FileManager.default.createDirectory(
      atPath: folder, withIntermediateDirectories: false, attributes: nil)
    let second = try FolderLock(folder, byFile: true)
    #expect(first != nil)
    first = nil
    #expect(FileManager.default.fileExists(atPath: folder + "/.bagel-lock"), "the new folder's own")
    #expect(!FileManager.default.fileExists(atPath: folder + "-moved/.bagel-lock"))
    withExtendedLifetime(second) {}
  }

  @Test(
    "many at once: never two hold a folder, and in the end it is free", arguments: [false, true])
  func manyLocks(byFile: Bool) throws {
    struct Count {
      var holders = 0
      var most = 0
      var successes = 0
    }
    let count = Mutex(Count())
    let busy = try Scratch.folder()
    DispatchQueue.concurrentPerform(iterations: 400) { _ in
      guard let lock = try? FolderLock(busy, byFile: byFile) else { return }
      count.withLock {
        $0.holders += 1
        $0.most = max($0.most, $0.holders)
        $0.successes += 1
      }
      usleep(100)
      count.withLock { $0.holders -= 1 }
      withExtendedLifetime(lock) {}
    }
    #expect(count.withLock { $0.most } == 1)
    #expect(count.withLock { $0.successes } > 0)
    _ = try FolderLock(busy, byFile: byFile)
  }
}
