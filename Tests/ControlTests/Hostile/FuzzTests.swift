// SPDX-License-Identifier: Apache-2.0
// The command on a thousand damaged and hostile inputs. Whatever it is given, it ends with success or with one line that names
// the file, soon, and without much memory.
//   BAGEL_FUZZ_SEED (0) and BAGEL_FUZZ_INPUTS (of all kinds together; 1,200) choose others.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import SafeText
import Synchronization
import Tasks
import TestSupport
import Testing

@Suite("hostile inputs")
struct FuzzTests {
  private static let task = """
    name: fuzz
    timeStep: 0.1
    states: [{name: x, units: m}, {name: v, rateOf: x}]
    actions: [{name: u, limits: [-1, 1]}]
    logs: [log.csv]
    policy: {layers: [4], goal: error}
    reward: {saturating: {weights: [1, 0]}}
    start: [0, 0]
    goal: [0.5, 0]
    optimise: {particles: 8, horizon: 5, iterations: 2, starts: 1}
    evaluate: {seconds: 2, tolerance: 0.1}
    """

  private enum Kind: Int, CaseIterable {
    case log, task, formula, name, model, policy, search, loop
  }

  /// What an input is run with, and the files of which a refusal must name one.
  private struct Trial {
    var arguments: [String]
    var places: [String]
  }

  @Test("hundreds of inputs: no crash, a place in every refusal, within 10 s and 1 GB")
  func everything() throws {
    let environment = ProcessInfo.processInfo.environment
    let seed = environment["BAGEL_FUZZ_SEED"].flatMap { UInt64($0) } ?? 0
    let count = environment["BAGEL_FUZZ_INPUTS"].flatMap { Int($0) } ?? (isThorough ? 1_200 : 240)
    let sound = try Self.soundFolder()
    let failures = Mutex<[String]>([])
    let codes = Mutex<[String: Int]>([:])
    DispatchQueue.concurrentPerform(iterations: count) { index in
      var text = HostileText(seed: seed << 32 | UInt64(index))
      let kind = Kind.allCases[index % Kind.allCases.count]
      do {
        let folder = try Scratch.folder()
        defer { try? FileManager.default.removeItem(atPath: folder) }
        for file in ["log.csv", "t.yaml", "out", "quick.yaml", "loop"] {
          try FileManager.default.copyItem(atPath: "\(sound)/\(file)", toPath: "\(folder)/\(file)")
        }
        let trial = try Self.trial(kind, &text, folder)
        let run = try MeasuredRun([bagelBinary] + trial.arguments, in: folder, limit: 20)
        codes.withLock { $0["\(kind) \(run.status ?? -1)", default: 0] += 1 }
        if environment["BAGEL_FUZZ_KEEP"] != nil { print("\(kind): \(run.errors.suffix(300))") }
        if let problem = Self.problem(run, trial) {
          failures.withLock {
            $0.append(
              "seed \(seed), input \(index) (\(kind)): \(problem)\n\(run.errors.suffix(600))")
          }
          Self.keep(folder, "\(seed)-\(index)")
        }
      } catch {
        failures.withLock { $0.append("input \(index): \(error)") }
      }
    }
    print("hostile inputs, seed \(seed): \(codes.withLock { $0 }.sorted { $0.key < $1.key })")
    let found = failures.withLock { $0 }
    #expect(
      found.isEmpty, "\(found.count) of \(count):\n\(found.prefix(20).joined(separator: "\n"))")
  }

  /// Why an answer is none that a user should get, or nil.
  private static func problem(_ run: MeasuredRun, _ trial: Trial) -> String? {
    guard let status = run.status else { return "signal \(run.signal ?? 0)" }
    if run.seconds > 10 { return "\(run.seconds) s" }
    if run.peakBytes > 1 << 30 { return "\(run.peakBytes >> 20) MiB" }
    // 2: done, not solved. None of the commands is wrong in its words (64).
    guard [0, 2, 65].contains(status) else { return "exit code \(status)" }
    guard status == 65 else { return nil }
    let lines = run.errors.split(separator: "\n").filter { $0.hasPrefix("error: ") }
    guard lines.count == 1, let line = lines.first, run.errors.hasSuffix("\(line)\n") else {
      return "not one line of error at the end"
    }
    if printable(String(line)) != line { return "hidden characters in the error" }
    // The end of a long path is left out at its beginning.
    return (trial.places + ["error: \u{2026}"]).contains(where: line.contains)
      ? nil : "no place (\(trial.places))"
  }

  /// Where BAGEL_FUZZ_KEEP names a folder, what failed is kept in it.
  private static func keep(_ folder: String, _ name: String) {
    guard let place = ProcessInfo.processInfo.environment["BAGEL_FUZZ_KEEP"] else { return }
    try? FileManager.default.copyItem(atPath: folder, toPath: "\(place)/\(name)")
  }

  /// A log, a task, and what `fit`, `optimize` and an interrupted search made of them.
  private static func soundFolder() throws -> String {
    let folder = try Scratch.folder()
    var (x, log) = (0.0, "t,x,u\n")
    for k in 0..<60 {
      let u = sin(0.7 * Double(k)) * (k % 7 < 4 ? 1 : 0.3)
      log += "\(Double(k) / 10),\(x),\(u)\n"
      x += 0.1 * (u - 0.3 * x)
    }
    try log.write(toFile: folder + "/log.csv", atomically: true, encoding: .utf8)
    try task.write(toFile: folder + "/t.yaml", atomically: true, encoding: .utf8)
    for command in ["fit", "optimize"] {
      let run = try bagel([command, "t.yaml", "--output", "out"], in: folder)
      #expect(run.status == 0, "\(run.errors)")
    }
    let made = try ControlTask(folder + "/t.yaml")
    _ = try made.optimize(
      DynamicsModel(path: folder + "/out/model.safetensors"),
      checkpoint: folder + "/out/search-state.safetensors", checkpointInterval: 0
    ) { _ in false }
    let quick = QuickPendulum.yaml(trials: 1).replacingOccurrences(
      of: "evaluate: {", with: "evaluate: {episodes: 2, ")
    try quick.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let loop = try bagel(["learn", "quick.yaml", "--output", "loop"], in: folder)
    #expect([0, 2].contains(loop.status), "\(loop.errors)")
    return folder
  }

  private static func trial(
    _ kind: Kind, _ text: inout HostileText, _ folder: String
  ) throws -> Trial {
    func write(_ bytes: [UInt8], _ name: String) throws {
      try Data(bytes).write(to: URL(fileURLWithPath: folder + "/" + name))
    }
    func writeTask(_ task: String) throws { try write(Array(task.utf8), "t.yaml") }
    func damage(_ name: String) throws {
      var bytes = Array(FileManager.default.contents(atPath: "\(folder)/out/\(name)") ?? Data())
      text.damage(&bytes)
      try write(bytes, "out/\(name)")
    }
    switch kind {
    case .log:
      try write(text.log(), "log.csv")
      return Trial(
        arguments: [
          "fit", "--log", "log.csv", "--states", "x", "--actions", "u", "--time-step", "0.1",
        ], places: ["log.csv"])
    case .task:
      try write(text.task(task), "t.yaml")
      let command = text.pick(["emit", "fit", "optimize"])
      return Trial(
        arguments: [command, "t.yaml", "--output", "out"],
        places: ["t.yaml", "log.csv", "out/", (folder as NSString).lastPathComponent])
    case .formula:
      let formula = text.formula()
      try writeTask(
        task.replacingOccurrences(
          of: "{saturating: {weights: [1, 0]}}", with: "{formula: \(quoted(formula))}"))
      return Trial(arguments: ["optimize", "t.yaml", "--output", "out"], places: ["t.yaml"])
    case .name:
      let raw = text.name()
      let name = quoted(raw)
      let (old, new) = text.pick([
        ("name: fuzz", "name: \(name)"), ("{name: x,", "{name: \(name), column: x,"),
        ("name: v", "name: \(name)"), ("{name: u,", "{name: \(name), column: u,"),
        ("units: m", "units: \(name)"), ("{name: x,", "{name: x, column: \(name),"),
        ("logs: [log.csv]", "logs: [\(name)]"),
      ])
      try writeTask(task.replacingOccurrences(of: old, with: new))
      return Trial(
        arguments: ["fit", "t.yaml"],
        // A log is looked for beside its task, or at the root.
        places: [
          "t.yaml", "log.csv", (folder as NSString).lastPathComponent,
          printable(String(raw.suffix(8))),
        ])
    case .model:
      try damage("model.safetensors")
      unlink(folder + "/out/search-state.safetensors")
      return Trial(
        arguments: ["optimize", "t.yaml", "--output", "out"], places: ["model.safetensors"])
    case .policy:
      try damage("policy.safetensors")
      return Trial(
        arguments: ["export", "t.yaml", "--format", "c", "--output", "out"],
        places: ["policy.safetensors"])
    case .search:
      try damage("search-state.safetensors")
      return Trial(
        arguments: ["optimize", "t.yaml", "--output", "out"], places: ["search-state.safetensors"])
    case .loop:
      let path = "loop/learn/loop.json"
      var record = try String(contentsOfFile: "\(folder)/\(path)", encoding: .utf8)
      for _ in 0..<text.count(1...2) { text.replaceValue(inJSON: &record) }
      try write(Array(record.utf8), path)
      // A seed that was altered is that of another loop, which is said with the folder.
      return Trial(
        arguments: ["learn", "quick.yaml", "--output", "loop"], places: ["loop.json", "loop/learn"])
    }
  }

  /// A string of JSON, which is one of YAML too.
  private static func quoted(_ text: String) -> String {
    let data = try? JSONSerialization.data(
      withJSONObject: [text], options: [.withoutEscapingSlashes])
    return String(String(decoding: data ?? Data("[]".utf8), as: UTF8.self).dropFirst().dropLast())
  }
}
