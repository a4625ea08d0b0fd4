// SPDX-License-Identifier: Apache-2.0
// The simulated crane against another integrator of its equations, and the whole way of its task.

import Bagel
import Foundation
import Plants
import Policies
import Tasks
import TensorFiles
import TestSupport
import Testing

@Suite("hydraulic crane")
struct CraneTests {
  private struct Reference: Decodable {
    struct Row: Decodable {
      let command: [Double]
      let state: [Double]
    }
    let start: [Double]
    let rows: [Row]
  }

  @Test("moves as its equations do in another integrator")
  func reference() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent()
    let data = try Data(contentsOf: folder.appendingPathComponent("References/crane.json"))
    let reference = try JSONDecoder().decode(Reference.self, from: data)
    var crane = HydraulicCrane()
    _ = crane.reset(to: reference.start, seed: 1)
    var worst = 0.0
    for row in reference.rows {
      _ = crane.step(row.command)
      worst = zip(crane.trueState, row.state).reduce(worst) { max($0, abs($1.0 - $1.1)) }
    }
    // The corner of the deadband is passed a fifth of an inner step apart.
    #expect(worst < 2e-5, "\(worst)")
  }

  @Test("stops stop, valves within the deadband do nothing, every parameter has an effect")
  func details() {
    var crane = HydraulicCrane()
    _ = crane.reset(to: [0.2, -1.2, -0.4], seed: 1)
    for _ in 0..<40 { _ = crane.step([0.04, -0.04, 0]) }
    #expect(crane.trueState == [0.2, -1.2, -0.4, 0, 0, 0])
    for _ in 0..<200 { _ = crane.step([1, -1, 1]) }
    #expect(crane.trueState == [1.1, -2.4, 0.9, 0, 0, 0])
    func end(_ crane: HydraulicCrane) -> [Double] {
      var crane = crane
      _ = crane.reset(to: [0.2, -1.2, -0.4], seed: 1)
      for _ in 0..<20 { _ = crane.step([0.9, -0.8, 0.7]) }
      for _ in 0..<20 { _ = crane.step([-0.9, 0.8, -0.7]) }
      return crane.trueState
    }
    let usual = end(HydraulicCrane())
    for (name, path) in HydraulicCrane.parameters {
      var other = HydraulicCrane()
      other[keyPath: path] *= 1.5
      #expect(end(other) != usual, "\(name)")
    }
  }

  @Test(
    "the tip goes where it is told, by a policy learnt from a minute of driving and known physics")
  func learnt() throws {
    var task = try ControlTask("crane-physics")
    task.search.starts = 3
    let fit = try task.fit(seed: 1)
    #expect(fit.model.form.outputs.map(\.inputs.count) == [4, 4, 4])
    let policy = try task.optimize(fit.model)
    let description = task.policyDescription(on: fit.model)
    let path = Scratch.path("crane-policy.safetensors")
    try policy.best.write(to: path, description: description)
    let (controller, read) = try PolicyController.read(path: path, for: task.policyDescription)
    #expect(read.loggedGoals == description.loggedGoals && read.inputs == description.inputs)
    let evaluation = try task.evaluate(controller, seed: 1, within: .init(read))
    #expect(evaluation.steps.count == 8)
    #expect(evaluation.stepSuccesses >= 7, "\(evaluation.steps.map(\.tracked))")
    // Another task's goals are refused.
    let pose = try ControlTask("crane-pose")
    #expect(throws: TensorFileError.self) {
      try PolicyController.read(path: path, for: pose.policyDescription)
    }
  }
}
