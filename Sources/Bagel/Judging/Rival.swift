// SPDX-License-Identifier: Apache-2.0
// The PID controller of a task: found by the same search on the same model, it is the rival of every other policy, since it is what most
// machines have today, and what `fallback: pid` drives with. It is kept as OUTPUT/pid.safetensors, for its model and its task.

import Execution
import Foundation
import GaussianProcesses
import Policies
import Tasks
import TensorFiles

/// A PID controller and where it comes from.
package struct PIDRival: Sendable {
  package let controller: PolicyController
  package let description: PolicyDescription
  package let gains: PIDGains
  /// Its search; nil where it was read.
  package let found: OptimizedPolicy?
}

extension ControlTask {
  /// The name of its file in an output folder.
  package static let pidFileName = "pid.safetensors"

  /// This task for a PID controller; nil where `obstacleToPID` says why.
  package var pidTask: ControlTask? {
    guard obstacleToPID == nil, !objective.rewards.isEmpty, hasStart else { return nil }
    var task = self
    task.policy = PolicyOptions()
    (task.policy.form, task.policy.goalInput) = (.pid, .error)
    (task.policy.integrates, task.policy.errors) = (true, policy.errors)
    return task
  }

  /// The PID controller of a folder, if it was found on this model and for the task as it is; else one is searched and written there.
  ///
  /// - Parameters:
  ///   - model: of this task's machine.
  ///   - folder: of the output.
  ///   - device: where rollouts run.
  ///   - progress: called after every iteration with the part that is done; false ends the search.
  /// - Returns: nil where the task has none (`pidTask`), or the search was ended.
  /// - Throws: as `optimize`; `TensorFileError`.
  package func pidRival(
    on model: DynamicsModel, in folder: String, device: ExecutionDevice? = nil,
    progress: (_ fraction: Double) -> Bool = { _ in true }
  ) throws -> PIDRival? {
    guard let task = pidTask else { return nil }
    let path = "\(folder)/\(Self.pidFileName)"
    let searched = String(sha256(source.utf8).prefix(16))
    // One that cannot be read is found again.
    if let (controller, description) = try? PolicyController.read(path: path) {
      let wanted = task.policyDescription
      if description.searched == searched, description.model == model.fingerprint,
        description.inputs == wanted.inputs,
        description.mismatch(with: wanted) == nil,
        let gains = PIDGains(controller, timeStep: layout.timeStep)
      {
        return PIDRival(
          controller: controller, description: description, gains: gains, found: nil)
      }
    }
    let found = try task.optimize(model, device: device) { progress($0.fraction(of: task.search)) }
    guard found.isFinished, let gains = PIDGains(found.best, timeStep: layout.timeStep) else {
      return nil
    }
    var description = task.description(of: found, on: model)
    description.searched = searched
    try found.best.write(to: path, description: description)
    return PIDRival(
      controller: found.best, description: description, gains: gains, found: found)
  }
}
