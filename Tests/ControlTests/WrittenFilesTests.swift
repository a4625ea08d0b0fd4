// SPDX-License-Identifier: Apache-2.0
// What commands write and leave: replaced files are kept, folders are made where they are wanted and not left empty by failures,
// an earlier loop is not moved away for nothing, a run's log says goals and policy, an exported controller has a header.

import Bagel
import Foundation
import MachineLogs
import Policies
import Tasks
import TestSupport
import Testing

private func exists(_ path: String) -> Bool { FileManager.default.fileExists(atPath: path) }

/// A driven first-order machine whose only sensor is x; its rate is derived.
private let machine = """
  name: machine
  timeStep: 0.1
  states: [{name: x}, {name: speed, rateOf: x, filterTime: 0.1}]
  actions: [{name: u, limits: [-1, 1]}]
  plant: {process: [sh, plant.sh], clock: simulation}
  explore: {kind: random, seconds: 4}
  policy: {layers: [4], goal: error}
  reward: {quadratic: {weights: [1, 0]}}
  start: [0, 0]
  goal: [0.5, 0]
  optimise: {particles: 16, horizon: 20, iterations: 10, starts: 1}
  evaluate: {seconds: 3, tolerance: 0.05, settle: 2}
  learn: {trials: 1}
  """

private let script = """
  x=0
  while read -r line; do
    case "$line" in
      *close*) exit 0;;
      *reset*) x=0;;
      *) u=$(echo "$line" | sed 's/.*\\[\\(.*\\)\\].*/\\1/'); x=$(awk "BEGIN{print 0.9*$x+0.1*$u}");;
    esac
    echo "{\\"state\\":[$x]}"
  done
  """

private func machineFolder(_ task: String = machine) throws -> String {
  let folder = try Scratch.folder()
  try task.write(toFile: folder + "/machine.yaml", atomically: true, encoding: .utf8)
  try script.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
  return folder
}

private func writePolicy(_ path: String, of task: String, seed: UInt64 = 1) throws
  -> PolicyController
{
  let task = try ControlTask(task)
  let policy = task.makePolicy()
  let controller = PolicyController(
    policy: policy, parameters: policy.initialParameters(seed), stateMean: [0, 0],
    stateScale: [1, 1])
  try controller.write(to: path, description: task.policyDescription)
  return controller
}

@Suite("written files")
struct WrittenFilesTests {
  @Test(
    "what is replaced by other bytes is a version, and said with the return that its file knows")
  func formerFiles() throws {
    let folder = try Scratch.folder()
    let yaml = QuickPendulum.yaml(trials: 1).replacingOccurrences(
      of: "evaluate: {", with: "evaluate: {episodes: 1, ")
    try yaml.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let output = folder + "/quick-out"
    func contents(_ name: String) -> Data? {
      FileManager.default.contents(atPath: output + "/" + name)
    }
    func say(_ arguments: String...) throws -> String {
      let outcome = try bagel(arguments, in: folder)
      #expect([0, 2].contains(outcome.status), "\(outcome.errors)")
      return outcome.output
    }
    #expect(try !say("fit", "quick.yaml").contains("former"))
    let first = contents("model.safetensors")
    // The same bytes again replace nothing, and are no other version.
    #expect(try !say("fit", "quick.yaml").contains("former"))
    #expect(contents("versions/2/version.json") == nil)
    #expect(
      try say("fit", "quick.yaml", "--seed", "5").contains(
        "the former model is version 1; this one is version 2"))
    #expect(first != nil && contents("versions/1/model.safetensors") == first)
    #expect(contents("model.safetensors") != first && contents("model.safetensors.new") == nil)

    _ = try say("optimize", "quick.yaml")
    let policy = contents("policy.safetensors")
    let value = try PolicyController.read(path: output + "/policy.safetensors").description
      .predictedReturn
    let found = try #require(value)
    // The loop's policy replaces that of `optimize`, or stays beside it where that one is better.
    let learnt = try say("learn", "quick.yaml", "--replace")
    #expect(
      learnt.contains("the former policy is version 3, return \(number(found)) on its model"),
      "\(learnt)")
    #expect(policy != nil && contents("versions/3/policy.safetensors") == policy)
  }

  @Test("a machine's log stays where a simulation follows it")
  func machineLogs() throws {
    let folder = try Scratch.folder()
    try QuickPendulum.yaml().write(
      toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    try FileManager.default.createDirectory(
      atPath: folder + "/quick-out", withIntermediateDirectories: false)
    let log = folder + "/quick-out/exploration-1.csv"
    try "driven".write(toFile: log, atomically: true, encoding: .utf8)
    for _ in 0..<2 { #expect(try bagel(["fit", "quick.yaml"], in: folder).status == 0) }
    #expect(try String(contentsOfFile: log, encoding: .utf8) == "driven")
    #expect(exists(folder + "/quick-out/simulated-1.csv"))
  }

  @Test("a loop is not moved away by --restart where its task cannot begin")
  func restart() throws {
    for (plant, words) in [
      ("[no-such-program]", "there is no program 'no-such-program' on PATH"),
      ("[sh, missing.sh]", "there is no file 'missing.sh' in"),
      ("[./plant.sh]", "is not executable"),
    ] {
      let folder = try machineFolder(
        machine.replacingOccurrences(of: "[sh, plant.sh]", with: plant))
      let loop = folder + "/machine-out/learn"
      try FileManager.default.createDirectory(atPath: loop, withIntermediateDirectories: true)
      try "x".write(toFile: loop + "/mark", atomically: true, encoding: .utf8)
      let outcome = try bagel(["learn", "machine.yaml", "--restart"], in: folder)
      #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome.errors)")
      #expect(exists(loop + "/mark") && !exists(loop + ".old-1"))
    }
    let folder = try machineFolder()
    let loop = folder + "/machine-out/learn"
    try FileManager.default.createDirectory(atPath: loop, withIntermediateDirectories: true)
    try "x".write(toFile: loop + "/mark", atomically: true, encoding: .utf8)
    _ = try bagel(["learn", "machine.yaml", "--restart"], in: folder)
    #expect(exists(loop + ".old-1/mark") && exists(loop + "/loop.json"))
  }

  @Test(
    "a loop whose record was lost drives nothing anew", arguments: ["missing", "folder", "empty"])
  func lostRecord(kind: String) throws {
    let folder = try Scratch.folder()
    try QuickPendulum.yaml(trials: 1).write(
      toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    #expect([0, 2].contains(try bagel(["learn", "quick.yaml"], in: folder).status))
    let record = folder + "/quick-out/learn/loop.json"
    switch kind {
    case "missing": try FileManager.default.removeItem(atPath: record)
    case "folder":
      try FileManager.default.removeItem(atPath: record)
      try FileManager.default.createDirectory(atPath: record, withIntermediateDirectories: false)
    default:
      let text = #"{"seed": 0, "spread": 0, "episodes": [], "episodesBefore": 0}"#
      try text.write(toFile: record, atomically: true, encoding: .utf8)
    }
    func names() throws -> [String] {
      try FileManager.default.subpathsOfDirectory(atPath: folder + "/quick-out").sorted()
    }
    let before = try names()
    let again = try bagel(["learn", "quick.yaml", "--trials", "2"], in: folder)
    #expect(again.status == 65 && again.errors.contains("loop.json"), "\(again.errors)")
    #expect(again.errors.contains("--restart"), "\(again.errors)")
    #expect(try names() == before)
  }

  @Test("a command that fails leaves no empty folder, and touches none that was there")
  func emptyFolders() throws {
    let folder = try machineFolder(
      machine.replacingOccurrences(of: "[sh, plant.sh]", with: "[sh, -c, exit 3]"))
    for arguments in [
      ["optimize", "machine.yaml"], ["evaluate", "machine.yaml", "--output", "a/b/c"],
      ["learn", "machine.yaml", "--tensorboard", "curves/x"],
      ["learn", "machine.yaml", "--runs", "2", "--output", "a/b"], ["fit", "machine.yaml"],
    ] {
      let outcome = try bagel(arguments, in: folder)
      #expect(outcome.status == 65, "\(arguments): \(outcome.errors)")
      let left = try FileManager.default.contentsOfDirectory(atPath: folder).filter {
        !$0.contains("-") || $0.hasSuffix("-out")
      }
      #expect(Set(left) == ["machine.yaml", "plant.sh"], "\(arguments)")
    }
    #expect(try bagel(["new", "mine", "--output", "new/tasks"], in: folder).status == 0)
    #expect(exists(folder + "/new/tasks/mine.yaml"))
    let blocked = try bagel(["new", "mine", "--output", "plant.sh/x"], in: folder)
    #expect(blocked.errors.contains("cannot make the folder plant.sh/x"), "\(blocked.errors)")
    let own = folder + "/a"
    try FileManager.default.createDirectory(atPath: own, withIntermediateDirectories: true)
    _ = try bagel(["optimize", "machine.yaml", "--output", "a/b"], in: folder)
    #expect(exists(own) && !exists(own + "/b"))
  }

  @Test("run's log in a new folder has goals, derived rates and its policy; fit reads it")
  func runLog() throws {
    let folder = try machineFolder()
    let controller = try writePolicy(folder + "/p.safetensors", of: folder + "/machine.yaml")
    let run = try bagel(
      [
        "run", "machine.yaml", "--policy", "p.safetensors", "--seconds", "3", "--goal", "0.25,0",
        "--log", "runs/today/r.csv", "--json",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.json["policyFingerprint"] as? String == controller.fingerprint)
    let log = try LogFile(
      path: folder + "/runs/today/r.csv",
      layout: LogLayout(
        states: ["x", "speed", "goal.x"].map { Channel(name: $0) },
        actions: [Channel(name: "u")], timeStep: 0.1))
    #expect(log.header == ["t", "x", "u", "speed", "goal.x", "goal.speed", "watch"])
    #expect(log.column("goal.x").allSatisfy { $0 == 0.25 })
    // As the controller saw it: zero, then the difference, then filtered (a filter time of one time step).
    let (x, speed) = (log.column("x"), log.column("speed"))
    #expect(x.count == 31 && speed[0] == 0 && abs(speed[1] - (x[1] - x[0]) / 0.1) < 1e-12)
    let gain = 1 - exp(-1.0)
    let filtered = speed[1] + gain * ((x[2] - x[1]) / 0.1 - speed[1])
    #expect(abs(speed[2] - filtered) < 1e-12)
    let sidecar = FileManager.default.contents(atPath: folder + "/runs/today/r.policy.json")
    let facts = try JSONSerialization.jsonObject(with: sidecar ?? Data()) as? [String: Any] ?? [:]
    #expect(facts["fingerprint"] as? String == controller.fingerprint)
    let other = try writePolicy(folder + "/q.safetensors", of: folder + "/machine.yaml", seed: 2)
    #expect(other.fingerprint != controller.fingerprint && other.fingerprint.count == 16)

    let fit = try bagel(
      ["fit", "--log", "runs/today/r.csv", "--states", "x", "--actions", "u"]
        + ["--time-step", "0.1", "--rates", "none", "--output", "new/folder"], in: folder)
    #expect(fit.status == 0 && exists(folder + "/new/folder/model.safetensors"), "\(fit.errors)")
    // A run that never begins leaves neither log nor note of its policy.
    let dead = machine.replacingOccurrences(of: "[sh, plant.sh]", with: "[sh, -c, exit 3]")
    try dead.write(toFile: folder + "/machine.yaml", atomically: true, encoding: .utf8)
    let failed = try bagel(
      ["run", "machine.yaml", "--policy", "p.safetensors", "--log", "none/r.csv"], in: folder)
    #expect(failed.status == 65 && !exists(folder + "/none"), "\(failed.errors)")
  }

  @Test("an exported controller and its header compile without warnings as C99 and as C++")
  func header() throws {
    let folder = try machineFolder()
    let controller = try writePolicy(folder + "/p.safetensors", of: folder + "/machine.yaml")
    let exported = try bagel(
      [
        "export", "machine.yaml", "--format", "c", "--policy", "p.safetensors", "--file",
        "new/deep/c.c",
      ], in: folder)
    #expect(exported.status == 0 && !exists(folder + "/machine-out"), "\(exported.errors)")
    let main = """
      #include "new/deep/c.h"
      #include "new/deep/c.h"
      #include <stdio.h>
      int main(void)
      {
        bagel_machine memory;
        double measured[BAGEL_MACHINE_MEASURED] = {0.3}, goal[BAGEL_MACHINE_STATES] = {0.5, 0};
        double action[BAGEL_MACHINE_ACTIONS];
        bagel_machine_reset(&memory);
        int failed = bagel_machine_step(&memory, measured, goal, action);
        printf("%d %.17g %g\\n", failed, action[0], BAGEL_MACHINE_TIME_STEP);
        return 0;
      }
      """
    try main.write(toFile: folder + "/main.c", atomically: true, encoding: .utf8)
    try "#include \"new/deep/c.h\"\n#include \"new/deep/c.c\"\n".write(
      toFile: folder + "/both.c", atomically: true, encoding: .utf8)
    let strict = ["-Wall", "-Wextra", "-Werror", "-pedantic"]
    let (c, cpp) = (["cc", "-std=c99"] + strict, ["c++", "-std=c++11", "-x", "c++"] + strict)
    let expected = controller.action(state: [0.3, 0], goal: [0.5, 0])[0]
    // The caller's language, the controller's, and the controller compiled behind its own header.
    for (caller, callee, source) in [
      (c, c, "new/deep/c.c"), (cpp, c, "new/deep/c.c"), (c, cpp, "new/deep/c.c"),
      (cpp, cpp, "new/deep/c.c"), (c, c, "both.c"),
    ] {
      for (compiler, file, object) in [(caller, "main.c", "a.o"), (callee, source, "b.o")] {
        let made = try run("/usr/bin/env", compiler + ["-c", file, "-o", object], in: folder)
        #expect(made.status == 0, "\(compiler) \(file): \(made.errors)")
      }
      let linked = try run("/usr/bin/env", ["cc", "a.o", "b.o", "-o", "m", "-lm"], in: folder)
      #expect(linked.status == 0, "\(linked.errors)")
      let words = try run(folder + "/m", [], in: folder).output.split(separator: " ")
      #expect(words.count == 3 && words.first == "0")
      #expect(abs((Double(words.dropFirst().first ?? "") ?? 9) - expected) < 1e-9)
    }
  }
}
