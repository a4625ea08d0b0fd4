// SPDX-License-Identifier: Apache-2.0
// Task files: the written template is valid, mistakes are named with their line.

import Bagel
import Foundation
import TestSupport
import Testing

private let valid = """
  name: test
  timeStep: 0.1
  states:
    - {name: x, units: m}
    - {name: v, units: m/s, rateOf: x}
  actions:
    - {name: u, limits: [-1, 2]}
  logs: [a.csv]
  reward: {saturating: {weights: [1, 0]}}
  start: [0, 0]
  goal: {lower: [0, 0], upper: [1, 0]}
  """

private func message(_ from: String, _ to: String) -> String {
  do {
    _ = try ControlTask(
      yaml: valid.replacingOccurrences(of: from, with: to), file: "t.yaml", folder: ".")
    return "no error"
  } catch {
    return "\(error)"
  }
}

@Suite("task files")
struct TaskFileTests {
  @Test("a valid file is read whole")
  func reading() throws {
    let task = try ControlTask(yaml: valid, file: "t.yaml", folder: "/data")
    #expect(task.logs == ["/data/a.csv"])
    #expect(task.actionLimits == [-1...2])
    #expect(task.goal == .uniform(lower: [0, 0], upper: [1, 0]))
    #expect(task.layout.states[1].source == .rate(of: "x", filterTime: 0))
    #expect(try task.modelForm().updates[0] == .backwardIntegral(rate: 1, smoothing: 1))
  }

  @Test("goals are checked for the policy that drives, not for the task's own")
  func goals() throws {
    let task = try ControlTask(yaml: valid, file: "t.yaml", folder: ".")
    let data = [-1.0...2, -1.0...1]
    #expect(task.policy.goalInput == .none)
    #expect(throws: LogError.self) { try task.checkGoal([3, 0], for: .error, within: data) }
    try task.checkGoal([3, 0], for: .none, within: data)
    try task.checkGoal([1.5, 0], for: .error, within: data)
  }

  @Test("the template of `bagel new` is valid")
  func template() throws {
    let text = BuiltInTasks.template(name: "mine")
    let task = try ControlTask(yaml: text, file: "mine.yaml", folder: ".")
    #expect(task.name == "mine" && task.rewards.count == 2)
    // Every key that a section reads stands in it.
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Tasks").path
    let read = try Regex(#"(?:yaml|entry|term|measure|schedule)\.[a-z]+\("([A-Za-z]+)""#)
    var keys: Set<String> = []
    for file in try FileManager.default.contentsOfDirectory(atPath: sources) {
      let code = try String(contentsOfFile: sources + "/" + file, encoding: .utf8)
      keys.formUnion(code.matches(of: read).compactMap { $0.output[1].substring.map(String.init) })
    }
    #expect(keys.count > 60)
    for key in keys { #expect(text.contains("\(key):"), "\(key)") }
  }

  @Test("mistakes name the line and what would be right")
  func mistakes() {
    #expect(
      message("timeStep", "timestep").contains(
        "'timeStep' is missing; is 'timestep' meant to be it?"))
    #expect(
      message("timeStep: 0.1", "timeStep: 0.1\ntimeStep: 0.2").contains(
        "t.yaml:2: 'timeStep' stands twice"))
    #expect(
      message("logs:", "logz:").contains("t.yaml:8: unknown key 'logz'; did you mean 'logs'?"))
    #expect(message("[-1, 2]", "[2, -1]").contains("must be [lower, upper] with lower < upper"))
    #expect(message("weights: [1, 0]", "weights: [1]").contains("has 1 numbers for 2 states"))
    #expect(message("start: [0, 0]", "start: [0]").contains("'start' has 1 numbers for 2 states"))
    #expect(
      message("timeStep: 0.1", "timeStep: fast").contains(
        "t.yaml:2: 'timeStep' must be a number, not 'fast'"))
    #expect(
      message("goal:", "optimise: {horizon: [10, 10]}\ngoal:").contains(
        "must be a number of steps, or a list of them that grows"))
    #expect(
      message("goal:", "optimise: {horizon: 0}\ngoal:").contains(
        "must be a whole number from 1 to 1000000, not 0"))
    #expect(message("goal:", "model: {mean: liner}\ngoal:").contains("did you mean 'linear'?"))
    #expect(message("name: test", "name: [").contains("is not YAML"))
    #expect(
      message("units: m}", "units: m, limits: [-1, 0.5]}").contains(
        "'goal' reaches 1.0, outside the limits of 'x', -1.0 to 0.5"))
    #expect(message("name: u", "name: t").contains("'t' would stand twice in a log"))
    let schedule =
      "{tolerance: 0.1, seconds: 9, settle: 4, schedule: {at: [0, 6], goals: [[0, 0], [1, 0]]}}"
    #expect(
      message("goal:", "evaluate: \(schedule)\ngoal:").contains(
        "'evaluate.settle' must lie within every step's 3.0 s"))
  }

  @Test("a policy file for another machine is refused with the difference")
  func policyFiles() throws {
    let boom = try ControlTask("boom")
    let policy = boom.makePolicy()
    let controller = PolicyController(
      policy: policy, parameters: policy.initialParameters(1), stateMean: [0.1, 0],
      stateScale: [0.4, 0.2])
    let path = Scratch.path("file.safetensors")
    try controller.write(to: path, description: boom.policyDescription)
    let (back, _) = try PolicyController.read(path: path, for: boom.policyDescription)
    #expect(
      back.action(state: [-0.3, 0.1], goal: [0, 0])
        == controller.action(state: [-0.3, 0.1], goal: [0, 0]))
    var other = boom.policyDescription
    other.actionNames = ["lever"]
    #expect(throws: TensorFileError.self) { try PolicyController.read(path: path, for: other) }
    try Data("garbage".utf8).write(to: URL(fileURLWithPath: path))
    #expect(throws: TensorFileError.self) {
      try PolicyController.read(path: path, for: boom.policyDescription)
    }
  }

  @Test("a model file gives back the same predictions")
  func modelFiles() throws {
    var task = try ControlTask("boom")
    task.exploration.seconds = 10
    task.model.fit.fullIterations = 1
    let model = try task.fit().model
    let path = Scratch.path("file.safetensors")
    try model.write(to: path, provenance: "test")
    let back = try DynamicsModel(path: path)
    let features = [[-0.2, 0.1, 0.5], [0.3, -0.2, -0.1]]
    #expect(back.predictIncrements(features).mean == model.predictIncrements(features).mean)
    #expect(back.predictIncrements(features).latent == model.predictIncrements(features).latent)
  }
}
