// SPDX-License-Identifier: Apache-2.0
// The step's maths as program values against the numbers that models are fitted to: features and increments of transitions,
// definitions of the integrals, the causal filter of logs. Over random forms, states and actions.

import Bagel
import Formulas
import Foundation
import GaussianProcesses
import MachineLogs
import Programs
import TestSupport
import Testing

@Suite("step expressions")
struct StepExpressionTests {
  private func random(_ range: ClosedRange<Double>, _ generator: inout SeededGenerator) -> Double {
    Double.random(in: range, using: &generator)
  }

  /// Three states, two actions, two disturbances; the third state integrates the second, or is an output too.
  private func form(_ generator: inout SeededGenerator) -> ModelForm {
    let integrals: [StateUpdate?] = [
      nil, .trapezoidalIntegral(rate: 1), .backwardIntegral(rate: 1, smoothing: 1),
      .backwardIntegral(rate: 1, smoothing: 0.3), .difference(of: 1, smoothing: 1),
      .difference(of: 1, smoothing: 0.4),
    ]
    let integral = integrals[Int.random(in: 0..<6, using: &generator)]
    let form = ModelForm(
      states: 3, actions: 2, disturbances: 2,
      turns: Bool.random(using: &generator) ? [2: 2 * .pi] : [2: 360],
      ignored: Bool.random(using: &generator) ? [0] : [],
      stateHistory: Int.random(in: 0...2, using: &generator),
      actionDelay: Int.random(in: 0...2, using: &generator),
      actionHistory: Int.random(in: 0...2, using: &generator),
      integrals: integral.map { [2: $0] } ?? [:])
    func formula(_ text: String, lag: Int) -> InputFeature {
      guard let formula = try? Formula(text, names: ["a", "b", "c", "u", "v", "d", "e"]) else {
        preconditionFailure("'\(text)' is a formula")
      }
      return .formula(
        InputFormula(
          name: "f", formula: formula, states: ["a", "b", "c"], actions: ["u", "v"],
          disturbances: ["d", "e"]),
        lag: lag)
    }
    let more: [[InputFeature]] = [
      [], [.filteredAction(1, steps: 4)], [.filteredAction(0, steps: 2), .action(1, lag: -1)],
      [formula("abs(u) + 0.8 * abs(v)", lag: form.actionDelay), formula("sin(a) * c", lag: 0)],
      [formula("b * u - v^2", lag: form.actionLag)],
      [formula("e * u + sin(d)", lag: form.actionLag), .disturbance(1, lag: 1)],
    ]
    return ModelForm(
      features: form.features + more[Int.random(in: 0..<6, using: &generator)],
      updates: form.updates)
  }

  @Test("features and next states are those of the transitions", arguments: UInt64(0)..<24)
  func transitions(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let form = form(&generator)
    func rows(_ length: Int) -> [[Double]] {
      (0..<60).map { _ in (0..<length).map { _ in random(-3...5, &generator) } }
    }
    let channels = ["a", "b", "c"].map { Channel(name: $0, units: "") }
    var layout = LogLayout(
      states: channels, actions: ["u", "v"].map { Channel(name: $0, units: "") }, timeStep: 0.05)
    layout.disturbances = [.init(Channel(name: "d")), .init(Channel(name: "e"), isConstant: true)]
    var episode = Episode(name: "random", timeStep: 0.05, states: rows(3), actions: rows(2))
    episode.disturbances = rows(2)
    var options = FitOptions()
    options.linear = Bool.random(using: &generator) ? .first : .joint
    let model = try DynamicsModel.fit([episode], layout: layout, form: form, options: options).model
    let expressions = StepExpressions(model)
    let builder = ProgramBuilder()
    let states = (0...form.stateLag).map { builder.input("state_\($0)", length: 3) }
    let lags = min(form.actionDelay, 0)...form.actionLag
    let actions = Dictionary(
      uniqueKeysWithValues: lags.map { ($0, builder.input("action_\($0)", length: 2)) })
    let disturbances = (0...form.disturbanceLag).map {
      builder.input("disturbance_\($0)", length: 2)
    }
    let filtered = form.filters.indices.map { builder.input("filtered_\($0)", length: 1) }
    let increments = builder.input("increments", length: form.outputCount)
    let z = expressions.features(
      state: { states[$0] }, action: { actions[$0] ?? builder.zeros(2) },
      disturbance: { disturbances[$0] }, filtered: filtered)
    builder.output("features", z)
    builder.output("saturated", expressions.saturated(z))
    builder.output(
      "linear", expressions.increments(builder.zeros(form.outputCount), features: z))
    builder.output("next", expressions.next(states[0], increments: increments))
    let program = builder.finish()
    let interpreter = Interpreter(shared: expressions.data)
    let set = TransitionSet([episode], form: form)
    let standardiser = model.stateStandardiser
    for (index, k) in (form.longestLag..<episode.count - 1).enumerated() {
      var inputs = ["increments": model.incrementStandardiser.standardise(set.increments[index])]
      for lag in 0...form.stateLag {
        inputs["state_\(lag)"] = standardiser.standardise(episode.states[k - lag])
      }
      for lag in lags { inputs["action_\(lag)"] = episode.actions[k - lag] }
      for lag in disturbances.indices {
        inputs["disturbance_\(lag)"] = episode.disturbances[k - lag]
      }
      for (f, filter) in form.filters.enumerated() {
        // By its definition, from the first row on.
        let gain = 1 - exp(-1 / filter.steps)
        inputs["filtered_\(f)"] = [
          episode.actions[...k].dropFirst().reduce(episode.actions[0][filter.action]) {
            $0 + gain * ($1[filter.action] - $0)
          }
        ]
      }
      let found = interpreter.run(program, inputs: inputs)
      let features = model.featureStandardiser.standardise(set.features[index])
      #expect(zip(found["features"], features).allSatisfy { abs($0 - $1) < 1e-12 })
      let linear = (0..<form.outputCount).map { m in
        guard let part = model.linear else { return 0.0 }
        return part.constants[m] + zip(part.weights.row(m), features).reduce(0) { $0 + $1.0 * $1.1 }
      }
      #expect(zip(found["linear"], linear).allSatisfy { abs($0 - $1) < 1e-9 })
      // Inside the data nothing is saturated; the margin is theirs too.
      #expect(zip(found["saturated"], features).allSatisfy { abs($0 - $1) < 1e-12 })
      let (now, next) = (episode.states[k], standardiser.restore(found["next"]))
      for (i, update) in form.updates.enumerated() {
        let expected: Double
        switch update {
        case .increment: expected = episode.states[k + 1][i]
        case .trapezoidalIntegral: expected = now[i] + 0.025 * (now[1] + episode.states[k + 1][1])
        case .backwardIntegral(_, let a):
          expected = now[i] + 0.05 * (now[1] + (episode.states[k + 1][1] - now[1]) / a)
        case .difference(_, let a):
          expected = now[i] + a * ((episode.states[k + 1][1] - now[1]) / 0.05 - now[i])
        }
        #expect(abs(next[i] - expected) < 1e-12 * 100, "\(update)")
      }
    }
  }

  @Test("causal rates are those of logs", arguments: [0, 0.08, 0.5])
  func rates(filterTime: Double) {
    var generator = SeededGenerator(seed: 3)
    let layout = LogLayout(
      states: [
        Channel(name: "x", units: ""),
        Channel(name: "v", units: "", source: .rate(of: "x", filterTime: filterTime)),
      ],
      actions: [Channel(name: "u", units: "")], timeStep: 0.1)
    let gain = layout.states[1].source.smoothing(timeStep: 0.1)
    let builder = ProgramBuilder()
    let (last, now) = (builder.input("last", length: 1), builder.input("now", length: 1))
    builder.output(
      "rate",
      causalRate(
        change: now - last, inverseSeconds: builder.constant([10]),
        rate: builder.input("rate", length: 1),
        gain: gain == 1 ? nil : builder.constant([gain])))
    let program = builder.finish()
    var signals = CausalSignals(layout)
    var (x, rate) = (0.0, 0.0)
    for row in 0..<50 {
      let measured = random(-1...1, &generator)
      let expected = signals.next([measured])[1]
      if row == 1 { rate = (measured - x) / 0.1 }
      if row > 1 {
        rate =
          Interpreter(shared: [:]).run(
            program, inputs: ["last": [x], "now": [measured], "rate": [rate]])["rate"][0]
      }
      #expect(abs(rate - expected) < 1e-12)
      x = measured
    }
  }
}
