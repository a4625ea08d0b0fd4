// SPDX-License-Identifier: Apache-2.0
// CodeExport: a controller, or a learnt model, for use without BAGEL. In: a controller and the layout of its signals, a model. Out:
// C99 source, an ONNX graph, an FMU, or a controller's safetensors by layer. C and ONNX are written instruction by instruction from
// the same programs that are differentiated, so nothing is described twice.

import Formulas
import Foundation
import MachineLogs
import Policies
import Programs
import TensorFiles

/// A controller and everything a reader of its export must know.
package struct ExportedController {
  package let controller: PolicyController
  /// Whose states are what it sees: with the disturbances after them, if it sees those.
  package let layout: LogLayout
  /// Of the task, for comments.
  package let name: String
  /// What it looks for beside computing its action; of C alone.
  package let guards: ExportedGuards
  /// Where it comes from: lines for the README beside C code.
  package let provenance: [String]

  package init(
    _ controller: PolicyController, layout: LogLayout, name: String,
    guards: ExportedGuards = .none, provenance: [String] = []
  ) {
    (self.controller, self.layout, self.name) = (controller, layout, name)
    (self.guards, self.provenance) = (guards, provenance)
  }

  var program: Program { controller.program }
  var policy: Policy { controller.policy }

  /// What goals are of.
  var goals: [Channel] {
    policy.inputs.goalQuantities?.map { Channel(name: $0.name, units: $0.units) }
      ?? Array(layout.states.prefix(policy.inputs.goalForm.length))
  }

  /// States with bounds of the data: angles that turn have none.
  var boundedStates: [Int] {
    let count = guards.bounds?.count ?? 0
    return layout.states.indices.filter { $0 < count && layout.states[$0].turn == nil }
  }

  /// "angle (rad), rate (rad/s)"
  func list(_ channels: [Channel]) -> String {
    channels.map { $0.name + ($0.units.isEmpty ? "" : " (\($0.units))") }.joined(separator: ", ")
  }
}

extension ExportedController: Exportable {
  package var kind: String { "controller" }

  package func data(_ format: ExportFormat) throws -> Data {
    switch format {
    case .c: Data(try cSource().utf8)
    case .onnx: try onnxModel()
    case .fmu: try fmu().archive(.two).data
    case .safetensors: try tensors().serialized()
    }
  }

  package var header: Data { Data(cHeader().utf8) }

  package func cFolder() throws -> [(name: String, data: Data)] {
    let texts = [
      ("controller.c", try cSource()), ("controller.h", cHeader()), ("controller_test.c", cTest()),
      ("README.md", cReadme()),
    ]
    return texts.map { ($0, Data($1.utf8)) }
  }

  /// One tensor a layer, with standardiser and limits beside.
  func tensors() -> TensorFile {
    var tensors = [
      "state_mean": Tensor(controller.stateMean), "state_scale": Tensor(controller.stateScale),
      "action_lower": Tensor(policy.lower), "action_upper": Tensor(policy.upper),
      "action_rest": Tensor(policy.rest),
    ]
    if !policy.largestChange.isEmpty {
      tensors["action_largest_change"] = Tensor(policy.largestChange)
    }
    if let goals = controller.goals {
      (tensors["goal_mean"], tensors["goal_scale"]) = (Tensor(goals.mean), Tensor(goals.scale))
    }
    for block in policy.parameterBlocks {
      let count = block.shape.reduce(1, *)
      tensors[block.name] = Tensor(
        shape: block.shape,
        values: Array(controller.parameters[block.offset..<block.offset + count]))
    }
    let disturbances =
      seenDisturbances.isEmpty ? [:] : ["disturbances": list(seenDisturbances)]
    return TensorFile(
      tensors: tensors,
      metadata: disturbances.merging([
        "format": "bagel-export-2", "task": name, "states": list(ownStates),
        "actions": list(layout.actions), "time_step_seconds": "\(layout.timeStep)",
        "architecture": "\(policy.form)", "goal": policy.inputs.goal.rawValue,
        "inputs": inputsInWords,
        "formula": formulaInWords
          + (policy.largestChange.isEmpty
            ? ""
            : ", then at most action_largest_change from the last action (action_rest at first)")
          ,
      ]) { $1 })
  }

  /// "q = [tip_x = (...), ...]"
  private var quantitiesInWords: String {
    let words = (policy.inputs.goalQuantities ?? []).map(\.statement)
    return "q = [\(words.joined(separator: ", "))] of the states"
  }

  /// Of what it sees: states, and the disturbances that follow them.
  var ownStates: [Channel] { layout.states.dropLast(policy.inputs.disturbanceLength) }
  var seenDisturbances: [Channel] { layout.states.suffix(policy.inputs.disturbanceLength) }

  /// How the command comes of the layers, before rate limits.
  private var formulaInWords: String {
    let errors = policy.inputs.integrated.map { goals[$0].name }.joined(separator: ", ")
    let integral =
      "clamp(wanted', -1, 1), wanted' = command' + s', s' = clamp(s + i + logistic(integral.tracking) clamp(sent - wanted, -1, 1), -2, 2), "
      + "i = K_i clamp(e', -integral.error_bounds, integral.error_bounds), but 0 where wanted is beyond -1 ... 1 and i leads further; a mark is this row's, no mark the row's before; "
      + "sent = (action - middle) / half_range; wanted = sent = action_rest so and s = 0 before the first; e = standardised errors of "
      + errors + ", the shorter way of angles"
    return switch policy.form {
    case .pid:
      "action = middle + half_range * \(integral); command' = gain e' - K_d d' + biases, "
        + "K_i = gain exp(log_integral_rate) / 50, K_d = 10 gain exp(log_derivative_time), d' = d + logistic(derivative_filter) (clamp(y' - y, -integral.error_bounds, integral.error_bounds) - d), y = standardised goals' quantities, d' = 0 at first"
    case .network, .radialBasis, .custom:
      policy.inputs.integrated.isEmpty
        ? "action = middle + half_range * tanh(policy(inputs))"
        : "action = middle + half_range * \(integral); command' = tanh(policy(inputs)), K_i = integral.gain / 50"
    }
  }

  /// What the first layer sees, as `PolicyInputs` has it.
  private var inputsInWords: String {
    guard policy.form != .pid else { return "none: it reads errors alone" }
    let (inputs, z) = (policy.inputs, "(x - state_mean) / state_scale")
    let angles = inputs.angles.map { layout.states[$0].name }.joined(separator: ", ")
    let turned = angles.isEmpty ? "" : " (sin x, cos x in place of \(angles))"
    let x = seenDisturbances.isEmpty ? "x" : "x[0..<\(ownStates.count)]"
    let scale = seenDisturbances.isEmpty ? "state_scale" : "state_scale[0..<\(ownStates.count)]"
    var parts = [
      z + (seenDisturbances.isEmpty ? "" : " with x = [states, disturbances]") + turned
    ]
    switch inputs.goal {
    case .none: break
    case .concatenated where inputs.goalQuantities != nil:
      parts.append("(goal - goal_mean) / goal_scale")
    case .error where inputs.goalQuantities != nil:
      parts.append("(goal - q) / goal_scale with \(quantitiesInWords)")
    case .concatenated:
      parts.append(
        seenDisturbances.isEmpty
          ? "the same of the goal" : "the same of the goal, without disturbances")
    case .error:
      parts.append(
        "(goal - \(x)) / \(scale)"
          + (angles.isEmpty ? "" : " (sin(goal - x), cos(goal - x) in place of \(angles))"))
    }
    if inputs.actionHistory > 0 {
      parts.append(
        "the last \(inputs.actionHistory) actions, newest first, limits mapped to -1 ... 1, action_rest before "
          + "the first")
    }
    return parts.joined(separator: "; ")
  }
}
