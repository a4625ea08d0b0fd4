// SPDX-License-Identifier: Apache-2.0
// A policy of a task as it is exported: with the limits of the task, and with the checks of its watch.

import Foundation
import MachineLogs
import Policies
import CodeExport
import Tasks
import TensorFiles
import Watching

extension ControlTask {
  /// A policy for export.
  ///
  /// - Parameters:
  ///   - controller: the policy.
  ///   - description: of its file.
  ///   - folder: with the watch of its model; without one frozen sensors are not looked for.
  ///   - provenance: lines of whoever exports.
  /// - Throws: `TensorFileError` of a damaged watch.
  package func exported(
    _ controller: PolicyController, _ description: PolicyDescription, in folder: String,
    provenance: [String]
  ) throws -> ExportedController {
    let path = "\(folder)/\(WatchCalibration.fileName)"
    let calibration =
      FileManager.default.fileExists(atPath: path)
      ? try WatchCalibration(path: path, for: layout) : nil
    let isOfModel = description.model == nil || description.model == calibration?.model
    let guards = ExportedGuards(
      bounds: description.dataBounds,
      longestRepeats: isOfModel ? calibration?.rowsOfFrozenSensors ?? [:] : [:],
      limits: episodeRun(seconds: layout.timeStep).limits.map { ($0.quantity, $0.range) },
      responses: watch,
      fallback: watch.responses.values.contains(.fallback) ? fallbackOfCode : nil)
    let lines = [
      "task '\(description.task)'", "policy \(controller.fingerprint)",
      description.model.map { "found on the model \($0)" },
      description.plant.map { "whose task's plant was \($0)" },
    ]
    return ExportedController(
      controller, layout: observedLayout, name: name, guards: guards,
      provenance: lines.compactMap(\.self) + provenance)
  }

  /// The task's fallback, where exported code does not have it.
  private var fallbackOfCode: String? {
    switch fallback {
    case .hold: nil
    case .pid: "the PID controller as a fallback"
    case .policy(let path): "the fallback \(path)"
    }
  }
}
