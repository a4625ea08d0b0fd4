// SPDX-License-Identifier: Apache-2.0
// Task files: the written template is valid, mistakes are named with their line.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import Tasks
import TensorFiles
import TestSupport
import Testing

private let valid = SmallTask.yaml
private func message(_ from: String, _ to: String) -> String {
  SmallTask.message(from, to)
}

@Suite("task files")
struct TaskFileTests {
  @Test("a valid file is read whole")
  func reading() throws {
    let task = try ControlTask(yaml: valid, file: "t.yaml", folder: "/data")
    #expect(task.logs == ["/data/a.csv"])
    #expect(task.actionLimits == [-1...2])
    #expect(task.objective.goal == .uniform(lower: [0, 0], upper: [1, 0]))
    #expect(task.layout.states[1].source == .rate(of: "x", filterTime: 0))
    #expect(try task.modelForm().updates[0] == .backwardIntegral(rate: 1, smoothing: 1))
  }

  @Test("goals are checked for the policy that drives, not for the task's own")
  func goals() throws {
    let task = try ControlTask(yaml: valid, file: "t.yaml", folder: ".")
    let data = ControlTask.SearchedData(bounds: [-1.0...2, -1.0...1])
    #expect(task.policy.goalInput == .none)
    #expect(throws: LogError.self) { try task.checkGoal([3, 0], for: .error, within: data) }
    try task.checkGoal([3, 0], for: .none, within: data)
    try task.checkGoal([1.5, 0], for: .error, within: data)
  }

  @Test("the template of `bagel new` is valid")
  func template() throws {
    let text = BuiltInTasks.template(name: "mine")
    let task = try ControlTask(yaml: text, file: "mine.yaml", folder: ".")
    #expect(task.name == "mine" && task.objective.rewards.count == 2)
    // Every key that a section reads stands in it.
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent()
      .appendingPathComponent("Sources/Tasks").path
    let read = try Regex(#"(?:yaml|entry|term|measure|schedule)\.[a-z]+\("([A-Za-z]+)""#)
    var keys: Set<String> = []
    for file in try FileManager.default.subpathsOfDirectory(atPath: sources)
    where file.hasSuffix(".swift") {
      let code = try String(contentsOfFile: sources + "/" + file, encoding: .utf8)
      keys.formUnion(code.matches(of: read).compactMap { $0.output[1].substring.map(String.init) })
    }
    #expect(keys.count > 60)
    for key in keys { #expect(text.contains("\(key):"), "\(key)") }
  }

  /// Every numeric key of every section.
  private static let numeric = """
    name: numbers
    timeStep: 0.1
    states:
      - {name: x, units: m, noise: 0.01, limits: [-2, 3]}
      - {name: v, units: m/s, rateOf: x, filterTime: 0.2}
    actions:
      - {name: u, limits: [-1, 2], rateLimit: 5, safe: 0.5}
    plant: {process: [true], timeout: 2.5, resetTimeout: 60.5}
    explore: {kind: manual, episodes: 2, seconds: 5, holdSeconds: 0.5, amplitude: 0.5, turningPoints: [-1, 1]}
    model: {actionDelay: 1, actionHistory: 1, stateHistory: 1, restPseudoData: 5, shortestLengthscale: 0.5,
      noiseFloor: 1e-6, tablePoints: 65536, rank: 100, gridPoints: 30, inducingPoints: 300, features: 256}
    policy: {layers: [8, 8], dropout: 0.25, goal: error, actionHistory: 3}
    reward:
      - saturating: {weights: [10, 0.1], width: 1.5}
      - quadratic: {weights: [1, 0.2], actionWeights: [0.1], units: physical}
      - actionChange: 0.1
      - learned: {column: score, weight: 1.5}
    start: {mean: [0.3, 0.4], deviation: [0.1, 0.2]}
    goal: {lower: [0.1, 0.2], upper: [0.3, 0.4]}
    optimise: {particles: 100, horizon: [20, 150], starts: 5, iterations: 400, learningRate: 0.01, gradientNorm: 10,
      adjointLimit: 1.5, evaluationInterval: 5, patience: 6}
    evaluate: {episodes: 16, seconds: 15, startSpread: 0.05, tolerance: 0.02, settle: 5, largestActionChange: 0.1,
      lastSteps: 10, success: [{measure: abs(x), below: 0.5}], schedule: {at: [0, 7], goals: [[0.2, 0.1], [0.25, 0.15]]}}
    learn: {trials: 5}
    """

  @Test("every number of a task has a range: what is refused says the line, what is taken serves")
  func ranges() throws {
    let whole = try ControlTask(yaml: Self.numeric, file: "n.yaml", folder: ".")
    #expect(whole.evaluation.schedule.count == 2 && whole.search.horizons == [20, 150])
    let numbers = Self.numeric.matches(
      of: try Regex(#"[ \[](-?[0-9][0-9.e-]*)[\],}\s]"#)
    ).compactMap { $0.output[1].range }
    #expect(numbers.count > 70)
    var taken = 0
    for number in numbers {
      for value in ["0", "-1", "1e-300", "1e300", "-1e300", "9e8", ".nan", "nan", ".inf", "word"] {
        let text = Self.numeric.replacingCharacters(in: number, with: value)
        do {
          let task = try ControlTask(yaml: text, file: "n.yaml", folder: ".")
          taken += 1
          // Conversions to whole numbers and durations must not trap.
          var explorer = Explorer(
            task.exploration, limits: task.actionLimits, rest: task.safeAction,
            timeStep: task.layout.timeStep, seed: 1)
          let actions = [0, 1, 1_000].map { explorer.action(step: $0, states: [0, 0]) }
          #expect(actions.allSatisfy { $0.allSatisfy(\.isFinite) }, "\(value) in \(text)")
          #expect(task.episodeRun(seconds: task.evaluation.seconds).steps > 1)
          var plant = try task.makePlant()
          plant.close(safeAction: task.safeAction)
          _ = task.makePolicy()
          #expect(!["1e300", "-1e300", ".nan", "nan", ".inf", "word"].contains(value))
        } catch let error as LogError {
          #expect(error.line != nil && error.file == "n.yaml", "\(value): \(error)")
        }
      }
    }
    #expect(taken > 20)
  }

  @Test("mistakes name the line and what would be right")
  func mistakes() {
    #expect(
      message("timeStep", "timestep").contains(
        "'timeStep' is missing; did you mean 'timestep'?"))
    #expect(
      message("timeStep: 0.1", "timeStep: 0.1\ntimeStep: 0.2").contains(
        "t.yaml:2: 'timeStep' occurs twice"))
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
        "must be a number of steps, or an increasing list of them"))
    #expect(
      message("goal:", "optimise: {horizon: 0}\ngoal:").contains(
        "must be a whole number from 1 to 1000000, not '0'"))
    #expect(message("goal:", "model: {mean: liner}\ngoal:").contains("did you mean 'linear'?"))
    #expect(message("name: test", "name: [").contains("is not YAML"))
    #expect(
      message("units: m}", "units: m, limits: [-1, 0.5]}").contains(
        "'goal' reaches 1.0, outside the limits of 'x', -1.0 to 0.5"))
    #expect(message("name: u", "name: t").contains("'t' would occur twice in a log"))
    let schedule =
      "{tolerance: 0.1, seconds: 9, settle: 4, schedule: {at: [0, 6], goals: [[0, 0], [1, 0]]}}"
    #expect(
      message("goal:", "evaluate: \(schedule)\ngoal:").contains(
        "'evaluate.settle' must be below the 3.0 s of the shortest step to a goal, not 4.0 s"))
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
    let model = try SmallBoom.fitted().model
    let path = Scratch.path("file.safetensors")
    try model.write(to: path, provenance: "test")
    let back = try DynamicsModel(path: path)
    let features = [[-0.2, 0.1, 0.5], [0.3, -0.2, -0.1]]
    #expect(back.predictIncrements(features).mean == model.predictIncrements(features).mean)
    #expect(back.predictIncrements(features).latent == model.predictIncrements(features).latent)
  }
}
