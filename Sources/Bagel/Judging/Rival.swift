// SPDX-License-Identifier: Apache-2.0
// The PID controller of a task: found by the same search on the same model, it is the rival of every other policy, since it is what most
// machines have today, and what `fallback: pid` drives with. It is kept as OUTPUT/pid.safetensors until the next search.

import Foundation
import GaussianProcesses
import Policies
import Tasks
import TensorFiles

/// A PID controller and where it comes from.
public struct PIDRival: Sendable {
  public let controller: PolicyController
  public let description: PolicyDescription
  public let gains: PIDGains
  /// Seconds of its search; nil where it was read.
  public let seconds: Double?
}

extension ControlTask {
  /// The name of its file in an output folder.
  public static let pidFileName = "pid.safetensors"

  /// Most starts of its search: few parameters rarely need another one.
  private static let pidStarts = 2

  /// This task for a PID controller; nil where there is no error for it to read: no goal, success by measures alone, or a controller that
  /// is one itself.
  public var pidTask: ControlTask? {
    guard hasGoal, !rewards.isEmpty, hasStart, evaluation.measures.isEmpty, policy.form != .pid
    else { return nil }
    var task = self
    task.policy = PolicyOptions()
    (task.policy.form, task.policy.goalInput) = (.pid, .error)
    (task.policy.integrates, task.policy.errors) = (true, policy.errors)
    task.search.starts = min(search.starts, Self.pidStarts)
    return task
  }

  /// The PID controller of a folder, if it was found on this model; else one is searched and written there.
  ///
  /// - Parameters:
  ///   - model: of this task's machine.
  ///   - folder: of the output.
  ///   - device: where rollouts run.
  ///   - goesOn: asked after every iteration; false ends the search.
  /// - Returns: nil where the task has none (`pidTask`), or the search was ended.
  /// - Throws: as `optimize`; `TensorFileError`.
  public func pidRival(
    on model: DynamicsModel, in folder: String, device: ExecutionDevice? = nil,
    goesOn: () -> Bool = { true }
  ) throws -> PIDRival? {
    guard let task = pidTask else { return nil }
    let path = "\(folder)/\(Self.pidFileName)"
    if FileManager.default.fileExists(atPath: path) {
      let (controller, description) = try PolicyController.read(path: path)
      let wanted = task.policyDescription
      if description.model == model.fingerprint, description.inputs == wanted.inputs,
        description.mismatch(with: wanted) == nil,
        let gains = PIDGains(controller, timeStep: layout.timeStep)
      {
        return PIDRival(
          controller: controller, description: description, gains: gains, seconds: nil)
      }
    }
    let found = try task.optimize(model, device: device) { _ in goesOn() }
    guard found.isFinished, let gains = PIDGains(found.best, timeStep: layout.timeStep) else {
      return nil
    }
    let description = task.description(of: found, on: model)
    try found.best.write(to: path, description: description)
    return PIDRival(
      controller: found.best, description: description, gains: gains, seconds: found.seconds)
  }

  /// Forgets the PID controller of a folder: a new search may be of another reward.
  public static func forgetPID(in folder: String) {
    try? FileManager.default.removeItem(atPath: "\(folder)/\(pidFileName)")
  }
}
