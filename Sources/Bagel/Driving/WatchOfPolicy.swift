// SPDX-License-Identifier: Apache-2.0
// The files of a watch: what is usual on a machine (watch.safetensors) stands beside the model that it was learnt with, and beside the
// policy that was found on it.

import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks
import TensorFiles
import Watching

extension FittedModel {
  /// What is usual over the episodes that the model was learnt from and judged by.
  ///
  /// - Parameter safeAction: at which the machine is at rest [A].
  /// - Throws: `FactorizationError`.
  package func watchCalibration(safeAction: [Double]) throws -> WatchCalibration {
    try WatchCalibration(model, episodes: training + heldOutEpisodes, safeAction: safeAction)
  }
}

extension WatchCalibration {
  /// The name of its file.
  package static let fileName = "watch.safetensors"
}

/// The watch of a policy, as its files have it.
private struct WatchFiles {
  var calibration: WatchCalibration
  /// nil where innovations are not judged.
  var model: DynamicsModel?
}

extension ControlTask {
  /// What is usual on the machine by the files beside a policy.
  ///
  /// - Parameters:
  ///   - description: of the policy's file.
  ///   - folder: with its model and its watch.
  /// - Returns: them; or why there are none, in words. Throws: `TensorFileError` of a damaged file.
  private func watchFiles(
    of description: PolicyDescription, in folder: String
  ) throws -> (files: WatchFiles?, gap: String?) {
    let path = "\(folder)/\(WatchCalibration.fileName)"
    let modelPath = "\(folder)/model.safetensors"
    func none(_ why: String) -> (files: WatchFiles?, gap: String?) {
      (nil, "sensors and innovations are not watched: \(why)")
    }
    guard FileManager.default.fileExists(atPath: path) else {
      return none("there is no \(path); a fit writes one")
    }
    let calibration = try WatchCalibration(path: path, for: layout)
    if let own = description.model, own != calibration.model {
      return none("\(path) belongs to another model than the policy")
    }
    guard calibration.judgesInnovations else {
      return (
        WatchFiles(calibration: calibration),
        "innovations are not watched: the log had fewer than \(WatchCalibration.fewestRows) rows to calibrate by, or its model "
          + "responds to commands without delay"
      )
    }
    guard FileManager.default.fileExists(atPath: modelPath) else {
      return none("there is no \(modelPath)")
    }
    let model = try DynamicsModel(path: modelPath)
    guard model.fingerprint == calibration.model else {
      return none("\(modelPath) is not the model of \(path)")
    }
    return (WatchFiles(calibration: calibration, model: model), nil)
  }

  /// A watch over a run with a policy, from the files in its folder.
  ///
  /// - Parameters:
  ///   - description: of the policy's file.
  ///   - folder: with the policy's model and its watch.
  /// - Returns: the watch, and what it cannot look for and why, in words.
  /// - Throws: `TensorFileError` of a damaged file, `FactorizationError`.
  package func runWatch(
    of description: PolicyDescription, in folder: String
  ) throws -> (watch: RunWatch, gaps: [String]) {
    let (files, gap) = try watchFiles(of: description, in: folder)
    let unbounded =
      description.dataBounds == nil
      ? "the policy's file has no bounds of its data: states beyond the data are not detected" : nil
    let predictor = try files?.model.flatMap { try StepPredictor($0, safeAction: safeAction) }
    return (
      RunWatch(
        layout: layout, bounds: description.dataBounds, calibration: files?.calibration,
        predictor: predictor),
      [unbounded, gap].compactMap(\.self)
    )
  }

  /// What is usual on the machine, with episodes in which nothing was wrong: where a policy drives, a model is less right than on
  /// the log that it was learnt from.
  ///
  /// - Parameters:
  ///   - episodes: of the policy on the machine.
  ///   - description: of the policy's file.
  ///   - folder: with the policy's model and its watch.
  /// - Returns: nil where the folder has no watch of the policy's model that judges innovations.
  /// - Throws: `TensorFileError` of a damaged file, `FactorizationError`.
  package func widenedWatch(
    by episodes: [Episode], of description: PolicyDescription, in folder: String
  ) throws -> WatchCalibration? {
    guard let files = try watchFiles(of: description, in: folder).files, let model = files.model
    else { return nil }
    return try files.calibration.widened(by: episodes, model, safeAction: safeAction)
  }

  /// The policy in the file that a task names as its fallback.
  ///
  /// - Parameter path: of the file.
  /// - Throws: `TensorFileError`.
  package func fallbackController(_ path: String) throws -> PolicyController {
    // It need not see the disturbances that the policy sees.
    var task = self
    let own = try PolicyController.read(path: path)
    task.policy.seesDisturbances = own.description.inputs.disturbanceLength > 0
    return try PolicyController.read(path: path, for: task.policyDescription).controller
  }
}
