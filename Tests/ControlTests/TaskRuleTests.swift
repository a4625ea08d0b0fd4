// SPDX-License-Identifier: Apache-2.0
// What a task may say and leave out: names and columns, rewards, goals, how it is judged.

import Bagel
import Foundation
import MachineLogs
import Tasks
import TestSupport
import Testing

private let valid = SmallTask.yaml
private func message(_ from: String, _ to: String) -> String {
  SmallTask.message(from, to)
}

@Suite("rules of tasks")
struct TaskRuleTests {
  @Test("a state that has the name of a goal's key says so where its goal is given")
  func goalOfStateCalledLower() {
    let text = valid.replacingOccurrences(of: "name: x, ", with: "name: lower, ")
      .replacingOccurrences(of: "rateOf: x", with: "rateOf: lower")
    #expect(SmallTask.problem(text) == "no error")
    let single = text.replacingOccurrences(
      of: "goal: {lower: [0, 0], upper: [1, 0]}", with: "goal: {lower: 0.5}")
    #expect(
      SmallTask.problem(single).contains(
        "'goal.lower' is a key of goals, and also the name of a channel"))
  }

  @Test("a column may have a short name; a rate follows its state's column")
  func columns() throws {
    let text = valid.replacingOccurrences(
      of: "name: x, ", with: "name: x, column: 'boom angle [deg]', "
    )
    .replacingOccurrences(of: "name: u, ", with: "name: u, column: exp, ")
    .replacingOccurrences(
      of: "{saturating: {weights: [1, 0]}}", with: "{formula: exp(-(x - goal.x)^2) - u^2}")
    let task = try ControlTask(yaml: text, file: "t.yaml", folder: ".")
    #expect(task.layout.measuredColumns == ["boom angle [deg]"])
    #expect(task.layout.writtenColumns == ["t", "boom angle [deg]", "exp"])
    #expect(task.layout.states.map(\.name) == ["x", "v"])
    #expect(try task.modelForm().updates[0] == .backwardIntegral(rate: 1, smoothing: 1))
    // The same machine from another column is another model's.
    var other = task
    other.states[0].channel.columnName = "elsewhere"
    #expect(other.layout.measuredColumns == ["elsewhere", "boom angle [deg]"])
    #expect(
      message("rateOf: x}", "rateOf: x, column: w}").contains(
        "t.yaml:5: 'states[1].column' is for measured states"))
    #expect(
      message(
        "name: x, units: m}\n  - {name: v, units: m/s, rateOf: x",
        "name: x, column: c, units: m}\n  - {name: v, units: m/s, rateOf: c"
      ).contains("give its state: rateOf: x"))
  }

  @Test(
    "names that a formula takes for something else are refused where there is a formula",
    arguments: ["1", "1e5", "inf", "nan", "pi", "exp", "max", "goal.a", "previous.a"])
  func ambiguousNames(name: String) {
    let renamed = valid.replacingOccurrences(of: "name: u,", with: "name: \(name),")
    #expect(throws: Never.self) { try ControlTask(yaml: renamed, file: "t.yaml", folder: ".") }
    for (from, to) in [
      ("{saturating: {weights: [1, 0]}}", "{formula: -x^2}"),
      ("goal:", "evaluate: {success: [{measure: abs(x), below: 0.1}]}\ngoal:"),
    ] {
      let error = #expect(throws: LogError.self) {
        try ControlTask(
          yaml: renamed.replacingOccurrences(of: from, with: to), file: "t.yaml", folder: ".")
      }
      #expect(error?.line == 7, "\(error as Any)")
      #expect(error?.problem.contains("`column: '\(name)'`") == true, "\(error as Any)")
    }
  }

  @Test("YAML's own words are names; null only in quotes; what a formula cannot hold is hinted at")
  func oddNames() throws {
    for name in ["y", "n", "on", "off", "'null'", "yes"] {
      let bare = name.replacingOccurrences(of: "'", with: "")
      let text = valid.replacingOccurrences(of: "name: u,", with: "name: \(name),")
        .replacingOccurrences(of: "{saturating: {weights: [1, 0]}}", with: "{formula: -\(bare)^2}")
      #expect(
        try ControlTask(yaml: text, file: "t.yaml", folder: ".").layout.actions[0].name == bare)
    }
    #expect(message("name: u,", "name: null,").contains("t.yaml:7: 'actions[0].name' is empty"))
    let hinted = valid.replacingOccurrences(of: "name: u,", with: "name: 'valve [V]',")
      .replacingOccurrences(of: "{saturating: {weights: [1, 0]}}", with: "{formula: -valve^2}")
    let error = #expect(throws: LogError.self) {
      try ControlTask(yaml: hinted, file: "t.yaml", folder: ".")
    }
    #expect(error?.problem.contains("{name: short, column: 'valve [V]'}") == true)
  }

  private func rewardMessage(_ formula: String, goal: String = "[0.5, 0]") -> String {
    let text = valid.replacingOccurrences(
      of: "{saturating: {weights: [1, 0]}}", with: "{formula: '\(formula)'}"
    ).replacingOccurrences(of: "{lower: [0, 0], upper: [1, 0]}", with: goal)
    return SmallTask.problem(text)
  }

  @Test("a pole at the goal is refused when the task is read, a logarithm's domain is not")
  func poles() {
    for goal in ["[0.5, 0]", "bounds", "{lower: [0, 0], upper: [1, 0]}", "{bounds: [x]}"] {
      for formula in ["log(abs(x - goal.x))", "1 / (x - goal.x)", "-(abs(x - goal.x))^-0.5"] {
        let message = rewardMessage(formula, goal: goal)
        #expect(
          message.hasPrefix("t.yaml:9: 'reward[0].formula' '\(formula)' is ")
            && message.contains(" at the goal: a pole"), "\(goal): \(message)")
      }
      for formula in [
        "log(abs(x - goal.x) + 0.01)", "-sqrt((x - goal.x)^2)", "1e9 - 1e12 * (x - goal.x)^2",
        "-abs(u - previous.u)", "exp(-(x - goal.x)^2 / (2 * 0.05^2))",
      ] {
        #expect(rewardMessage(formula, goal: goal) == "no error", "\(goal) \(formula)")
      }
    }
    // Defined for some of the data only, which is not known yet.
    #expect(rewardMessage("log(x)", goal: "bounds") == "no error")
    #expect(rewardMessage("1 / u").contains("is inf at the goal"))
    #expect(rewardMessage("1e20 * 1e20 * x").contains("beyond 1e+30"))
    #expect(rewardMessage("(1e29 + x) * (1e29 + x)").contains("at the goal, beyond 1e+30"))
  }

  @Test("a goal, a reward, a start and a way to judge are wanted only where they are used")
  func optional() throws {
    let lines = valid.split(separator: "\n")
    let bare = lines.filter { line in
      !["reward:", "start:", "goal:"].contains { line.hasPrefix($0) }
    }.joined(separator: "\n")
    let task = try ControlTask(yaml: bare, file: "t.yaml", folder: ".")
    #expect(
      !task.objective.hasGoal && !task.hasStart && !task.isJudged && task.objective.rewards.isEmpty)
    let error = #expect(throws: LogError.self) { try task.checkSearchable() }
    #expect(error?.problem.contains("has no `reward:`") == true)
    let regulated = try ControlTask(
      yaml: bare + "\nreward: {formula: exp(-x^2)}\nstart: [0, 0]"
        + "\nevaluate: {seconds: 9, success: [{measure: abs(x) - 0.1, below: 0}]}",
      file: "t.yaml", folder: ".")
    try regulated.checkSearchable()
    #expect(regulated.isJudged && regulated.evaluation.measures[0].below == 0)
    // 90 steps, judged by the last 10.
    #expect(abs(regulated.evaluation.settle - 8) < 1e-9)
    func problem(_ more: String) -> String { SmallTask.problem(bare + "\n" + more) }
    #expect(problem("reward: {saturating: {weights: [1, 0]}}").contains("the task has no `goal:`"))
    #expect(problem("reward: {quadratic: {weights: [1, 0]}}").contains("the task has no `goal:`"))
    #expect(
      problem("reward: {formula: -(x - goal.x)^2}").contains("'goal.x' is unknown")
        && problem("reward: {formula: -(x - goal.x)^2}").contains("the task has no `goal:`"))
    #expect(problem("evaluate: {tolerance: 0.1}").contains("'evaluate.tolerance' is a distance"))
    #expect(
      problem("policy: {goal: error}").contains("'policy.goal' is error, but the task has no"))
    #expect(problem("evaluate: {seconds: 5}") == "no error")
  }

  @Test("when a step is judged follows from what stands in the file, and errors name that")
  func settling() throws {
    func read(_ evaluate: String) throws -> ControlTask {
      try ControlTask(
        yaml: valid + "\nevaluate: {\(evaluate)}", file: "t.yaml", folder: ".")
    }
    let goals = "schedule: {at: [0, 6], goals: [[0, 0], [1, 0]]}"
    let measure = "success: [{measure: abs(x - goal.x), below: 0.3}]"
    // Steps of 6 and 3 s; the last 20 rows are 2 s.
    #expect(
      abs(try read("seconds: 9, \(measure), lastSteps: 20, \(goals)").evaluation.settle - 1) < 1e-9)
    #expect(try read("seconds: 9, \(measure), lastSteps: 30, \(goals)").evaluation.settle < 1e-9)
    let long = #expect(throws: LogError.self) {
      try read("seconds: 9, \(measure), lastSteps: 31, \(goals)")
    }
    #expect(long?.problem.contains("'evaluate.lastSteps' is 31, 3.1 s") == true, "\(long as Any)")
    #expect(long?.problem.contains("settle") == false)
    // Ten by default, as many as there are.
    #expect(try read("seconds: 0.5, \(measure)").evaluation.lastSteps == 5)
    // A tolerance without `settle`: 4 s, or half of a step that ends before.
    #expect(try read("seconds: 9, tolerance: 0.1").evaluation.settle == 4)
    #expect(try read("seconds: 9, tolerance: 0.1, \(goals)").evaluation.settle == 1.5)
  }
}
