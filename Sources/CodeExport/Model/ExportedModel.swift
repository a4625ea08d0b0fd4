// SPDX-License-Identifier: Apache-2.0
// A learnt model as a map, for tools that plan, filter or simulate with it:
//
//   x' = F(x, u, w),  deviation of its present states,  J = dF/d(x, u, w)
//
// x [K] is the present states, and after them what the model looks back on: earlier rows of states and commands, commands through
// filters, earlier disturbances. So F needs no memory besides. All in physical units. The mean is the exact posterior's; the deviation goes through
// few inducing points, and its error is measured.

import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Programs
import Samplers

/// A model and everything a reader of its export must know.
package struct ExportedModel {
  package let model: DynamicsModel
  /// Of the task, for comments.
  package let name: String
  /// Where it comes from: lines for the README beside C code.
  package let provenance: [String]
  /// Points of the sums, for people.
  package let summary: String
  /// By how much the deviation is off (RMS, in predictive deviations).
  package let deviationError: Double
  /// "state" [K], "action" [A], "disturbance" [W] -> "next_state" [K], "deviation" [S].
  let step: Program
  /// The same -> "jacobian" [S, K + A + W], row-major, of the next present states.
  let jacobian: Program
  /// Both.
  let joined: Program
  let arrays: [String: [Double]]
  let window: ModelWindow
  /// x = weights [K, S] present + offsets [K]
  let start: (weights: [[Double]], offsets: [Double])
  /// [A]
  let actionLimits: [ClosedRange<Double>]

  /// - Parameters:
  ///   - model: without a command that acts at once.
  ///   - actionLimits: of commands, where the deviation must be good [A].
  ///   - rest: commands before a start [A].
  ///   - name: of the task.
  ///   - deviationTolerance: on what few points change in the deviation (RMS, in predictive deviations).
  ///   - provenance: lines for readers.
  /// - Throws: `CannotExport`, `FactorizationError`.
  package init(
    _ model: DynamicsModel, actionLimits: [ClosedRange<Double>], rest: [Double], name: String,
    deviationTolerance: Double = 1e-2, provenance: [String] = []
  ) throws {
    guard !model.form.hasFeedthrough else {
      throw CannotExport(
        "the model reads the command of the row that it predicts, which is not known at a step",
        remedy: .newTask(fromLogs: true))
    }
    (self.model, self.name, self.provenance) = (model, name, provenance)
    let window = ModelWindow(model)
    (self.window, start, self.actionLimits) = (window, window.start(rest: rest), actionLimits)
    let box = model.samplerBox(actionLimits: actionLimits)
    let posteriors = try model.groups.map { group in
      try ExactSampler(
        group, box: group.inputs.map { box[$0] }, deviationTolerance: deviationTolerance,
        noise: .observed)
    }
    summary = posteriors.map(\.summary).joined(separator: "; ")
    deviationError = posteriors.map(\.deviationError).max() ?? 0
    let writer = StepWriter(model, posteriors, window)
    (step, jacobian, joined) = (
      writer.program { writer.step($0) }, writer.program { writer.jacobian($0) },
      writer.program {
        writer.step($0)
        writer.jacobian($0)
      }
    )
    arrays = writer.arrays
  }

  /// "the mean is the model's own; the deviation goes through few points (2200 points, 45 for the deviation) and is off by 0.6 %"
  package var accuracy: String {
    guard deviationError > 0 else {
      return "the mean and the deviation are the model's own (\(summary))"
    }
    let percent = (1_000 * deviationError).rounded() / 10
    return
      "the mean is the model's own; the deviation is computed from few points (\(summary)), with an error of \(percent) % of that of a prediction"
  }

  /// Numbers that C code, a graph or an FMU holds.
  package var constantCount: Int { arrays.values.reduce(0) { $0 + $1.count } }
  /// Of x [K].
  package var stateNames: [String] { window.channels.map(\.name) }

  var layout: LogLayout { model.layout }
  /// W
  var disturbances: [Channel] { layout.disturbances.map(\.channel) }
  /// K + A + W
  var inputCount: Int { window.count + layout.actions.count + disturbances.count }

  /// One step, in double precision.
  ///
  /// - Parameters:
  ///   - state: x [K], physical units.
  ///   - action: u [A].
  ///   - disturbance: w [W].
  /// - Returns: x' [K], the deviation of its first S, and J [S (K + A + W)].
  package func evaluate(
    _ state: [Double], _ action: [Double], _ disturbance: [Double] = []
  ) -> (next: [Double], deviation: [Double], jacobian: [Double]) {
    let inputs = ["state": state, "action": action, "disturbance": disturbance]
    let result = Interpreter(shared: arrays).run(joined, inputs: inputs)
    return (result["next_state"], result["deviation"], result["jacobian"])
  }
}

/// Writes the programs.
private struct StepWriter {
  private let model: DynamicsModel
  private let posteriors: [ExactSampler]
  private let window: ModelWindow
  private let expressions: StepExpressions
  let arrays: [String: [Double]]

  private static let deviationGain = "deviation_gain"

  init(_ model: DynamicsModel, _ posteriors: [ExactSampler], _ window: ModelWindow) {
    (self.model, self.posteriors, self.window) = (model, posteriors, window)
    expressions = StepExpressions(model)
    // Variances of the next states from those of independent increments.
    let ofIncrements = AffineNextState(model).ofIncrements
    let gains = (0..<ofIncrements.rows).flatMap { i in
      ofIncrements.row(i).map { pow($0 * model.stateStandardiser.scale[i], 2) }
    }
    arrays = SharedArrays.joined(
      [expressions.data, [Self.deviationGain: gains]] + posteriors.map(\.data))
  }

  func program(_ write: (ProgramBuilder) -> Void) -> Program {
    let builder = ProgramBuilder()
    write(builder)
    return builder.finish()
  }

  func step(_ builder: ProgramBuilder) {
    let inputs = declared(builder)
    let (next, deviation) = values(inputs)
    builder.output("next_state", window.next(next, inputs))
    builder.output("deviation", deviation)
  }

  func jacobian(_ builder: ProgramBuilder) {
    let states = model.layout.states.count
    let names = ["state", "action", "disturbance"]
    let adjoint = program { $0.output("next", values(declared($0)).next) }.adjoint(
      withRespectTo: Set(names))
    let inputs = declared(builder)
    let rows = (0..<states).flatMap { i -> [Value] in
      let unit = builder.constant((0..<states).map { $0 == i ? 1 : 0 })
      let gradients = builder.call(
        adjoint,
        inputs: [
          "state": inputs.state, "action": inputs.action, "adj_next": unit,
        ].merging(inputs.disturbance.map { ["disturbance": $0] } ?? [:]) { $1 })
      return names.map { name in
        gradients["adj_" + name] ?? builder.zeros(inputs.length(of: name))
      }.filter { $0.length > 0 }
    }
    builder.output("jacobian", builder.concatenate(rows))
  }

  private func declared(_ builder: ProgramBuilder) -> ModelWindow.Inputs {
    let layout = model.layout
    return ModelWindow.Inputs(
      state: builder.input("state", length: window.count),
      action: builder.input("action", length: layout.actions.count),
      disturbance: layout.disturbances.isEmpty
        ? nil : builder.input("disturbance", length: layout.disturbances.count))
  }

  /// The next present states and their deviations [S], physical units.
  private func values(_ inputs: ModelWindow.Inputs) -> (next: Value, deviation: Value) {
    let builder = inputs.state.builder
    let present = window.standardised(inputs, lag: 0)
    let filtered = window.filtered(inputs)
    let features = expressions.features(
      state: { window.standardised(inputs, lag: $0) }, action: { window.action(inputs, lag: $0) },
      disturbance: { window.disturbance(inputs, lag: $0) }, filtered: filtered)
    let x = expressions.saturated(features)
    var (means, deviations) = (
      [Value?](repeating: nil, count: model.form.outputCount),
      [Value?](repeating: nil, count: model.form.outputCount)
    )
    for posterior in posteriors {
      let group = posterior.group
      let moments = posterior.moments(
        at: group.inputs.count == x.length
          ? x : builder.concatenate(group.inputs.map { x[$0] }))
      for (k, output) in group.outputs.enumerated() {
        (means[output], deviations[output]) = (moments.mean[k], moments.deviation[k])
      }
    }
    let (mean, deviation) = (
      builder.concatenate(means.compactMap(\.self)),
      builder.concatenate(deviations.compactMap(\.self))
    )
    let next = expressions.next(
      present, increments: expressions.increments(mean, features: features))
    let variance = builder.affine(
      SharedMatrix(
        array: Self.deviationGain, rows: model.layout.states.count, columns: deviation.length),
      bias: nil, deviation * deviation)
    return (expressions.physical(next).named("next"), sqrt(variance).named("deviation"))
  }
}
