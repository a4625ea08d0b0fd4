// SPDX-License-Identifier: Apache-2.0
// The data with which a trial begins, read from the files of earlier trials: the loop learns only from files on the disk.

import Faults
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import Tasks

extension LoopFolder {
  /// All episodes before a trial that are learnt from and long enough: the task's logs, then the loop's own.
  ///
  /// Throws: `LoopError` where a log is gone, `LogError`.
  func episodes(
    of record: LoopRecord, before trial: Int, of task: ControlTask, fewestRows: Int
  ) throws -> [Episode] {
    let logs = record.episodes
      .filter { $0.rows >= fewestRows && $0.isLearntFrom && $0.trial < trial }
      .map { path + "/" + $0.log }
    if logs.isEmpty && task.logs.isEmpty { return [] }
    if let missing = logs.first(where: { !FileManager.default.fileExists(atPath: $0) }) {
      throw LoopError(
        "\(missing) is missing", remedy: .either([.text("put it back"), .afresh]))
    }
    let brought = try task.layout.episodes(from: task.logs, needsExcitation: false)
    let own = try task.layout.episodes(from: logs, needsExcitation: false, checksValues: false)
    try task.layout.checkExcitation(brought + own, task.logs.map(\.name) + logs)
    return brought + own
  }

  /// The last trial's model, if it is one of the task as it is now.
  func earlierModel(_ trial: Int, of task: ControlTask) throws -> DynamicsModel? {
    let path = path("model", trial - 1, ".safetensors")
    guard task.learning.model == .warm, FileManager.default.fileExists(atPath: path) else {
      return nil
    }
    let model = try DynamicsModel(path: path)
    return try task.mismatch(with: model) == nil ? model : nil
  }

  /// The last trial's policy, if it is of the kind that the task wants now.
  func earlierParameters(_ trial: Int, of task: ControlTask) throws -> [Double]? {
    let path = path("policy", trial - 1, ".safetensors")
    guard task.learning.policy != .fresh, FileManager.default.fileExists(atPath: path) else {
      return nil
    }
    let wanted = task.policyDescription
    let (controller, found) = try PolicyController.read(path: path)
    let isAlike = found.inputs == wanted.inputs && found.form == wanted.form
    return isAlike ? controller.parameters : nil
  }

  /// The policy of a trial whose judging goes on.
  func policy(beingJudged trial: Int) throws -> (PolicyController, PolicyDescription) {
    let path = path("policy", trial, ".safetensors")
    guard FileManager.default.fileExists(atPath: path) else {
      throw LoopError(
        "\(path) is missing, but its trial is still being judged",
        remedy: .either([.text("put it back"), .afresh]))
    }
    return try PolicyController.read(path: path)
  }

  /// The deviations by which standardised rewards measure: those of the first trial's data, since each failed trial would narrow
  /// or widen the reward otherwise.
  func firstScale(_ model: DynamicsModel, of task: ControlTask) throws -> [Double] {
    let path = path("model", 1, ".safetensors")
    let first = FileManager.default.fileExists(atPath: path) ? try DynamicsModel(path: path) : model
    let used = first.layout.states == model.layout.states ? first : model
    return task.goalStandardiser(used)?.scale ?? used.stateStandardiser.scale
  }
}
