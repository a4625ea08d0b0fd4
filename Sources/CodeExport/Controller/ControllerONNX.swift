// SPDX-License-Identifier: Apache-2.0
// A controller as an ONNX model. Inputs "state" [N, S + W] (states, and after them the disturbances that it sees), "goal" [N, G] if the
// policy takes one, "past" [N, K A] if it remembers actions, all in physical units, "memory" [N, M] if it remembers more; outputs
// "action" [N, A] and "next_memory" [N, M], which is the next step's. Derived rates are not in it: the caller feeds states.

import Foundation

extension ExportedController {
  /// The serialised ModelProto. Throws: `CannotExport`.
  func onnxModel() throws -> Data {
    var graph = ONNXGraph("controller", arrays: controller.sharedArrays)
    let inputs = ["state", "goal", "past", "memory"].filter { program.inputs[$0] != nil }
    let outputs = ["action", "next_memory"].filter(program.outputs.map(\.name).contains)
    try graph.add(program, inputs: inputs, outputs: outputs)
    var facts = [
      "format": "bagel-controller-1", "task": name, "states": list(layout.states),
      "actions": list(layout.actions),
      "time_step_seconds": "\(layout.timeStep)",
    ]
    if policy.memoryLength > 0 { facts["memory_before_the_first_step"] = "\(policy.memoryStart)" }
    return try graph.serialized(
      "Controller '\(name)': \(list(layout.states)) -> \(list(layout.actions))", facts)
  }
}
