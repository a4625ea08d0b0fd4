// SPDX-License-Identifier: Apache-2.0
// A learnt model as a machine: its steps are those of the model, episodes are reproducible, the protocol is a plant's.

import Bagel
import Foundation
import GaussianProcesses
import Tasks
import TestSupport
import Testing

private func fitted() throws -> DynamicsModel {
  let task = try ControlTask(
    yaml: """
      name: lag
      timeStep: 0.05
      states: [{name: x}, {name: x_rate, rateOf: x}]
      actions: [{name: u, limits: [-1, 1]}]
      model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
      logs: [a.csv]
      """, file: "t.yaml", folder: ".")
  return try DrivenLag.model(of: task)
}

@Suite("a learnt model as a machine")
struct SimulationTests {
  private let model: DynamicsModel
  init() throws { model = try fitted() }

  @Test("without draws its steps are those of the model's mean")
  func mean() throws {
    let simulator = try ModelSimulator(model, doubt: .none, particles: 3, hasSensorNoise: false)
    _ = try simulator.reset(seed: 4)
    let map = AffineNextState(model)
    for k in 0..<20 {
      let before = simulator.states
      let actions = (0..<3).map { [0.3 * Double($0) - 0.2 + 0.01 * Double(k)] }
      let after = try simulator.step(actions)
      for b in 0..<3 {
        let features = model.form.features.map { feature -> Double in
          switch feature {
          case .state(let i, _): before[b][i]
          case .action(let j, _): actions[b][j]
          default: .nan
          }
        }
        let increments = model.predictIncrements([features]).mean[0]
        let expected = map.next(before[b], increments: increments)
        for (a, e) in zip(after[b], expected) { #expect(abs(a - e) < 2e-3 * max(abs(e), 0.1)) }
      }
    }
  }

  @Test("the same seed gives the same episodes; others differ, and so do particles")
  func seeds() throws {
    func run(_ simulator: ModelSimulator, seed: UInt64) throws -> [[Double]] {
      _ = try simulator.reset(seed: seed)
      var last: [[Double]] = []
      for _ in 0..<10 { last = try simulator.step([[0.5], [0.5]]) }
      return last
    }
    for doubt in [SimulatedDoubt.function, .steps] {
      let simulator = try ModelSimulator(model, doubt: doubt, particles: 2)
      #expect(simulator.doubt == doubt)
      let first = try run(simulator, seed: 1)
      #expect(try run(simulator, seed: 1) == first)
      #expect(try run(simulator, seed: 2) != first)
      #expect(first[0] != first[1])
      // Another episode of the same seed is another one.
      _ = try simulator.reset(seed: 1)
      let again = try simulator.reset(to: [0, 0])
      #expect(again.count == 2 && simulator.states[0] == simulator.states[1])
    }
  }

  @Test("a reset of some leaves the others where they are")
  func some() throws {
    let simulator = try ModelSimulator(model, particles: 3, hasSensorNoise: false)
    _ = try simulator.reset(seed: 3)
    let moved = try simulator.step([[1], [0.5], [-1]])
    let reset = try simulator.reset([1], to: [0.25, 0])
    #expect(reset.count == 1 && abs(reset[0][0] - 0.25) < 1e-6)
    #expect(simulator.states[0] == moved[0] && simulator.states[2] == moved[2])
  }

  @Test("what is no command is told with what is wanted")
  func protocolErrors() throws {
    var one = SimulatedSession(try ModelSimulator(model), isBatch: false, seed: 1)
    #expect(try one.answer("{\"command\":\"reset\"}")?.hasPrefix("{\"state\":[") == true)
    // The rate is derived, so it is not measured.
    #expect(try one.answer("{\"command\":\"step\",\"action\":[0.5]}")?.contains(",") == false)
    #expect(try one.answer("{\"command\":\"close\"}") == nil)
    for (line, words) in [
      ("hello", "is not a command"), ("{\"command\":\"fly\"}", "unknown command 'fly'"),
      ("{\"command\":\"step\"}", "'action' must be a list of 1 number"),
      ("{\"command\":\"step\",\"action\":[1,2]}", "'action' must be a list of 1 number"),
      ("{\"command\":\"step\",\"action\":[1e300]}", "beyond 1e9"),
      ("{\"command\":\"reset\",\"of\":[0]}", "simulate several particles"),
      ("{\"command\":\"reset\",\"state\":[1]}", "'state' must be a list of 2 numbers"),
    ] {
      let error = #expect(throws: SimulatedSession.Misunderstood.self) { try one.answer(line) }
      #expect(error?.description.contains(words) == true, "\(line)")
    }
    var many = SimulatedSession(
      try ModelSimulator(model, particles: 2), isBatch: true, seed: 1)
    #expect(
      try many.answer("{\"command\":\"reset\",\"of\":[1]}")?.hasPrefix("{\"states\":[[") == true)
    #expect(
      try many.answer("{\"command\":\"step\",\"actions\":[[0],[1]]}")?.contains("],[") == true)
    #expect(throws: SimulatedSession.Misunderstood.self) {
      try many.answer("{\"command\":\"step\",\"actions\":[[0]]}")
    }
  }

  @Test("BAGEL drives it as a plant")
  func plant() throws {
    let folder = try Scratch.folder()
    try model.write(to: folder + "/model.safetensors", provenance: "test", verdict: nil)
    try """
    name: again
    timeStep: 0.05
    states: [{name: x}, {name: x_rate, rateOf: x}]
    actions: [{name: u, limits: [-1, 1]}]
    plant: {process: ["\(bagelBinary)", simulate, model.safetensors], clock: simulation, resetTimeout: 60}
    explore: {kind: smooth, episodes: 1, seconds: 10}
    """.write(toFile: folder + "/again.yaml", atomically: true, encoding: .utf8)
    let result = try bagel(["fit", "again.yaml", "--json"], in: folder)
    #expect(result.status == 0, "\(result.errors)")
    #expect(result.json["states"] as? [String] == ["x", "x_rate"])
    #expect(
      (result.json["paths"] as? [String: String])?["model"]?.hasSuffix("model.safetensors") == true)
  }
}
