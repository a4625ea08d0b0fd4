// SPDX-License-Identifier: Apache-2.0
// The library for C as its users have it: made by Scripts/c-library.sh, linked into a C99 program that calls every function, its
// numbers held against the Swift library's; and from Python, whose tests of environments pass with it too.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Programs
import Tasks
import TestSupport
import Testing

private let checkout =
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

/// The library's folder, made once; nil where there is none, and that is said.
private let libraryFolder: String? = {
  let archive =
    URL(fileURLWithPath: bagelBinary).deletingLastPathComponent().path + "/libBagelForC.a"
  guard FileManager.default.fileExists(atPath: archive) else {
    print("skipped: no \(archive) (Swift 6.3 makes it), the library for C is not tested")
    return nil
  }
  do {
    let folder = try Scratch.folder()
    let made = try run(
      "/bin/sh", [checkout + "/Scripts/c-library.sh", folder],
      environment: ["BAGEL_ARCHIVE": archive])
    #expect(made.status == 0, "\(made.output)\(made.errors)")
    return made.status == 0 ? folder : nil
  } catch {
    Issue.record(error)
    return nil
  }
}()

@Suite("the library for C", .serialized)
struct CLibraryTests {
  private static let flags = ["-std=c99", "-Wall", "-Wextra", "-Werror", "-pedantic", "-O1"]

  /// What `pkg-config --libs` says, where there is no pkg-config either.
  private func linkFlags(_ path: String, in folder: String) throws -> [String] {
    let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
    let libraries = lines.first { $0.hasPrefix("Libs: ") }?.dropFirst(6) ?? ""
    return libraries.replacingOccurrences(of: "${pcfiledir}", with: folder)
      .split(separator: " ").map(String.init)
  }

  @Test("a C99 program gets the Swift library's numbers, and an error for all that is wrong")
  func numbers() throws {
    guard let library = libraryFolder else { return }
    let folder = try Scratch.folder()
    let reference = try Reference(folder)
    var outputs: [String] = []
    for (compiler, package) in [("cc", "bagel"), ("clang", "bagel-static")] {
      let link = try linkFlags("\(library)/\(package).pc", in: library)
      let built = try run(
        "/usr/bin/env",
        [compiler] + Self.flags + [checkout + "/Tests/CLibrary/calls.c", "-o", "calls"]
          + ["-I", library] + link + ["-lpthread"], in: folder)
      #expect(built.status == 0, "\(built.errors)")
      let ran = try run(
        folder + "/calls", ["policy", "model", "damaged"].map { "\($0).safetensors" }, in: folder)
      #expect(ran.status == 0 && ran.errors.isEmpty, "\(ran.status) \(ran.errors)")
      outputs.append(ran.output)
    }
    #expect(outputs[0] == outputs[1], "the static and the shared library differ")
    let expected = try reference.lines()
    let found = outputs[0].split(separator: "\n").map(String.init)
    #expect(found.count == expected.count)
    for (line, wanted) in zip(found, expected) {
      let words = line.split(separator: " ").map(String.init)
      #expect(words[0] == wanted.name)
      switch wanted.value {
      case .words(let text): #expect(words.dropFirst().joined(separator: " ") == text)
      case .numbers(let numbers):
        #expect(words.dropFirst().map { Double($0) } == numbers, "\(wanted.name)")
      }
    }
  }
}

extension CLibraryTests {
  @Test("Python's machines by the library, and the same tests of environments as by the command")
  func python() throws {
    guard let library = libraryFolder else { return }
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, the library is not called from Python")
    }
    for tests in ["test_library.py", "test_env.py"] {
      let result = try run(
        python,
        ["-m", "unittest", "discover", "-s", checkout + "/Python/tests", "-p", tests],
        environment: [
          "BAGEL": bagelBinary, "BAGEL_LIBRARY": library + "/libbagel.so",
          "PYTHONPATH": checkout + "/Python", "PYTHONDONTWRITEBYTECODE": "1",
        ])
      #expect(result.status == 0, "\(result.output)\(result.errors)")
      #expect(!result.errors.contains("library are skipped"), "\(result.errors)")
    }
  }
}

/// What Tests/CLibrary/calls.c is to print, by the Swift library.
private struct Reference {
  struct Line {
    enum Value {
      case words(String)
      case numbers([Double])
    }
    var name: String
    var value: Value
  }

  private let task: ControlTask
  private let model: DynamicsModel
  private let controller: PolicyController

  /// A policy with a memory and a rate limit on the lag, and its model; their files, and a damaged one.
  init(_ folder: String) throws {
    try "".write(toFile: folder + "/a.csv", atomically: true, encoding: .utf8)
    task = try ControlTask(
      yaml: """
        name: lag
        timeStep: 0.05
        states: [{name: x, units: m}, {name: x_rate, rateOf: x, units: m/s, filterTime: 0.1}]
        actions: [{name: u, units: V, limits: [-1, 1], rateLimit: 4, safe: 0.125}]
        model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
        policy: {layers: [6], integral: true, goal: error}
        goal: {x: 0.25}
        logs: [a.csv]
        """, file: "t.yaml", folder: folder)
    model = try DrivenLag.model(of: task)
    try model.write(to: folder + "/model.safetensors", provenance: "test", verdict: nil)
    controller = task.controller(task.makePolicy().initialParameters(3), on: model)
    let path = folder + "/policy.safetensors"
    try controller.write(to: path, description: task.policyDescription(on: model))
    let whole = try Data(contentsOf: URL(fileURLWithPath: path))
    try whole.prefix(whole.count / 2).write(
      to: URL(fileURLWithPath: folder + "/damaged.safetensors"))
  }

  func lines() throws -> [Line] { try policyLines() + modelLines() }

  private func policyLines() -> [Line] {
    var lines = [Line(name: "version", value: .words("0.1.0"))]
    func words(_ channels: [String]) {
      lines.append(
        Line(
          name: "policy",
          value: .words(([String(lines.count - 1)] + channels).joined(separator: " "))))
    }
    words(["x[m]", "x_rate[m/s]"])
    words(["x[m]"])
    words(["x[m]"])
    words(["u[V]"])
    func numbers(_ name: String, _ values: [Double]) {
      lines.append(Line(name: name, value: .numbers(values)))
    }
    numbers("time_step", [0.05])
    for (name, value) in [("lower", -1.0), ("upper", 1), ("rest", 0.125)] { numbers(name, [value]) }
    for name in ["measured", "again"] {
      var (run, signals) = (controller.begin(), CausalSignals(task.layout))
      for k in 0..<8 {
        let states = signals.next(
          [0.125 * Double(k * k) - 0.5], elapsed: k == 0 ? nil : k == 5 ? 0.125 : 0.05)
        numbers(name, run.action(observed: states, goal: [0.25]))
        if k == 2 { run.sent([-0.5]) }
      }
    }
    numbers("states", controller.action(state: [0.25, -0.5], goal: [0.25]))
    // A row that is lost: the resting action is sent after the action before, not in its place, and its time counts.
    var (run, signals) = (controller.begin(), CausalSignals(task.layout))
    _ = run.action(observed: signals.next([0.5]), goal: [0.25])
    numbers("instead", [0.125])
    run.skip()
    run.sent([0.125])
    numbers("after", run.action(observed: signals.next([0.25], elapsed: 0.1), goal: [0.25]))
    return lines
  }

  private func modelLines() throws -> [Line] {
    var lines: [Line] = []
    for (code, doubt) in [SimulatedDoubt.function, .steps, .none].enumerated() {
      let simulator = try ModelSimulator(
        model, doubt: doubt, particles: 20, device: .interpreter)
      func numbers(_ states: [[Double]]) {
        lines.append(Line(name: doubt.rawValue, value: .numbers(states.flatMap(\.self))))
      }
      numbers(try simulator.reset(seed: 11))
      for k in 0..<5 {
        if k == 3 { numbers(try simulator.reset([3, 7], to: [0.25, 0])) }
        numbers(
          try simulator.step((0..<20).map { [0.0625 * Double($0) - 0.5 + 0.125 * Double(k)] }))
      }
      numbers(simulator.states)
      #expect(simulator.doubt == doubt)
      lines.append(Line(name: "doubt", value: .words("\(code)")))
    }
    for (list, channels) in [" x[m] x_rate[m/s]", " x[m]", "", " u[V]"].enumerated() {
      lines.append(Line(name: "model", value: .words("\(list)\(channels)")))
    }
    return lines
  }
}
