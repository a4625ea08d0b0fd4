// SPDX-License-Identifier: Apache-2.0
// A model as an ONNX model. Inputs "state" [N, K], "action" [N, A], and "disturbance" [N, W] where there are some; outputs "next_state"
// [N, K], "deviation" [N, S], "jacobian" [N, S (K + A + W)]. Its metadata say what stands where and how a state begins.

import Foundation
import MachineLogs

extension ExportedModel {
  /// The serialised ModelProto. Throws: `CannotExport`.
  func onnxModel() throws -> Data {
    var graph = ONNXGraph("model", arrays: arrays)
    // One program: what value and Jacobian share is computed once.
    let program = joined
    let inputs = ["state", "action", "disturbance"].filter { program.inputs[$0] != nil }
    try graph.add(program, inputs: inputs, outputs: ["next_state", "deviation", "jacobian"])
    func names(_ channels: [Channel]) -> String { Self.json(channels.map(\.name)) }
    func units(_ channels: [Channel]) -> String { Self.json(channels.map(\.units)) }
    return try graph.serialized(
      "Learnt model '\(name)': one step of \(layout.timeStep) s",
      [
        "format": "bagel-model-1", "task": name, "time_step_seconds": "\(layout.timeStep)",
        "state_names": names(window.channels), "state_units": units(window.channels),
        "action_names": names(layout.actions), "action_units": units(layout.actions),
        "disturbance_names": names(disturbances), "disturbance_units": units(disturbances),
        "start_weights": Self.json(start.weights), "start_offsets": Self.json(start.offsets),
        "provenance": provenance.joined(separator: "; "),
      ])
  }

  private static func json(_ value: Any) -> String {
    // Lists of strings and of finite numbers can be said.
    let data = try? JSONSerialization.data(withJSONObject: value, options: .withoutEscapingSlashes)
    return String(decoding: data ?? Data("[]".utf8), as: UTF8.self)
  }
}
