// SPDX-License-Identifier: Apache-2.0
// Whether a search fits into this computer's memory, checked before it begins: the system ends a process that needs more
// without a message. In: a task, perhaps with its rollout. Out: bytes, words, or `LogError`.

import Execution
import Foundation
import MachineLogs
import PolicySearch
import Programs
import Rollouts
import Tasks

extension ControlTask {
  /// Bytes from which a search says how much it takes.
  private static let worthSaying = 1_000_000_000

  /// Refuses a search that has no room, whatever the model; what to say of one that takes much, or nil.
  ///
  /// - Throws: `LogError`, also where the task does not say what is wanted.
  package func checkSearch(device: ExecutionDevice? = nil) throws -> String? {
    try checkSearchable()
    let policy = makePolicy()
    let states = layout.states.count
    // The least that a rollout keeps: the states, and the policy's units.
    let carry = states * (1 + model.stateHistory)
    let units = self.policy.form.units + policy.memoryLength
    let plan = HostMemoryPlan(
      kept: carry + units, carry: carry, actions: layout.actions.count, draws: states,
      parameterCount: policy.parameterCount, horizon: search.horizon, particles: search.particles,
      vectors: 1, threads: ProcessInfo.processInfo.activeProcessorCount,
      hasWorkspaces: device == .host)
    try check(plan)
    return plan.bytes < Self.worthSaying
      ? nil : "the search takes at least \(gigabytes(plan.bytes)) of memory"
  }

  /// Refuses a search of this rollout that has no room.
  ///
  /// - Throws: `LogError`.
  func checkMemory(_ rollout: Rollout, on device: ExecutionDevice) throws {
    try check(
      HostMemoryPlan(
        rollout.program, particles: search.particles, horizon: search.horizon,
        threads: ProcessInfo.processInfo.activeProcessorCount, hasWorkspaces: device == .host))
  }

  private func check(_ plan: HostMemoryPlan) throws {
    let memory = machineMemoryBytes()
    guard plan.bytes > memory else { return }
    let largest = max(plan.steps, plan.parameters, plan.particles)
    let keys =
      switch largest {
      case plan.parameters: "the policy's size (\(policy.form.words))"
      case plan.steps:
        "optimise.horizon (\(search.horizon)) or the policy's size (\(policy.form.words))"
      default: "optimise.particles (\(search.particles)) or optimise.horizon (\(search.horizon))"
      }
    throw LogError(
      file: place,
      "a search takes \(gigabytes(plan.bytes)) of memory (\(plan.bytes) bytes), but this computer has "
        + "\(gigabytes(memory)); lower \(keys)")
  }

  private func gigabytes(_ bytes: Int) -> String { number(Double(bytes) / 1e9) + " GB" }
}

/// Bytes of memory that this machine has, or that a container may use of it.
func machineMemoryBytes() -> Int {
  let pages = sysconf(Int32(_SC_PHYS_PAGES))
  let size = sysconf(Int32(_SC_PAGESIZE))
  guard pages > 0, size > 0 else { return .max }
  let limit = try? String(contentsOfFile: "/sys/fs/cgroup/memory.max", encoding: .utf8)
  let allowed = limit.flatMap { Int($0.trimmingCharacters(in: .whitespacesAndNewlines)) } ?? .max
  return min(Int(pages) * Int(size), allowed)
}
