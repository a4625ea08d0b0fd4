// SPDX-License-Identifier: Apache-2.0
// A learnt model that leaves is the model: its step and deviation are those of the posterior in Swift, its Jacobian that of central
// differences, and C and ONNX compute them to the last digits. Over random forms: histories, filters, formulas, angles, rates, linear
// parts, disturbances.

import Bagel
import CodeExport
import Formulas
import Foundation
import GaussianProcesses
import MachineLogs
import TestSupport
import Testing

/// A model of random data, and the episode it was learnt from.
private struct RandomModel {
  let model: DynamicsModel
  let episode: Episode
  var form: ModelForm { model.form }

  init(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    func pick<T>(_ list: [T]) -> T { list[Int.random(in: 0..<list.count, using: &generator)] }
    let integral: StateUpdate? = pick([
      nil, .trapezoidalIntegral(rate: 1), .backwardIntegral(rate: 1, smoothing: 0.3),
      .difference(of: 1, smoothing: 0.4),
    ])
    let disturbed = Bool.random(using: &generator)
    let plain = ModelForm(
      states: 3, actions: 2, disturbances: disturbed ? 2 : 0, turns: pick([[:], [2: 360]]),
      stateHistory: Int.random(in: 0...2, using: &generator),
      actionDelay: Int.random(in: 0...2, using: &generator),
      actionHistory: Int.random(in: 0...2, using: &generator),
      integrals: integral.map { [2: $0] } ?? [:])
    func formula(_ text: String) throws -> InputFeature {
      .formula(
        InputFormula(
          name: "f", formula: try Formula(text, names: ["a", "b", "u", "v"]),
          states: ["a", "b", "c"], actions: ["u", "v"]),
        lag: plain.actionLag)
    }
    let more: [InputFeature] = pick([
      [], [.filteredAction(1, steps: 4), .filteredAction(0, steps: 2)],
      [try formula("abs(u) * b - v^2")],
    ])
    let features = plain.features + more
    // Outputs that read inputs of their own.
    let all = Array(features.indices)
    let form = ModelForm(
      features: features, updates: plain.updates,
      inputs: Bool.random(using: &generator)
        ? plain.outputs.indices.map { m in all.filter { $0 != m } } : nil)
    func rows(_ length: Int) -> [[Double]] {
      (0..<60).map { _ in (0..<length).map { _ in Double.random(in: -3...5, using: &generator) } }
    }
    var layout = LogLayout(
      states: ["a", "b", "c"].map { Channel(name: $0, units: "m") },
      actions: ["u", "v"].map { Channel(name: $0) }, timeStep: 0.05)
    var episode = Episode(name: "random", timeStep: 0.05, states: rows(3), actions: rows(2))
    if disturbed {
      layout.disturbances = [.init(Channel(name: "d")), .init(Channel(name: "e"))]
      episode.disturbances = rows(2)
    }
    var options = FitOptions()
    options.linear = pick([.first, .joint])
    self.episode = episode
    model = try DynamicsModel.fit([episode], layout: layout, form: form, options: options).model
  }

  /// Every number of the fewest points: nothing is left out.
  func exported() throws -> ExportedModel {
    try ExportedModel(
      model, actionLimits: [-3...5, -3...5], rest: [0.5, -0.25], name: "random */ model",
      deviationTolerance: 0, provenance: ["a test"])
  }

  /// x by the names of its places, at a row.
  func state(_ names: [String], row: Int) throws -> [Double] {
    try names.map { name in
      if let (action, rest) = parted(name, at: " through a filter of ") {
        let steps = try #require(rest.split(separator: " ").first.flatMap { Double($0) })
        let j = try #require(["u", "v"].firstIndex(of: action))
        // By its definition, as it was before this row's command.
        return episode.actions[..<row].dropFirst().reduce(episode.actions[0][j]) {
          $0 + (1 - Foundation.exp(-1 / steps)) * ($1[j] - $0)
        }
      }
      let (channel, lag) =
        try parted(name, at: ", ").map { channel, words in
          (channel, try #require(words.split(separator: " ").first.flatMap { Int($0) }))
        } ?? (name, 0)
      if let i = ["a", "b", "c"].firstIndex(of: channel) { return episode.states[row - lag][i] }
      if let j = ["u", "v"].firstIndex(of: channel) { return episode.actions[row - lag][j] }
      let w = try #require(["d", "e"].firstIndex(of: channel))
      return episode.disturbances[row - lag][w]
    }
  }

  private func parted(_ text: String, at separator: String) -> (String, String)? {
    text.range(of: separator).map {
      (String(text[..<$0.lowerBound]), String(text[$0.upperBound...]))
    }
  }
}

@Suite("exported models")
struct ModelExportTests {
  private func isClose(_ a: [Double], _ b: [Double], _ tolerance: Double) -> Bool {
    let size = b.map(abs).max() ?? 0
    return a.count == b.count
      && zip(a, b).allSatisfy { abs($0 - $1) <= tolerance * max(abs($1), 1e-3 * size) }
  }

  @Test(
    "a step is that of the posterior, its past moves on, its Jacobian is that of differences",
    arguments: UInt64(0)..<24)
  func step(seed: UInt64) throws {
    let random = try RandomModel(seed: seed)
    let (model, episode) = (random.model, random.episode)
    let export = try random.exported()
    let set = TransitionSet([episode], form: random.form)
    let map = AffineNextState(model)
    for (index, k) in (random.form.longestLag..<episode.count - 1).enumerated()
    where index % 9 == 0 {
      let x = try random.state(export.stateNames, row: k)
      let (u, w) = (episode.actions[k], episode.disturbances(at: k))
      let found = export.evaluate(x, u, w)
      let prediction = model.predictIncrements([set.features[index]])
      let next = map.next(episode.states[k], increments: prediction.mean[0])
      #expect(isClose(Array(found.next.prefix(3)), next, 1e-9))
      #expect(isClose(found.deviation, map.deviation(prediction.observed[0]), 1e-6))
      let after = try random.state(export.stateNames, row: k + 1)
      #expect(isClose(Array(found.next.dropFirst(3)), Array(after.dropFirst(3)), 1e-12))
      let all = x + u + w
      let columns = all.indices.map { c -> [Double] in
        func moved(_ by: Double) -> [Double] {
          var all = all
          all[c] += by
          return Array(
            export.evaluate(
              Array(all.prefix(x.count)), Array(all[x.count..<x.count + 2]),
              Array(all.dropFirst(x.count + 2))
            ).next.prefix(3))
        }
        return zip(moved(1e-5), moved(-1e-5)).map { ($0 - $1) / 2e-5 }
      }
      let differences = (0..<3).flatMap { i in columns.map { $0[i] } }
      #expect(isClose(found.jacobian, differences, 1e-4))
    }
  }

  @Test(
    "C99 without warnings, and its own test passes; a test that is given another model fails",
    arguments: UInt64(0)..<8)
  func c(seed: UInt64) throws {
    let folder = try Scratch.folder()
    for (name, data) in try RandomModel(seed: seed).exported().cFolder() {
      try data.write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
    }
    let strict = [
      "-std=c99", "-Wall", "-Wextra", "-Werror", "-Wconversion", "-Wshadow", "-pedantic",
    ]
    let files = ["\(folder)/model.c", "\(folder)/model_test.c"]
    #expect(
      try run("/usr/bin/env", ["cc"] + strict + files + ["-o", "\(folder)/test", "-lm"]).status == 0
    )
    let tested = try run("\(folder)/test", [])
    #expect(tested.status == 0 && tested.output.hasSuffix("passed\n"), "\(tested.output)")
    let source = try String(contentsOfFile: files[0], encoding: .utf8)
    try source.replacingOccurrences(of: "next_state[i] = v", with: "next_state[i] = 1.00001 * v")
      .write(
        toFile: files[0], atomically: true, encoding: .utf8)
    #expect(
      try run("/usr/bin/env", ["cc", "-std=c99"] + files + ["-o", "\(folder)/test", "-lm"]).status
        == 0)
    #expect(try run("\(folder)/test", []).status == 1)
  }

  @Test("ONNX, run by ONNX Runtime on a batch", arguments: UInt64(0)..<8)
  func onnx(seed: UInt64) throws {
    guard let python = testPython else { return print("skipped: no BAGEL_PYTHON, ONNX is not run") }
    let random = try RandomModel(seed: seed)
    let export = try random.exported()
    let path = try Scratch.folder() + "/model.onnx"
    try export.data(.onnx).write(to: URL(fileURLWithPath: path))
    let rows = stride(from: random.form.longestLag, to: 59, by: 5).map { $0 }
    let states = try rows.map { try random.state(export.stateNames, row: $0) }
    var feeds = ["state": states, "action": rows.map { random.episode.actions[$0] }]
    if !random.episode.disturbances.isEmpty {
      feeds["disturbance"] = rows.map { random.episode.disturbances[$0] }
    }
    let json = String(decoding: try JSONSerialization.data(withJSONObject: feeds), as: UTF8.self)
    let script = """
      import json, sys, numpy, onnxruntime
      session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
      feeds = {k: numpy.array(v, numpy.float64) for k, v in json.loads(sys.argv[2]).items()}
      feeds = {i.name: feeds[i.name] for i in session.get_inputs()}
      facts = session.get_modelmeta().custom_metadata_map
      print(json.dumps([json.loads(facts["state_names"]), json.loads(facts["start_weights"])]
        + [rows.tolist() for rows in session.run(["next_state", "deviation", "jacobian"], feeds)]))
      """
    let said = try output([python, "-c", script, path, json])
    let found = try #require(try JSONSerialization.jsonObject(with: Data(said.utf8)) as? [[Any]])
    #expect(found[0] as? [String] == export.stateNames)
    #expect((found[1] as? [[Double]])?.count == export.stateNames.count)
    for (b, k) in rows.enumerated() {
      let expected = export.evaluate(
        states[b], random.episode.actions[k], random.episode.disturbances(at: k))
      #expect(isClose(found[2][b] as? [Double] ?? [], expected.next, 1e-9))
      #expect(isClose(found[3][b] as? [Double] ?? [], expected.deviation, 1e-9))
      #expect(isClose(found[4][b] as? [Double] ?? [], expected.jacobian, 1e-9))
    }
  }

  @Test("few points serve the deviation within the tolerance that was asked for")
  func fewPoints() throws {
    let model = try RandomModel(seed: 3).model
    for tolerance in [0.3, 0.01] {
      let export = try ExportedModel(
        model, actionLimits: [-3...5, -3...5], rest: [0, 0], name: "m",
        deviationTolerance: tolerance)
      #expect(export.deviationError <= tolerance)
    }
  }

  @Test("a command that acts at once is refused in words")
  func feedthrough() throws {
    let form = ModelForm(
      features: [.state(0, lag: 0), .action(0, lag: -1)], updates: [.increment(output: 0)])
    let episode = Episode(
      name: "e", timeStep: 1, states: (0..<20).map { [Foundation.sin(Double($0))] },
      actions: (0..<20).map { [Foundation.cos(1.7 * Double($0))] })
    let model = try DynamicsModel.fit(
      [episode],
      layout: LogLayout(states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 1),
      form: form, options: FitOptions()
    ).model
    let error = #expect(throws: CannotExport.self) {
      try ExportedModel(model, actionLimits: [-1...1], rest: [0], name: "m")
    }
    #expect(error?.description.contains("reads the command of the row that it predicts") == true)
  }
}
