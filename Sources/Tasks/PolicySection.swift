// SPDX-License-Identifier: Apache-2.0
// The policy of a task file: its form, and what it reads.

import Policies
import SafeText

extension ControlTask {
  /// The forms that `kind` names; the others have keys of their own.
  private enum Kind: String, CaseIterable {
    case network
    case pid
  }

  mutating func readPolicy(_ yaml: YAMLMapping) throws {
    guard let entry = try yaml.mapping("policy") else { return }
    policy.form = try policyForm(entry) ?? policy.form
    let isPID = policy.form == .pid
    if isPID {
      for key in ["dropout", "goal", "actionHistory", "disturbances"] where entry.has(key) {
        throw entry.error(key, "has no effect: a PID controller reads only the errors to its goals")
      }
    }
    if let dropout = try entry.number("dropout", 0...0.999) {
      if dropout > 0 && policy.form.units == 0 {
        throw entry.error("dropout", "needs hidden layers or basis functions to drop")
      }
      policy.dropout = dropout
    }
    if let goal = try entry.choice("goal", GoalInput.self) {
      guard objective.hasGoal || goal == .none else {
        throw entry.error("goal", "is \(goal.rawValue), but the task has no `goal:`")
      }
      policy.goalInput = goal
    }
    policy.actionHistory = try entry.integer("actionHistory", 0...100) ?? 0
    policy.seesDisturbances = try entry.bool("disturbances") ?? false
    guard !policy.seesDisturbances || !layout.disturbances.isEmpty else {
      throw entry.error("disturbances", "is true, but the task has no `disturbances:`")
    }
    policy.integrates = try entry.bool("integral") ?? isPID
    try isPID ? checkPID(entry) : checkIntegral(entry)
    if let names = try entry.strings("errors") { policy.errors = try goals(names, entry) }
  }

  /// Why a PID controller has nothing to read beside this task's policy, in words; nil where it has.
  package var obstacleToPID: String? {
    if policy.form == .pid { return "the policy is a PID controller itself" }
    if !objective.hasGoal { return "the task has no `goal:`, whose error it could read" }
    return evaluation.measures.isEmpty || policy.errors != nil
      ? nil
      : "success is judged by measures, and policy: {errors: ...} does not give the goals whose errors it reads"
  }

  /// Refuses integral action of what nobody named: it is of what is tracked, and measures track nothing. Throws: `LogError`.
  func checkErrors(_ yaml: YAMLMapping) throws {
    guard policy.integrates, policy.errors == nil, !evaluation.measures.isEmpty,
      let entry = try yaml.mapping("policy")
    else { return }
    throw entry.error(
      entry.has("kind") ? "kind" : "integral",
      "reads errors of goals, but success is judged by measures: give the goals, errors: [\(goalChannels[0].name)]"
    )
  }

  /// Goals by their names.
  private func goals(_ names: [String], _ entry: YAMLMapping) throws -> [Int] {
    guard policy.integrates else {
      throw entry.error(
        "errors", "has no effect: nothing is integrated (kind: pid, or integral: true)")
    }
    let known = goalChannels.map(\.name)
    let indices = try names.map { name in
      guard let index = known.firstIndex(of: name) else {
        throw entry.error(
          "errors",
          "'\(shortened(name))' has no goal; there are goals of \(known.joined(separator: ", "))")
      }
      return index
    }
    guard !indices.isEmpty, Set(indices).count == indices.count else {
      throw entry.error("errors", "must contain goals, each once")
    }
    return indices
  }

  /// Of `kind`, `layers` or `radialBasis`; nil where nothing is said.
  private func policyForm(_ entry: YAMLMapping) throws -> PolicyForm? {
    let keys = ["layers", "radialBasis"].filter(entry.has)
    if keys.count > 1 {
      throw entry.error("radialBasis", "and layers exclude each other: one kind of policy")
    }
    let kind = try entry.choice("kind", Kind.self)
    if kind == .network, keys == ["radialBasis"] {
      throw entry.error("radialBasis", "and kind: network exclude each other: one kind of policy")
    }
    if kind == .pid {
      if let key = keys.first {
        throw entry.error(key, "has no effect: the policy is a PID controller")
      }
      return .pid
    }
    if let count = try entry.integer("radialBasis", 1...4_096) { return .radialBasis(count: count) }
    guard let layers = try entry.numbers("layers") else { return nil }
    guard layers.allSatisfy({ $0 == $0.rounded() && $0 >= 1 && $0 <= 4_096 }) else {
      throw entry.error("layers", "must be a list of whole numbers from 1 to 4096")
    }
    return .network(hidden: layers.map { Int($0) })
  }

  private mutating func checkPID(_ entry: YAMLMapping) throws {
    guard objective.hasGoal else {
      throw entry.error("kind", "is pid, but the task has no `goal:` whose error it could read")
    }
    guard policy.integrates else {
      throw entry.error("integral", "is false, but a PID controller always integrates")
    }
    policy.goalInput = .error
  }

  private func checkIntegral(_ entry: YAMLMapping) throws {
    guard policy.integrates, policy.goalInput == .none else { return }
    throw entry.error(
      "integral",
      "integrates the error to a goal, but the policy does not read the goal; add goal: error (or concatenated)"
    )
  }
}
