// SPDX-License-Identifier: Apache-2.0
// The real binary: exit codes, messages, JSON keys, the way from a log to an evaluated policy, Ctrl-C.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import Tasks
import TestSupport
import Testing

/// A log of a first-order machine: x' = x + 0.1 (u - x), with pauses.
private func writeLog(_ path: String, phase: Double) throws {
  var x = 0.0
  var lines = ["t,position,lever"]
  for k in 0..<150 {
    let u = sin(0.13 * Double(k) + phase) + 0.5 * sin(0.41 * Double(k))
    lines.append(String(format: "%.3f,%.5f,%.4f", 0.1 * Double(k), x, u))
    x += 0.1 * (u - x)
  }
  try lines.joined(separator: "\n").write(toFile: path, atomically: true, encoding: .utf8)
}

@Suite("command line")
struct CommandLineTests {
  @Test("usage errors exit with 64, help and version with 0")
  func usage() throws {
    let folder = try Scratch.folder()
    #expect(try bagel(["--help"], in: folder).status == 0)
    #expect(try bagel(["--version"], in: folder).output.contains("."))
    for arguments in [
      ["fly"], ["fit"], ["fit", "--log", "a.csv"], ["optimize", "boom", "--iterations", "0"],
      ["benchmark", "iteration", "--horizon", "0"], ["evaluate", "boom", "--plant", "moon"],
      ["fit", "boom", "--output", ""],
    ] {
      let outcome = try bagel(arguments, in: folder)
      #expect(outcome.status == 64, "\(arguments): \(outcome.errors)")
      #expect(outcome.errors.contains("Error:"))
    }
  }

  @Test(
    "reproduce and benchmark are of the program beside bagel; where it is missing, that is said")
  func experimentsProgram() throws {
    let folder = try Scratch.folder()
    #expect(try bagel(["help", "reproduce"], in: folder).output.contains("figure5"))
    let alone = folder + "/bagel"
    try FileManager.default.copyItem(atPath: bagelBinary, toPath: alone)
    let outcome = try run(alone, ["reproduce", "figure4"], in: folder)
    #expect(outcome.status == 1, "\(outcome.errors)")
    #expect(
      outcome.errors.contains("/bagel-experiments, which is missing")
        && outcome.errors.contains("make build"), "\(outcome.errors)")
    #expect(try run(alone, ["completions", "fish"], in: folder).status == 0)
  }

  @Test("bad data exits with 65 and one sentence, files with nothing lost")
  func badData() throws {
    let folder = try Scratch.folder()
    try writeLog(folder + "/good.csv", phase: 0)
    let good = try String(contentsOfFile: folder + "/good.csv", encoding: .utf8)
    try good.replacingOccurrences(of: "\n3.000,", with: "\n3.000,x").write(
      toFile: folder + "/bad.csv", atomically: true, encoding: .utf8)
    func fit(_ log: String, _ actions: String = "lever") throws -> Outcome {
      try bagel(
        ["fit", "--log", log, "--states", "position", "--actions", actions, "--time-step", "0.1"],
        in: folder)
    }
    let text = try fit("bad.csv")
    #expect(
      text.status == 65 && text.errors.contains("bad.csv:32, column 'position'"), "\(text.errors)")
    let missing = try fit("none.csv")
    #expect(missing.status == 65 && missing.errors.contains("none.csv: no such file"))
    let column = try fit("good.csv", "leever")
    #expect(column.status == 65 && column.errors.contains("did you mean 'lever'?"))
    try "name: x\ntimeStep: 0.1\nspeed: 3\n".write(
      toFile: folder + "/t.yaml", atomically: true, encoding: .utf8)
    #expect(try bagel(["fit", "t.yaml"], in: folder).status == 65)
    #expect(try bagel(["fit", "nothing.yaml"], in: folder).status == 65)
    #expect(
      try bagel(["optimize", "boom"], in: folder).errors.contains(
        "run `bagel fit` on the task first"))
    try "x".write(toFile: folder + "/file", atomically: true, encoding: .utf8)
    let blocked = try bagel(["fit", "boom", "--output", "file/sub"], in: folder)
    #expect(blocked.status == 1 && blocked.errors.contains("cannot make the folder"))
  }

  @Test("a model of a log, judged on another one, with the keys of the contract")
  func heldOut() throws {
    let folder = try Scratch.folder()
    try writeLog(folder + "/a.csv", phase: 0)
    try writeLog(folder + "/b.csv", phase: 2)
    let fit = try bagel(
      [
        "fit", "--log", "a.csv", "--held-out", "b.csv", "--states", "position", "--actions",
        "lever",
        "--time-step", "0.1", "--rates", "none", "--json", "--output", "m",
      ], in: folder)
    #expect(fit.status == 0, "\(fit.errors)")
    let heldOut = fit.json["heldOut"] as? [String: Any] ?? [:]
    for key in ["rmse", "nll", "coverage95", "persistenceRMSE", "linearRMSE", "freeRunRMSE"] {
      #expect((heldOut[key] as? [Double])?.count == 1, "\(key)")
    }
    #expect((fit.json["logMarginalLikelihood"] as? [Double])?.count == 1)
    // A noiseless linear machine: the model must be about as good as least squares, 1e-5 of rounding.
    #expect((heldOut["rmse"] as? [Double])?.first ?? 1 < 1e-4)
    let both = try bagel(
      ["fit", "--log", "a.csv", "b.csv", "--held-out", "b.csv", "--states", "position"]
        + ["--actions", "lever", "--time-step", "0.1"], in: folder)
    #expect(both.status == 65 && both.errors.contains("b.csv: is both learnt from and held out"))
  }

  @Test("columns under their own names, and a task with nothing but what a fit needs")
  func shortNames() throws {
    let folder = try Scratch.folder()
    try writeLog(folder + "/a.csv", phase: 0)
    let log = try String(contentsOfFile: folder + "/a.csv", encoding: .utf8)
    try log.replacingOccurrences(of: "t,position,lever", with: "t,boom position [m],exp").write(
      toFile: folder + "/a.csv", atomically: true, encoding: .utf8)
    try """
    name: short
    timeStep: 0.1
    states: [{name: x, column: 'boom position [m]'}]
    actions: [{name: u, column: exp, limits: [-1.5, 1.5]}]
    logs: [a.csv]
    """.write(toFile: folder + "/short.yaml", atomically: true, encoding: .utf8)
    let fit = try bagel(["fit", "short.yaml", "--json"], in: folder)
    #expect(fit.status == 0, "\(fit.errors)")
    #expect((fit.json["outputs"] as? [String])?.first?.contains("x") == true, "\(fit.json)")
    let optimize = try bagel(["optimize", "short.yaml"], in: folder)
    #expect(optimize.status == 65 && optimize.errors.contains("has no `reward:`"))
    let text = try String(contentsOfFile: folder + "/short.yaml", encoding: .utf8)
    // A root with its corner at the goal is searched; without a goal, too.
    for more in ["-sqrt((x - goal.x)^2)}\ngoal: [0.2]", "-sqrt((x - 0.2)^2)}"] {
      try
        (text + "\nreward: {formula: \(more)\nstart: [0.2]"
        + "\noptimise: {particles: 20, horizon: 10, starts: 1, iterations: 5}\n")
        .write(toFile: folder + "/short.yaml", atomically: true, encoding: .utf8)
      let found = try bagel(["optimize", "short.yaml", "--json"], in: folder)
      #expect(found.status == 0, "\(found.errors)")
      let returns = found.json["returns"] as? [Double] ?? []
      #expect(returns.count == 5 && returns.allSatisfy { $0.isFinite && $0 <= 0 })
    }
    try text.replacingOccurrences(of: "column: exp", with: "column: lever").write(
      toFile: folder + "/short.yaml", atomically: true, encoding: .utf8)
    let other = try bagel(["fit", "short.yaml"], in: folder)
    #expect(other.status == 65 && other.errors.contains("has no column 'lever'"))
  }

  @Test("what is wrong with a task is one line on standard error, whatever stands in it")
  func oneLine() throws {
    let folder = try Scratch.folder()
    let long = String(repeating: "z", count: 20_000)
    for (text, words) in [
      ("name: a\n\ttimeStep: 1", "t.yaml:2:1: is not YAML: a tab is used here"),
      ("name: a\ntimeStep: 0,05", "write 0.05: YAML decimals are points"),
      ("name: a\ntimeStep: \"1\\n\\e[31m\(long)\"", "'1\\u{A}\\u{1B}[31mz"),
      ("name: " + String(repeating: "[", count: 50_000), "more than 100 lists and mappings"),
      (
        SmallTask.yaml.replacingOccurrences(
          of: "{saturating: {weights: [1, 0]}}", with: "{formula: (abs(x) < 0.05)}"),
        "a jump has no gradient"
      ),
      (
        SmallTask.yaml.replacingOccurrences(
          of: "{saturating: {weights: [1, 0]}}", with: "{formula: log(abs(x - goal.x))}"),
        "is -inf at the goal: a pole"
      ),
    ] {
      try text.write(toFile: folder + "/t.yaml", atomically: true, encoding: .utf8)
      let outcome = try bagel(["fit", "t.yaml"], in: folder)
      #expect(outcome.status == 65 && outcome.errors.contains(words), "\(outcome.errors)")
      let lines = outcome.errors.split(separator: "\n")
      #expect(lines.count == 1 && lines[0].count <= 300 && !outcome.errors.contains("\u{1B}"))
    }
  }

  @Test("from a task file to a policy to a plant, with the keys of the contract")
  func wholeWay() throws {
    let folder = try Scratch.folder()
    let new = try bagel(["new", "mine"], in: folder)
    #expect(new.status == 0)
    #expect(try bagel(["new", "mine"], in: folder).status == 1)
    try """
    name: quick
    timeStep: 0.05
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: valve, limits: [-1, 1]}]
    plant: boom
    explore: {kind: manual, seconds: 20, turningPoints: [-0.6457718, 0.8726646]}
    model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
    reward: [{saturating: {weights: [10, 0.1]}}, {actionChange: 0.5}]
    start: [-0.6, 0]
    goal: [0, 0]
    optimise: {particles: 32, horizon: 60, iterations: 20, starts: 1}
    evaluate: {episodes: 2, seconds: 5, tolerance: 0.5}
    """.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let learnt = try bagel(["fit", "quick.yaml", "--json"], in: folder)
    #expect(learnt.status == 0, "\(learnt.errors)")
    let optimized = try bagel(["optimize", "quick.yaml", "--json"], in: folder)
    #expect(optimized.status == 0, "\(optimized.errors)")
    #expect((optimized.json["returns"] as? [Double])?.count == 20)
    for key in [
      "secondsPerIteration", "iterations", "optimizeSeconds", "sampler", "samplerError", "device",
      "peakMemoryBytes",
    ] {
      #expect(optimized.json[key] != nil, "\(key)")
    }
    let evaluated = try bagel(["evaluate", "quick.yaml", "--json"], in: folder)
    #expect(evaluated.status == 0, "\(evaluated.errors)")
    #expect(evaluated.json["episodes"] as? Int == 2)
    #expect(evaluated.json["successes"] != nil && evaluated.json["steadyStateError"] != nil)
    let report = try String(
      contentsOfFile: folder + "/quick-out/report-evaluate.html", encoding: .utf8)
    #expect(report.contains("episodes succeed"))
    // A policy of another task.
    let other = try bagel(
      ["evaluate", "boom", "--policy", "quick-out/policy.safetensors"], in: folder)
    #expect(other.status == 2, "same machine, another name: no success, no error: \(other.errors)")
    let yaml = try String(contentsOfFile: folder + "/quick.yaml", encoding: .utf8)
    try yaml.replacingOccurrences(of: "[-1, 1]", with: "[-2, 1]").write(
      toFile: folder + "/other.yaml", atomically: true, encoding: .utf8)
    let refused = try bagel(
      ["evaluate", "other.yaml", "--policy", "quick-out/policy.safetensors"], in: folder)
    #expect(refused.status == 65 && refused.errors.contains("lower limits"))
    // What held-out logs said of a model is said again before a search on it.
    let model = folder + "/quick-out/model.safetensors"
    let fingerprint = try DynamicsModel.fingerprint(path: model)
    try DynamicsModel(path: model).write(
      to: model, provenance: "test",
      verdict: "no: 'angle' is predicted worse than by a linear model")
    #expect(try DynamicsModel.fingerprint(path: model) == fingerprint)
    let warned = try bagel(
      ["optimize", "quick.yaml", "--iterations", "1", "--restart"], in: folder)
    #expect(warned.status == 0 && warned.output.contains("on this model? no: 'angle' is predicted"))
  }

  @Test(
    "Ctrl-C during a search saves its state, exits with 130, and the next call goes on from there")
  func interruption() throws {
    let folder = try Scratch.folder()
    try """
    name: long
    timeStep: 0.05
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: valve, limits: [-1, 1]}]
    plant: boom
    explore: {kind: manual, seconds: 20, turningPoints: [-0.6457718, 0.8726646]}
    reward: {saturating: {weights: {angle: 10}}}
    start: [-0.6, 0]
    goal: {angle: 0}
    model: {covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: tabulated}
    optimise: {particles: 2000, horizon: 300, iterations: 30, starts: 1}
    """.write(toFile: folder + "/long.yaml", atomically: true, encoding: .utf8)
    #expect(try bagel(["fit", "long.yaml"], in: folder).status == 0)
    let state = folder + "/long-out/search-state.safetensors"
    let first = try bagel(["optimize", "long.yaml"], in: folder, interruptWhenExists: state)
    #expect(first.status == 130)
    #expect(
      first.errors.contains("state saved to long-out/search-state.safetensors"), "\(first.errors)")
    #expect(first.errors.contains("best policy so far: long-out/policy.safetensors"))
    // The rest: it says where it goes on, and ends as the whole search does (the bits are compared in
    // PolicySearchTests).
    let second = try bagel(["optimize", "long.yaml", "--json"], in: folder)
    #expect(second.status == 0, "\(second.errors)")
    let resumed = second.json["resumed"] as? Int ?? 0
    #expect(resumed > 0 && second.json["iterations"] as? Int ?? 0 > resumed)
    #expect(!FileManager.default.fileExists(atPath: state))
  }

  @Test("a GPU that is not there is said at once, with where it was looked for")
  func noGPU() throws {
    let folder = try Scratch.folder()
    for command in [["demo"], ["optimize", "boom"], ["benchmark", "iteration"], ["fit", "boom"]] {
      let result = try bagel(
        command + ["--device", "cuda"], in: folder,
        environment: ["BAGEL_CUDA_DRIVER": "/nonexistent/libcuda.so.1"])
      #expect(result.status == 1)
      #expect(result.errors.contains("/nonexistent/libcuda.so.1"), "\(result.errors)")
      #expect(result.errors.contains("--device host"))
    }
  }

  @Test("emit moves no machine")
  func emitOfMachine() throws {
    let folder = try Scratch.folder()
    let task = """
      name: machine
      timeStep: 0.1
      states: [{name: x}]
      actions: [{name: u, limits: [-1, 1]}]
      plant: {process: [touch, moved]}
      reward: {saturating: {weights: [1]}}
      start: [0]
      goal: [1]
      """
    try task.write(toFile: folder + "/machine.yaml", atomically: true, encoding: .utf8)
    let outcome = try bagel(["emit", "machine.yaml"], in: folder)
    #expect(outcome.status == 65 && outcome.errors.contains("`bagel emit` does not move a machine"))
    #expect(!FileManager.default.fileExists(atPath: folder + "/moved"))
  }

  @Test("emit prints a kernel, doctor what it found")
  func inspection() throws {
    let folder = try Scratch.folder()
    let kernel = try bagel(["emit"], in: folder)
    #expect(kernel.status == 0 && kernel.output.contains("void bagel_gradient"))
    #expect(try bagel(["emit", "--program"], in: folder).output.contains("= tanh"))
    #expect(try bagel(["emit", "boom-disturbed"], in: folder).status == 0)
    let cuda = try bagel(["emit", "--device", "cuda", "--particles", "10000"], in: folder)
    #expect(cuda.output.contains("__global__") && cuda.output.contains("bagel_gradient"))
    #expect(cuda.errors.contains("10000 particles, 300 steps: 2 lanes per particle"))
    let doctor = try bagel(["doctor", "--json"], in: folder)
    #expect(
      doctor.status == 0 && doctor.json["blasCore"] != nil && doctor.json["vectorLanes"] != nil)
  }

  /// Slow enough to be killed amid a search.
  private static let quickLoop = QuickPendulum.yaml(iterations: 300, trials: 2)

  @Test(
    "learn: killed with SIGKILL it goes on with the same bits; export, run and TensorBoard follow")
  func learn() throws {
    let folder = try Scratch.folder()
    try Self.quickLoop.write(
      toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let whole = try bagel(
      ["learn", "quick.yaml", "--json", "--output", "whole", "--tensorboard", "curves"], in: folder)
    #expect(whole.status == 2, "not solved: \(whole.errors)")
    #expect(whole.json["episodes"] as? Int == 2 && whole.json["solved"] is Bool)
    #expect((whole.json["optimizeSeconds"] as? [Double])?.count == 2)
    let events = try FileManager.default.contentsOfDirectory(atPath: folder + "/curves")
    #expect(events.contains { $0.hasPrefix("events.out.tfevents") })

    // Killed as soon as the first trial's policy is there, and once more later.
    for file in ["policy-001.safetensors", "model-002.safetensors"] {
      let killed = try bagel(
        ["learn", "quick.yaml", "--output", "killed"], in: folder,
        interruptWhenExists: folder + "/killed/learn/" + file, signal: SIGKILL)
      #expect(killed.status != 0)
    }
    let resumed = try bagel(["learn", "quick.yaml", "--output", "killed", "--json"], in: folder)
    #expect(resumed.status == 2, "\(resumed.errors)")
    for file in ["policy-001.safetensors", "policy-002.safetensors", "episode-002.csv"] {
      let a = FileManager.default.contents(atPath: folder + "/whole/learn/" + file)
      #expect(
        a != nil && a == FileManager.default.contents(atPath: folder + "/killed/learn/" + file))
    }

    let policy = folder + "/whole/learn/policy-002.safetensors"
    for format in ["c", "onnx", "safetensors"] {
      let exported = try bagel(
        ["export", "quick.yaml", "--format", format, "--policy", policy, "--json"], in: folder)
      #expect(
        exported.status == 0 && exported.json["bytes"] as? Int ?? 0 > 100, "\(exported.errors)")
    }
    let changed = Self.quickLoop.replacingOccurrences(of: "layers: [4]", with: "layers: [6]")
    try changed.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let refused = try bagel(["learn", "quick.yaml", "--output", "whole"], in: folder)
    #expect(refused.status == 65 && refused.errors.contains("+ policy: {layers: [6]}"))
  }

  @Test(
    "run: in real time, logged as it goes; Ctrl-C leaves the safe action; late steps are counted")
  func realTime() throws {
    let folder = try Scratch.folder()
    let plant = """
      while read -r line; do
        echo "$line" >> \(folder)/messages
        case "$line" in *close*) exit 0;; esac
        echo '{"state":[0.1,0]}'
      done
      """
    try plant.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    let text = Self.quickLoop.replacingOccurrences(
      of: "plant: pendulum", with: "plant: {process: [sh, \(folder)/plant.sh]}"
    ).replacingOccurrences(of: "limits: [-2.5, 2.5]", with: "limits: [-2.5, 2.5], safe: 0.5")
    try text.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let task = try ControlTask(yaml: text, file: "quick.yaml", folder: folder)
    let policy = task.makePolicy()
    try PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0, 0],
      stateScale: [1, 1]
    ).write(to: folder + "/policy.safetensors", description: task.policyDescription)

    let start = ContinuousClock.now
    let done = try bagel(
      ["run", "quick.yaml", "--policy", "policy.safetensors", "--seconds", "1", "--json"],
      in: folder)
    #expect(done.status == 0, "\(done.errors)")
    // Ten steps of 0.1 s are waited for; how many are late depends on the machine.
    #expect(start.duration(to: .now) > .seconds(1))
    #expect(done.json["rows"] as? Int == 11 && done.json["lateSteps"] is Int)
    let log = try LogFile(
      path: folder + "/quick-out/run-1.csv",
      layout: LogLayout(
        states: [Channel(name: "angle"), Channel(name: "rate")],
        actions: [Channel(name: "torque")], timeStep: 0.1))
    let times = log.times
    #expect(times.count == 11 && times[0] == 0 && times[10] > 0.9 && times[10] < 2)
    #expect(log.column("torque").last == 0.5)

    try FileManager.default.removeItem(atPath: folder + "/messages")
    let interrupted = try bagel(
      ["run", "quick.yaml", "--policy", "policy.safetensors", "--seconds", "60", "--json"],
      in: folder, interruptWhenExists: folder + "/messages")
    #expect(interrupted.status == 0 && interrupted.json["interrupted"] as? Bool == true)
    let messages = try String(contentsOfFile: folder + "/messages", encoding: .utf8)
      .split(separator: "\n")
    #expect(messages.suffix(3).contains("{\"action\":[0.5],\"command\":\"step\"}"))
    #expect(messages.last == "{\"command\":\"close\"}")

    let outside = try bagel(
      ["run", "quick.yaml", "--policy", "policy.safetensors", "--goal", "1"], in: folder)
    #expect(outside.status == 64)
    let ignored = try bagel(
      ["run", "quick.yaml", "--policy", "policy.safetensors", "--goal", "1,0"], in: folder)
    #expect(ignored.status == 65 && ignored.errors.contains("does not read its goal"))
    let overwriting = try bagel(
      ["run", "quick.yaml", "--policy", "policy.safetensors", "--log", "plant.sh"], in: folder)
    #expect(overwriting.status == 1 && overwriting.errors.contains("already exists"))
  }

  @Test("Gymnasium's Pendulum-v1 through its plant program")
  func gymnasium() throws {
    guard let python = ProcessInfo.processInfo.environment["BAGEL_PYTHON"], !python.isEmpty else {
      return print("skipped: no BAGEL_PYTHON, the Gymnasium example is not run")
    }
    let folder = try Scratch.folder()
    let examples =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().path + "/Examples/gymnasium"
    try FileManager.default.copyItem(
      atPath: examples + "/plant.py", toPath: folder + "/plant.py")
    let text = try String(contentsOfFile: examples + "/pendulum.yaml", encoding: .utf8)
      .replacingOccurrences(of: "[python3, plant.py", with: "[\(python), \(folder)/plant.py")
      .replacingOccurrences(of: "learn: {trials: 6}", with: "learn: {trials: 1}")
    try text.write(toFile: folder + "/pendulum.yaml", atomically: true, encoding: .utf8)
    let learnt = try bagel(["learn", "pendulum.yaml", "--json"], in: folder)
    #expect(learnt.status == 0 || learnt.status == 2, "\(learnt.errors)")
    #expect(learnt.json["episodes"] as? Int == 1)
    let log = try LogFile(
      path: folder + "/gymnasium-pendulum-out/learn/episode-001.csv",
      layout: LogLayout(
        states: [Channel(name: "angle"), Channel(name: "rate")],
        actions: [Channel(name: "torque")], timeStep: 0.05))
    // Eight seconds of the environment's own physics; the torque keeps its limits.
    #expect(log.column("angle").count == 161 && log.column("rate").allSatisfy { abs($0) <= 8 })
    #expect(log.column("torque").allSatisfy { abs($0) <= 2 })
  }
}
