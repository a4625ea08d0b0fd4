// SPDX-License-Identifier: Apache-2.0
// Commands that are worth driving: what observations would tell against a process that has them, commands that are played back, proposals
// within limits that tell more than rest and chance, and the loop that explores by them.

import Bagel
import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import Tasks
import TestSupport
import Testing

@Suite("proposals")
struct ProposalTests {
  /// A cart that slides, with limits and a rate limit.
  private static let yaml = """
    name: slide
    timeStep: 0.1
    states: [{name: x, units: m, limits: [-4, 4]}, {name: v, units: m/s, limits: [-3, 3]}]
    actions: [{name: u, limits: [-1, 2], rateLimit: 8}]
    model: {covariance: squared-exponential, mean: linear, stateHistory: 0}
    policy: {layers: [3], goal: error}
    reward: {saturating: {weights: [1, 0.1]}}
    start: [0, 0]
    goal: {lower: [-1, 0], upper: [1, 0]}
    optimise: {particles: 16, horizon: 30, iterations: 20, starts: 1}
    evaluate: {seconds: 3, tolerance: 0.1, settle: 1.5}
    """

  private static func task(_ change: (String) -> String = { $0 }) throws -> ControlTask {
    try ControlTask(yaml: change(yaml), file: "slide.yaml", folder: ".")
  }

  private static func model(_ task: ControlTask) throws -> DynamicsModel {
    try DynamicsModel.fit(
      [log(rows: 120)], layout: task.layout, form: try task.modelForm(), options: task.model.fit
    ).model
  }

  private static func log(rows: Int) -> Episode {
    let key = DrawKey(seed: 3)
    var (x, v, u) = (0.0, 0.0, 0.0)
    var (states, actions) = ([[Double]](), [[Double]]())
    for k in 0..<rows {
      let z = key.normals(particle: 0, step: k, count: 3)
      u = 0.7 * u + 0.3 * z[0]
      states.append([x, v])
      actions.append([u])
      x += 0.1 * v + 1e-3 * z[1]
      v += 0.1 * (3 * tanh(u) - v) + 2e-3 * z[2]
    }
    return Episode(name: "log", timeStep: 0.1, states: states, actions: actions)
  }

  @Test("variances with more observations are those of the process that has them")
  func gain() throws {
    let model = try Self.model(try Self.task())
    let process = model.processes[1]
    let key = DrawKey(seed: 9)
    func points(_ count: Int, _ number: Int) -> Matrix {
      Matrix((0..<count).map { key.normals(particle: $0, step: number, count: process.x.columns) })
    }
    let (where_, more) = (points(15, 0), points(30, 1))
    let gain = try ObservationGain(process, at: where_)
    let fresh = try GaussianProcess(
      process.hyperparameters, x: process.x.above(more),
      y: process.y + (0..<30).map { Double($0) }, noiseProfile: process.noiseProfile)
    let expected = fresh.predict(where_).variance
    for (a, b) in zip(try gain.variances(observing: more), expected) {
      #expect(abs(a - b) < 1e-8 * max(b, 1e-3))
    }
    #expect(gain.variances == process.predict(where_).variance)
  }

  @Test(
    "the expected model has the same means and less variance; what is known already tells little")
  func expected() throws {
    let task = try Self.task()
    let model = try Self.model(task)
    let key = DrawKey(seed: 5)
    let rows = (0..<40).map { k -> [Double] in
      let z = key.normals(particle: k, step: 0, count: 3)
      return [2 * z[0], z[1], 0.5 * z[2]]
    }
    let more = try model.expected(with: rows)
    #expect(more.features.rows == model.features.rows + 40)
    let (before, after) = (model.predictIncrements(rows), more.predictIncrements(rows))
    for k in rows.indices {
      for m in before.mean[k].indices {
        #expect(abs(before.mean[k][m] - after.mean[k][m]) < 0.02 * before.observed[k][m])
        #expect(after.latent[k][m] <= before.latent[k][m] + 1e-12)
      }
    }
    let far = try ModelGain(model, at: rows)
    let known = try ModelGain(more, at: rows)
    let (first, again) = (
      try far.remaining(observing: rows), try known.remaining(observing: rows)
    )
    #expect(first < 0.9 && again > first && again <= 1, "\(first), \(again)")
    #expect(try far.remaining(observing: Array(rows.prefix(5))) > first)
  }

  @Test("played back, commands are straight lines from knot to knot, within limits and rate limits")
  func playback() throws {
    let policy = Policy.playback(
      knots: 4, spacing: 5, inputs: PolicyInputs(stateLength: 2, actionLength: 2),
      lower: [-1, 10], upper: [3, 20], largestChange: [.infinity, 0.5], rest: [0, 12])
    let parameters = [0, 1, -1, 0.5, -0.6, 3, -0.6, -0.6]
    let controller = PolicyController(
      policy: policy, parameters: parameters, stateMean: [0, 0], stateScale: [1, 1])
    var run = controller.begin()
    var last = 12.0
    for k in 0..<15 {
      let action = run.action(observed: [9, 9], goal: [])
      let (knot, part) = (k / 5, Double(k % 5) / 5)
      func line(_ values: ArraySlice<Double>) -> Double {
        let v = Array(values)
        return v[knot] + part * (v[knot + 1] - v[knot])
      }
      #expect(abs(action[0] - (1 + 2 * line(parameters[0..<4]))) < 1e-9)
      let wanted = 15 + 5 * min(max(line(parameters[4..<8]), -1), 1)
      last = min(max(wanted, last - 0.5), last + 0.5)
      #expect(abs(action[1] - last) < 1e-9, "row \(k)")
    }
  }

  @Test("a proposal keeps limits, tells more than rest does, and is the same for a seed")
  func proposal() throws {
    let task = try Self.task()
    let model = try Self.model(task)
    let policy = task.controller(task.makePolicy().initialParameters(2), on: model)
    let found = try #require(
      try task.proposeCommands(for: policy, on: model, seconds: 20, seed: 4))
    #expect(found.commands.count == 200 && found.tried == 168)
    #expect(found.commands.allSatisfy { (-1.0...2).contains($0[0]) })
    #expect(
      zip(found.commands, found.commands.dropFirst()).allSatisfy { abs($0[0] - $1[0]) < 0.801 })
    #expect(found.leaving <= 0.1)
    #expect(found.remainingVariance < 0.95, "\(found.remainingVariance)")
    let promises = try #require(found.promises)
    #expect(promises.expected.errors[0] <= 1.1 * promises.now.errors[0])
    let again = try #require(
      try task.proposeCommands(for: policy, on: model, seconds: 20, seed: 4, judges: false))
    #expect(again.commands == found.commands && again.promises == nil)
    let other = try task.proposeCommands(
      for: policy, on: model, seconds: 20, seed: 5, judges: false)
    #expect(other?.commands != found.commands)
    #expect(
      try task.proposeCommands(for: policy, on: model, seconds: 20, goesOn: { $0 < 0.3 }) == nil)
  }

  @Test("the loop explores by proposals after its first episode, and goes on from there")
  func informative() throws {
    let folder = try Scratch.folder()
    let yaml = QuickPendulum.yaml(trials: 1).replacingOccurrences(
      of: "{kind: smooth, seconds: 3}", with: "{kind: informative, seconds: 3, episodes: 2}")
    for (name, text) in [
      ("told", yaml), ("smooth", yaml.replacingOccurrences(of: "informative", with: "smooth")),
    ] {
      try text.write(toFile: folder + "/\(name).yaml", atomically: true, encoding: .utf8)
      let outcome = try bagel(["learn", "\(name).yaml", "--output", name], in: folder)
      #expect([0, 2].contains(outcome.status), "\(outcome.errors)")
    }
    func log(_ name: String, _ index: Int) throws -> String {
      try String(contentsOfFile: folder + "/\(name)/learn/episode-00\(index).csv", encoding: .utf8)
    }
    #expect(try log("told", 0) == log("smooth", 0))
    // A model of three seconds knows too little to propose by: noise again.
    #expect(try log("told", 1) == log("smooth", 1))
    // The commands of a policy's folder, as a file.
    let proposed = try bagel(
      ["propose", "told.yaml", "--output", "told", "--seconds", "4", "--json"], in: folder)
    #expect(proposed.status == 0, "\(proposed.errors)")
    #expect(proposed.json["rows"] as? Int == 40)
    let csv = try String(contentsOfFile: folder + "/told/proposal.csv", encoding: .utf8)
    #expect(csv.hasPrefix("time,torque\n0.0,") && csv.split(separator: "\n").count == 41)
    let short = try bagel(
      ["propose", "told.yaml", "--output", "told", "--seconds", "0.5"], in: folder)
    #expect(short.status == 64 && short.errors.contains("ten time steps"))
  }

  @Test(
    "an informative episode has the commands of a proposal by the episodes before, the first has none"
  )
  func informativeEpisode() throws {
    var task = try Self.task()
    (task.exploration.kind, task.exploration.seconds) = (.informative, 12)
    let log = Self.log(rows: 120)
    let commands = try task.informativeCommands(
      index: 1, after: [log], seed: 2, goesOn: { true })
    #expect(commands?.count == 120)
    #expect(commands?.contains { abs($0[0]) > 0.1 } == true)
    #expect(try task.informativeCommands(index: 0, after: [], seed: 2, goesOn: { true }) == nil)
    #expect(try task.informativeCommands(index: 1, after: [log], seed: 2, goesOn: { false }) == nil)
    task.exploration.kind = .smooth
    #expect(try task.informativeCommands(index: 1, after: [log], seed: 2, goesOn: { true }) == nil)
  }

  @Test("nothing is proposed for machines with disturbances")
  func disturbed() throws {
    let task = try Self.task {
      $0.replacingOccurrences(of: "model:", with: "disturbances: {load: constant}\nmodel:")
    }
    let plain = try Self.task()
    let model = try Self.model(plain)
    let policy = plain.controller(plain.makePolicy().initialParameters(2), on: model)
    let error = #expect(throws: CannotPropose.self) {
      try task.proposeCommands(for: policy, on: model, seconds: 5)
    }
    #expect(error?.description.contains("disturbances") == true)
  }
}
