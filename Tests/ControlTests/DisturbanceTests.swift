// SPDX-License-Identifier: Apache-2.0
// Disturbances, which nobody commands: read from tasks and logs, inputs of the model, replayed along held-out logs, drawn as logged
// stretches in rollouts, sent by plants; and what is said where one is missing.

import Bagel
import Draws
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import Programs
import Tasks
import TensorFiles
import TestSupport
import Testing

@Suite("disturbances")
struct DisturbanceTests {
  private let yaml = """
    name: cart
    timeStep: 0.1
    states: [{name: x, units: m}]
    actions: [{name: u, limits: [-1, 1]}]
    disturbances:
      wind: varying
      load: {units: kg, column: payload, constant: true}
    model: {covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: exact}
    reward: {formula: -x^2}
    start: [0]
    goal: [0]
    optimise: {particles: 6, horizon: 30}
    """

  private func task(_ from: String = "", _ to: String = "") throws -> ControlTask {
    let text = from.isEmpty ? yaml : yaml.replacingOccurrences(of: from, with: to)
    return try ControlTask(yaml: text, file: "t.yaml", folder: ".")
  }

  /// x' = x + 0.1 (u + wind) - 0.02 load: winds and loads unlike each other, a load an episode.
  private func episodes(_ counts: [Int] = [40, 25, 60], seed: UInt64 = 1) -> [Episode] {
    var generator = SeededGenerator(seed: seed)
    return counts.enumerated().map { number, count in
      var episode = Episode(name: "\(number)", timeStep: 0.1, states: [], actions: [])
      var (x, wind) = (0.0, 0.0)
      for _ in 0..<count {
        wind += Double.random(in: -0.3...0.3, using: &generator)
        let (u, load) = (Double.random(in: -1...1, using: &generator), Double(number) - 1)
        episode.states.append([x])
        episode.actions.append([u])
        episode.disturbances.append([wind, load])
        x += 0.1 * (u + wind) - 0.02 * load
      }
      return episode
    }
  }

  private func model(_ task: ControlTask, _ episodes: [Episode]) throws -> DynamicsModel {
    try DynamicsModel.fit(
      episodes, layout: task.layout, form: try task.modelForm(), options: task.model.fit
    ).model
  }

  @Test("a task names them, with units, columns, and which are constant over an episode")
  func reading() throws {
    let task = try task()
    #expect(task.layout.disturbances.map(\.channel.name) == ["wind", "load"])
    #expect(task.layout.disturbances.map(\.isConstant) == [false, true])
    #expect(task.layout.writtenColumns == ["t", "x", "u", "wind", "payload"])
    #expect(
      try task.modelForm().features
        == [
          .state(0, lag: 0), .action(0, lag: 0), .disturbance(0, lag: 0), .disturbance(1, lag: 0),
        ])
    let given = try self.task(
      "model: {", "quantities: {push: u + wind}\nmodel: {inputs: {x: [push, load]}, ")
    #expect(try given.modelForm().features.count == 2)
    func problem(_ from: String, _ to: String) -> String {
      SmallTask.problem(yaml.replacingOccurrences(of: from, with: to))
    }
    #expect(
      problem("wind: varying", "wind: variyng")
        == "t.yaml:6: 'disturbances.wind' must be one of varying, constant, not 'variyng'; did you mean 'varying'?"
    )
    #expect(problem("  wind: varying", "  x: varying").contains("two have the name 'x'"))
    #expect(
      problem("column: payload", "column: wind").contains("'wind' would occur twice in a log"))
    #expect(problem("constant: true", "constantly: true").contains("did you mean 'constant'?"))
    #expect(
      problem("reward:", "quantities: {wind: x^2}\nreward:").contains(
        "is a state, action or disturbance"))
    #expect(
      problem("goal: [0]", "quantities: {drift: x + wind}\ngoal: {drift: 0}").contains(
        "reads a command or disturbance"))
    for name in ["wind", "drift", "twice"] {
      let words = problem(
        "reward: {formula: -x^2}",
        "quantities: {drift: x + wind, twice: 2 * drift}\nreward: {formula: -\(name)^2}")
      #expect(words.contains("'\(name)' is a disturbance or reads one; rewards, measures"))
    }
  }

  @Test("logs have their columns, once; one that never changes is no disturbance")
  func logs() throws {
    let folder = try Scratch.folder()
    func log(_ name: String, _ header: String, load: (Int) -> Int) throws -> String {
      let rows = (0..<30).map { k in
        "\(Double(k) / 10),\(abs(k % 14 - 7)),\(k % 3),\(k % 5),\(load(k))"
      }
      try ([header] + rows).joined(separator: "\n").appending("\n").write(
        toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
      return "\(folder)/\(name)"
    }
    let layout = try task().layout
    let paths = [
      try log("a.csv", "t,x,u,wind,payload") { _ in 1 },
      try log("b.csv", "t,x,u,wind,payload") { _ in 2 },
    ]
    let episodes = try layout.episodes(from: paths)
    #expect(episodes.map { $0.disturbances[3] } == [[3, 1], [3, 2]])
    #expect(episodes[0].rowsOnly(2..<4).disturbances == [[2, 1], [3, 1]])
    func problem(_ paths: [String]) -> String {
      do {
        _ = try layout.episodes(from: paths)
        return "no error"
      } catch {
        return "\(error)"
      }
    }
    // The load may be what it is in all logs that there are yet; the wind may not.
    #expect(problem([paths[0]]) == "no error")
    let calm = try String(contentsOfFile: paths[0], encoding: .utf8).split(separator: "\n")
      .enumerated().map { k, line in
        k == 0 ? "\(line)" : line.split(separator: ",").prefix(3).joined(separator: ",") + ",4,1"
      }
    let calmPath = "\(folder)/calm.csv"
    try calm.joined(separator: "\n").appending("\n").write(
      toFile: calmPath, atomically: true, encoding: .utf8)
    #expect(
      problem([calmPath]).hasSuffix(
        "column 'wind': is a disturbance that never changes (always 4), so its effect cannot be learnt; log the machine while "
          + "it varies, or leave it out"))
    let missing = problem([try log("c.csv", "t,x,u,wind,p") { _ in 1 }])
    #expect(missing.contains("payload"))
  }

  @Test("a load that is called constant and is not, or is always the same, is said")
  func findings() throws {
    let task = try task()
    func warnings(_ load: (_ episode: Int, _ row: Int) -> Double) throws -> [String] {
      let changed = episodes().enumerated().map { e, episode in
        var changed = episode
        changed.disturbances = episode.disturbances.enumerated().map { [$1[0], load(e, $0)] }
        return changed
      }
      return DataFindings(changed, layout: task.layout, form: try task.modelForm()).warnings
    }
    #expect(try warnings { e, _ in Double(e) }.isEmpty)
    #expect(
      try warnings { _, _ in 2 } == [
        "'load' is 2 in all logs: the effect of other values is not learnt"
      ])
    let moving = try warnings { e, row in Double(e) + 0.01 * Double(row) }
    #expect(moving.count == 1)
    #expect(
      moving.first?.hasPrefix("'load' is declared constant but goes from 2 to 2.59 in 2") == true)
    // A controller that fed the wind forward.
    let fed = episodes().map { episode in
      var fed = episode
      fed.actions = episode.disturbances.map { [-0.5 * $0[0]] }
      return fed
    }
    let said = DataFindings(fed, layout: task.layout, form: try task.modelForm()).warnings
    #expect(said.contains { $0.contains("'u' follows from the states and disturbances") })
  }

  @Test("what is logged of them explains what the machine does, along held-out logs too")
  func explains() throws {
    let episodes = episodes([80, 80, 80])
    let held = self.episodes([60], seed: 9)
    let task = try task()
    let model = try model(task, episodes)
    var blind = task
    blind.disturbances = []
    let without = try self.model(blind, episodes)
    func error(_ model: DynamicsModel, _ held: [Episode]) throws -> Double {
      try model.heldOutFigures(held, training: episodes)[0].rmse
    }
    #expect(try error(model, held) < 0.02 * error(without, held))
    // They are replayed: another wind makes another prediction.
    var still = held
    still[0].disturbances = held[0].disturbances.map { [0, $0[1]] }
    #expect(try error(model, still) > 10 * error(model, held))
  }

  @Test("particles go along logged stretches, and turn back where one ends")
  func rollouts() throws {
    let (task, episodes) = (try task(), episodes())
    let model = try model(task, episodes)
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let key = DrawKey(seed: 5)
    let particles = 6
    let starts = (0..<particles).flatMap {
      rollout.start(state: model.stateStandardiser.standardise([0]), particle: $0, key: key)
    }
    let parameters = task.makePolicy().initialParameters(2)
    let batch = RolloutBatch(
      parameters: parameters, initialStates: starts,
      goals: (0..<particles).map { _ in model.stateStandardiser.standardise([0])[0] },
      particles: particles, horizon: 30, draws: key)
    let paths = InterpreterExecutor(rollout.program, data: rollout.data).trajectories(batch)
    /// Where a stretch of so many rows is walked, from a row on.
    func walk(_ first: Int, _ count: Int, _ steps: Int) -> [Int] {
      var (row, step) = (first, 1)
      return (0..<steps).map { _ in
        defer {
          if !(0..<count).contains(row + step) { step = -step }
          row += step
        }
        return row
      }
    }
    var seen: Set<Int> = []
    for b in 0..<particles {
      let states = (0...30).map { k in
        model.stateStandardiser.restore([paths.carry(step: k, particle: b).first ?? .nan])[0]
      }
      let steps = (0..<30).map { k in
        states[k + 1] - states[k] - 0.1 * paths.actions[(k * particles + b)]
      }
      // The one logged stretch whose wind and load explain all steps.
      let fits = episodes.indices.flatMap { e in
        (0..<episodes[e].count).filter { first in
          let rows = walk(first, episodes[e].count, 30).map { episodes[e].disturbances[$0] }
          let load = episodes[e].disturbances[first][1]
          return zip(steps, rows).allSatisfy { abs($0 - 0.1 * $1[0] + 0.02 * load) < 5e-3 }
        }.map { (e, $0) }
      }
      #expect(fits.count == 1, "particle \(b)")
      if let fit = fits.first { seen.insert(1_000 * fit.0 + fit.1) }
    }
    #expect(seen.count == particles)
    let host = try HostExecutor(rollout.program, data: rollout.data)
    let (found, expected) = (
      try host.trajectories(batch).states, paths.states
    )
    #expect(zip(found, expected).allSatisfy { abs($0 - $1) < 1e-3 * max(1, abs($1)) })
    // No derivative goes through the row's number (the carry's second), and all others are right.
    let adjoint = rollout.program.step.adjoint(withRespectTo: ["state"])
    let place = Interpreter(
      shared: rollout.data.merging([RolloutProgram.parameters: parameters]) { $1 }
    )
    .run(
      adjoint,
      inputs: [
        "state": Array(starts.prefix(rollout.program.carryLength)), "goal": [0],
        "adj_next": Array(repeating: 0, count: rollout.program.carryLength), "adj_reward": [1],
        "adj_action": [0],
      ], draws: { _, count in Array(repeating: 0.1, count: count) })["adj_state"]
    #expect(place[1] == 0 && place[0] != 0)
    let gradient = InterpreterExecutor(rollout.program, data: rollout.data).gradient(batch).gradient
    let check = DirectionalCheck(gradient, at: parameters) { parameters in
      var moved = batch
      moved.parameters = parameters
      return InterpreterExecutor(rollout.program, data: rollout.data).returns(moved).mean
    }
    #expect(check.error() < 1e-5)
  }

  @Test("a model's file holds the stretches, and a policy's file that it sees them")
  func files() throws {
    let (task, episodes) = (try task(), episodes())
    let model = try model(task, episodes)
    let path = Scratch.path("disturbed-model.safetensors")
    try model.write(to: path, provenance: "test")
    let read = try DynamicsModel(path: path)
    #expect(read.loggedDisturbances == model.loggedDisturbances)
    #expect(read.loggedDisturbances.stretches.map(\.count) == [40, 25, 60])
    #expect(read.layout == task.layout && read.fingerprint == model.fingerprint)
    #expect(try task.mismatch(with: read) == nil)
    var moving = task
    moving.disturbances[1].isConstant = false
    #expect(try moving.mismatch(with: read)?.contains("'load' constant over an episode") == true)
    // A file may be damaged.
    let sound = try TensorFile(path: path)
    let text = try #require(sound.metadata["structure"])
    for (from, to) in [
      (#""name":"wind""#, #""name":"x""#), (#""name":"wind""#, #""name":"wi\u0007nd""#),
      (#"{"disturbance":{"_0":1"#, #"{"disturbance":{"_0":2"#),
      (#"{"disturbance":{"_0":1"#, #"{"filteredAction":{"steps":3,"_0":1"#),
    ] {
      #expect(text.contains(from))
      var file = sound
      file.metadata["structure"] = text.replacingOccurrences(of: from, with: to)
      let damaged = Scratch.path("damaged.safetensors")
      try file.write(to: damaged)
      #expect(throws: TensorFileError.self) { try DynamicsModel(path: damaged) }
    }
    var other = task
    other.disturbances.removeLast()
    #expect(try other.mismatch(with: read)?.contains("disturbances [\"wind\", \"load\"]") == true)

    let seeing = try self.task(
      "reward:", "policy: {layers: [4], goal: error, disturbances: true}\nreward:")
    let rollout = try seeing.makeRollout(model, try seeing.makeSampler(model).sampler)
    let controller = seeing.controller(seeing.makePolicy().initialParameters(3), on: model)
    let policyPath = Scratch.path("seeing.safetensors")
    try controller.write(
      to: policyPath, description: seeing.policyDescription(on: model))
    let back = try PolicyController.read(path: policyPath, for: seeing.policyDescription)
    #expect(back.description.stateNames == ["x", "wind", "load"])
    #expect(throws: TensorFileError.self) {
      try PolicyController.read(path: policyPath, for: task.policyDescription)
    }
    // What runs on the machine is what was searched.
    let key = DrawKey(seed: 8)
    let batch = RolloutBatch(
      parameters: controller.parameters,
      initialStates: rollout.start(
        state: model.stateStandardiser.standardise([0.3]), particle: 0, key: key),
      goals: model.stateStandardiser.standardise([0.1]), particles: 1, horizon: 1, draws: key)
    let action = InterpreterExecutor(rollout.program, data: rollout.data).trajectories(batch)
      .actions
    let row = try #require(
      model.loggedDisturbances.rows.first {
        abs(back.controller.action(state: [0.3] + $0, goal: [0.1])[0] - action[0]) < 1e-6
      })
    var run = back.controller.begin()
    #expect(abs(run.action(observed: [0.3] + row, goal: [0.1])[0] - action[0]) < 1e-6)
    let blind = task.controller(task.makePolicy().initialParameters(3), on: model)
    var blindRunning = blind.begin()
    #expect(
      blindRunning.action(observed: [0.3, 7, 7], goal: [0.1])
        == blind.action(state: [0.3], goal: [0.1]))
  }

  @Test("a plant sends them; one that does not is told so")
  func plants() throws {
    var layout = LogLayout(
      states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)
    layout.disturbances = [.init(Channel(name: "wind")), .init(Channel(name: "load"))]
    func outcome(_ answer: String) throws -> EpisodeRun.Outcome {
      let script = """
        while read -r line; do
          case "$line" in *close*) exit 0;; *) echo '\(answer)';; esac
        done
        """
      var plant: any Plant = ExternalPlant(
        command: ["/bin/sh", "-c", script], states: layout.states, actions: layout.actions,
        disturbances: layout.exogenous.suffix(2), actionLimits: [-1...1], timeStep: 0.1)
      let run = EpisodeRun(
        layout: layout, actionLimits: [-1...1], safeAction: [0], steps: 2)
      return try run.run(&plant, seed: 7, name: "test") { _, observed in [0.1 * observed[2]] }
    }
    let good = try outcome(#"{"state":[1],"disturbance":[2,3]}"#)
    #expect(good.failure == nil && good.episode.disturbances == [[2, 3], [2, 3], [2, 3]])
    #expect(abs(good.episode.actions[0][0] - 0.3) < 1e-12)
    for (answer, words) in [
      (#"{"state":[1]}"#, "answered no \"disturbance\", but the task has 'wind', 'load'"),
      (
        #"{"state":[1],"disturbance":[2]}"#,
        "answered 1 disturbances, but the task has 'wind', 'load'"
      ),
      (#"{"state":[1],"disturbance":[2,1e300]}"#, "'load' is not a finite number"),
      (#"{"state":[1],"disturbance":3}"#, "whose \"disturbance\" is not a list of numbers"),
    ] {
      let failure = try outcome(answer).failure
      let said = failure?.description ?? ""
      #expect(said.contains(words))
    }
    let boom = yaml.replacingOccurrences(of: "name: x, units: m", with: "name: angle")
      .replacingOccurrences(of: "reward: {formula: -x^2}", with: "plant: cart-pole")
    let error = #expect(throws: LogError.self) {
      try ControlTask(yaml: boom, file: "t.yaml", folder: ".").makePlant()
    }
    #expect("\(try #require(error))".contains("the plant 'cart-pole'"))
  }

  @Test("the boom carries a load that differs between episodes, under a supply that wanders")
  func boom() throws {
    var boom = HydraulicBoom()
    _ = boom.set("loadSpread", to: 0.6)
    _ = boom.set("supplySpread", to: 0.4)
    var loads: Set<Double> = []
    for seed in 0..<4 {
      loads.insert(boom.reset(to: [0, 0], seed: UInt64(seed)).disturbances[0])
      let rows = (0..<40).map { _ in boom.step([0.5]) }
      #expect(Set(rows.map { $0.disturbances[0] }).count == 1)
      #expect(rows.allSatisfy { (0.6...1).contains($0.disturbances[1]) })
      #expect(Set(rows.map { $0.disturbances[1] }).count > 30)
    }
    #expect(loads.count == 4 && loads.allSatisfy { (0.14...0.56).contains($0) })
    // The heavier the load, the slower it rises; the higher the supply, the faster.
    func rate(_ parameter: String, _ number: Int) -> [(disturbance: Double, rate: Double)] {
      (0..<6).map { seed in
        var boom = HydraulicBoom()
        _ = boom.set(parameter, to: 0.5)
        _ = boom.set("supplyTime", to: 1e3)
        let value = boom.reset(to: [0, 0], seed: UInt64(seed)).disturbances[number]
        for _ in 0..<20 { _ = boom.step([0.5]) }
        return (value, boom.trueState[1])
      }.sorted { $0.disturbance < $1.disturbance }
    }
    let (byLoad, bySupply) = (rate("loadSpread", 0), rate("supplySpread", 1))
    #expect(zip(byLoad, byLoad.dropFirst()).allSatisfy { $0.rate > $1.rate })
    #expect(zip(bySupply, bySupply.dropFirst()).allSatisfy { $0.rate < $1.rate })
    var usual = HydraulicBoom()
    #expect(usual.reset(to: [0, 0], seed: 3).disturbances == [0.35, 1])
  }

  @Test("an action in large units is no diverged particle, however far back it is remembered")
  func largeActions() throws {
    var task = try task("limits: [-1, 1]", "limits: [-5000, 5000], rateLimit: 1e6")
    task.disturbances = []
    let episodes = episodes([60]).map { episode in
      var scaled = episode
      scaled.actions = episode.actions.map { [5_000 * $0[0]] }
      scaled.disturbances = []
      return scaled
    }
    let model = try model(task, episodes)
    let rollout = try task.makeRollout(model, try task.makeSampler(model).sampler)
    let state = model.stateStandardiser.standardise([0.5])
    let key = DrawKey(seed: 1)
    let batch = RolloutBatch(
      parameters: task.makePolicy().initialParameters(1).map { 20 * $0 },
      initialStates: rollout.start(state: state, particle: 0, key: key), goals: [0], particles: 1,
      horizon: 10, draws: key)
    let interpreter = InterpreterExecutor(rollout.program, data: rollout.data)
    #expect(interpreter.trajectories(batch).actions.contains { abs($0) > 1_000 })
    #expect(interpreter.returns(batch).diverged == 0)
    #expect(try HostExecutor(rollout.program, data: rollout.data).returns(batch).diverged == 0)
  }
}
