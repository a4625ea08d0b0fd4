// SPDX-License-Identifier: Apache-2.0
// The step's maths as program values against the numbers that models are fitted to: features and increments of transitions,
// definitions of the integrals, the causal filter of logs. Over random forms, states and actions.

import Bagel
import Foundation
import TestSupport
import Testing

@Suite("step expressions")
struct StepExpressionTests {
  private func random(_ range: ClosedRange<Double>, _ generator: inout SeededGenerator) -> Double {
    Double.random(in: range, using: &generator)
  }

  /// Three states, two actions; the third state integrates the second, or is an output too.
  private func form(_ generator: inout SeededGenerator) -> ModelForm {
    let integrals: [StateUpdate?] = [
      nil, .trapezoidalIntegral(rate: 1), .backwardIntegral(rate: 1, smoothing: 1),
      .backwardIntegral(rate: 1, smoothing: 0.3),
    ]
    let integral = integrals[Int.random(in: 0..<4, using: &generator)]
    return ModelForm(
      states: 3, actions: 2,
      turns: Bool.random(using: &generator) ? [2: 2 * .pi] : [2: 360],
      ignored: Bool.random(using: &generator) ? [0] : [],
      stateHistory: Int.random(in: 0...2, using: &generator),
      actionDelay: Int.random(in: 0...2, using: &generator),
      actionHistory: Int.random(in: 0...2, using: &generator),
      integrals: integral.map { [2: $0] } ?? [:])
  }

  @Test("features and next states are those of the transitions", arguments: UInt64(0)..<24)
  func transitions(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let form = form(&generator)
    func rows(_ length: Int) -> [[Double]] {
      (0..<60).map { _ in (0..<length).map { _ in random(-3...5, &generator) } }
    }
    let channels = ["a", "b", "c"].map { Channel(name: $0, units: "") }
    let layout = LogLayout(
      states: channels, actions: ["u", "v"].map { Channel(name: $0, units: "") }, timeStep: 0.05)
    let episode = Episode(name: "random", timeStep: 0.05, states: rows(3), actions: rows(2))
    let options = FitOptions()
    let model = try DynamicsModel.fit([episode], layout: layout, form: form, options: options).model
    let expressions = StepExpressions(model)
    let builder = ProgramBuilder()
    let states = (0...form.stateLag).map { builder.input("state_\($0)", length: 3) }
    let actions = (0...form.actionLag).map { builder.input("action_\($0)", length: 2) }
    let increments = builder.input("increments", length: form.outputCount)
    builder.output(
      "features", expressions.features(state: { states[$0] }, action: { actions[$0] }))
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
      for lag in 0...form.actionLag { inputs["action_\(lag)"] = episode.actions[k - lag] }
      let found = interpreter.run(program, inputs: inputs)
      let features = model.featureStandardiser.standardise(set.features[index])
      #expect(zip(found["features"], features).allSatisfy { abs($0 - $1) < 1e-12 })
      let (now, next) = (episode.states[k], standardiser.restore(found["next"]))
      for (i, update) in form.updates.enumerated() {
        let expected: Double
        switch update {
        case .increment: expected = episode.states[k + 1][i]
        case .trapezoidalIntegral: expected = now[i] + 0.025 * (now[1] + episode.states[k + 1][1])
        case .backwardIntegral(_, let a):
          expected = now[i] + 0.05 * (now[1] + (episode.states[k + 1][1] - now[1]) / a)
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
