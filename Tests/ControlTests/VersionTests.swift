// SPDX-License-Identifier: Apache-2.0
// Versions of models and policies: none is lost, the current one changes whole, a worse policy does not replace a better one; and the
// comparison that tells them apart.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import Policies
import Tasks
import TestSupport
import Testing

@Suite("versions")
struct VersionTests {
  private func version(_ kind: Version.Kind, _ words: String) -> Version {
    Version(kind: kind, seed: 1, task: "test", words: words)
  }

  private func add(_ text: String, to store: VersionStore) throws -> Version {
    try store.add(version(.policy, text)) {
      try text.write(toFile: $0 + "/policy.safetensors", atomically: true, encoding: .utf8)
    }
  }

  @Test("a version is kept whole, the current one is one of them, and what stood there becomes one")
  func store() throws {
    let folder = try Scratch.folder()
    let store = VersionStore(folder: folder)
    let path = folder + "/policy.safetensors"
    func current() -> String? { try? String(contentsOfFile: path, encoding: .utf8) }
    #expect(store.versions.isEmpty && store.current(.policy) == nil)
    try "older".write(toFile: path, atomically: true, encoding: .utf8)
    let first = try add("a", to: store)
    // Kept is not current.
    #expect(first.number == 1 && current() == "older" && store.current(.policy) == nil)
    let former = try #require(try store.use(first))
    #expect(current() == "a" && former.number == 2 && former.words == "found in the folder")
    #expect(try store.use(first) == nil)
    let third = try add("b", to: store)
    #expect(try store.use(third)?.number == 1 && current() == "b")
    // The bytes of the current one are no new version; those of an earlier one are.
    #expect(try add("b", to: store).number == 3 && store.versions.count == 3)
    #expect(try store.use(former)?.number == 3 && current() == "older")
    #expect(store.current(.policy)?.number == 2 && store.current(.model) == nil)
    // Whatever replaces the current file leaves the version alone.
    try Data("c".utf8).write(to: URL(fileURLWithPath: path), options: .atomic)
    #expect(
      try String(contentsOfFile: folder + "/versions/2/policy.safetensors", encoding: .utf8)
        == "older")
    // A damaged record is no version; its number is not given again.
    try "{".write(toFile: folder + "/versions/3/version.json", atomically: true, encoding: .utf8)
    #expect(store.versions.map(\.number) == [1, 2])
    #expect(try add("d", to: store).number == 4)
    // Numbers that JSON does not have come back.
    var odd = version(.policy, "odd")
    odd.predictedReturn = -.infinity
    #expect(
      try store.add(odd) {
        try "e".write(toFile: $0 + "/policy.safetensors", atomically: true, encoding: .utf8)
      }.number == 5)
    #expect(store.versions.last?.predictedReturn == -.infinity)
    // What fails leaves nothing.
    struct Failure: Error {}
    #expect(throws: Failure.self) { try store.add(version(.model, "")) { _ in throw Failure() } }
    #expect(store.versions.count == 4)
    let names = try FileManager.default.contentsOfDirectory(atPath: folder + "/versions")
    #expect(names.allSatisfy { !$0.hasPrefix(".") })
  }

  @Test(
    "a policy on other standardisers is the same function",
    arguments: [
      "layers: [5, 3], goal: error", "layers: [], goal: concatenated", "layers: [4]",
      "kind: pid", "layers: [3], goal: error, integral: true", "radialBasis: 6, goal: error",
      "radialBasis: 4, goal: concatenated, actionHistory: 2",
    ])
  func restandardised(_ policy: String) throws {
    let yaml = SmallFiles.yaml.replacingOccurrences(
      of: "layers: [3], goal: error, actionHistory: 2", with: policy)
    let task = try ControlTask(yaml: yaml, file: "t.yaml", folder: ".")
    let made = task.makePolicy()
    let key = DrawKey(seed: 11)
    let parameters = key.normals(particle: 0, step: 0, count: made.parameterCount)
    let one = PolicyController(
      policy: made, parameters: parameters, stateMean: [20, -3], stateScale: [30, 4])
    let other = PolicyController(
      policy: made, parameters: parameters, stateMean: [-5, 2], stateScale: [12, 9])
    let same = one.restandardised(as: other)
    #expect(same.stateMean == other.stateMean && same.stateScale == other.stateScale)
    for k in 0..<20 {
      let z = key.normals(particle: 1, step: k, count: 6)
      let (state, goal) = ([40 * z[0], 6 * z[1]], [40 * z[2], 6 * z[3]])
      let past = [[z[4], 0.5], [z[5], 0.2]]
      let (a, b) = (
        one.action(state: state, goal: goal, past: past),
        same.action(state: state, goal: goal, past: past)
      )
      for (x, y) in zip(a, b) { #expect(abs(x - y) < 1e-9 * (1 + abs(x)), "\(policy): \(a), \(b)") }
    }
    // Not by leaving everything as it is.
    #expect(
      one.action(state: [5, 5], goal: [0, 0]) != other.action(state: [5, 5], goal: [0, 0]))
  }

  @Test(
    "paired rollouts tell a better policy from a worse one, and a policy from itself not at all")
  func comparison() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 15
    task.model.fit.fullIterations = 1
    (task.search.horizons, task.search.horizon) = ([60], 60)
    let model = try DynamicsModel.fit(
      try task.trainingEpisodes(seed: 0), layout: task.layout, form: try task.modelForm(),
      options: task.model.fit
    ).model
    let seed = task.makePolicy().initialParameters(1)
    let one = task.controller(seed, on: model)
    let same = try task.compare(one, one, on: model)
    #expect(same.difference == 0 && !same.secondIsWorse && !same.secondIsBetter)
    // On other standardisers it is the same policy, to rounding.
    let moved = PolicyController(
      policy: one.policy, parameters: seed, stateMean: [0.3, -0.1], stateScale: [0.2, 0.4])
    let back = moved.restandardised(as: one)
    let rounded = try task.compare(moved, back, on: model)
    #expect(abs(rounded.difference) < 1e-6 * abs(rounded.returns.first))
    // Up to the goal against away from it.
    func constant(_ raw: Double) -> PolicyController {
      var parameters = seed.map { _ in 0.0 }
      parameters[parameters.count - 1] = raw
      return task.controller(parameters, on: model)
    }
    let comparison = try task.compare(constant(0.5), constant(-0.5), on: model)
    #expect(comparison.secondIsWorse && comparison.returns.first > comparison.returns.second)
    let turned = try task.compare(constant(-0.5), constant(0.5), on: model)
    #expect(turned.secondIsBetter && abs(turned.difference + comparison.difference) < 1e-9)
  }

  @Test("history, use, compare and judge: a worse policy is kept beside the better one")
  func commands() throws {
    let folder = try Scratch.folder()
    try QuickPendulum.yaml(iterations: 30).write(
      toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    func run(_ arguments: String..., status: Int32 = 0) throws -> Outcome {
      let outcome = try bagel(arguments + ["--json"], in: folder)
      #expect(outcome.status == status, "\(arguments): \(outcome.errors)")
      return outcome
    }
    #expect(try run("history", "quick.yaml").errors.contains("no version yet"))
    _ = try run("fit", "quick.yaml")
    let good = try run("optimize", "quick.yaml", "--seed", "9")
    #expect(good.json["version"] as? Int == 2 && good.json["isCurrent"] as? Bool == true)
    let path = folder + "/quick-out/policy.safetensors"
    let best = FileManager.default.contents(atPath: path)
    let poor = try run("optimize", "quick.yaml", "--iterations", "1")
    #expect(poor.json["isCurrent"] as? Bool == false, "\(poor.errors)")
    #expect(poor.errors.contains("version 2 stays the current policy"), "\(poor.errors)")
    #expect(FileManager.default.contents(atPath: path) == best)
    let history = try run("history", "quick.yaml")
    #expect(history.json["current"] as? [Int] == [1, 2])
    #expect(history.errors.contains("* 2  ") && history.errors.contains("\n  3  "))
    let comparison = try run("compare", "quick.yaml", "3", "2")
    #expect(comparison.errors.contains("2 is better"), "\(comparison.errors)")
    #expect((comparison.json["difference"] as? Double ?? 0) > 0)
    _ = try run("use", "quick.yaml", "3")
    #expect(FileManager.default.contents(atPath: path) != best)
    #expect(try run("use", "quick.yaml", "7", status: 65).errors.contains("it has 1, 2, 3"))
    // A version that is not what its record says is not used.
    let second = folder + "/quick-out/versions/2/policy.safetensors"
    let third = FileManager.default.contents(atPath: path)
    try FileManager.default.removeItem(atPath: second)
    #expect(try run("use", "quick.yaml", "2", status: 65).errors.contains("is missing"))
    try third?.write(to: URL(fileURLWithPath: second))
    #expect(
      try run("use", "quick.yaml", "2", status: 65).errors.contains(
        "has changed since version 2 was stored"))
    #expect(FileManager.default.contents(atPath: path) == third)
    try best?.write(to: URL(fileURLWithPath: second))
    let replaced = try run(
      "optimize", "quick.yaml", "--iterations", "1", "--seed", "8", "--replace")
    #expect(replaced.json["isCurrent"] as? Bool == true)
    // The log that was learnt from is explained; it is too short to judge innovations by.
    let judged = try run("judge", "quick.yaml", "--log", "quick-out/simulated-1.csv")
    #expect(judged.errors.contains("fewer than 300 rows") && judged.json["changed"] is NSNull)
    #expect(judged.errors.contains("the model judged no row"), "\(judged.errors)")
    // A watch that is lost comes back with the same fit.
    let watch = folder + "/quick-out/watch.safetensors"
    try FileManager.default.removeItem(atPath: watch)
    _ = try run("fit", "quick.yaml")
    #expect(FileManager.default.fileExists(atPath: watch))
    // A version's policy finds its model and watch wherever it lies.
    let driven = try run(
      "run", "quick.yaml", "--policy", "quick-out/versions/2/policy.safetensors", "--seconds",
      "0.5")
    #expect(!driven.errors.contains("there is no"), "\(driven.errors)")
  }
}
