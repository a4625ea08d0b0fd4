// SPDX-License-Identifier: Apache-2.0
// Quantities of a task: formulas that name others, goals of them, what is tracked, inputs of their own for each output; and what is
// said of each that is wrong.

import Bagel
import Draws
import Formulas
import Foundation
import MachineLogs
import Plants
import PolicySearch
import Programs
import Tasks
import TestSupport
import Testing

@Suite("quantities")
struct QuantityTests {
  private let yaml = """
    name: arm
    timeStep: 0.1
    states:
      - {name: a, units: rad}
      - {name: b, units: rad}
      - {name: va, units: rad/s}
      - {name: vb, units: rad/s}
    actions:
      - {name: u, limits: [-1, 1]}
      - {name: w, limits: [-1, 1]}
    quantities:
      x: {formula: cos(a) + 0.5 * cos(ab), units: m}
      z: {formula: sin(a) + 0.5 * sin(ab), units: m, limits: [-1, 3]}
      ab: a + b
      asked: abs(u) + abs(w)
    model:
      integrate: {a: va, b: vb}
      inputs: {va: [va, u, asked], vb: [vb, w, asked, ab]}
    policy: {goal: error}
    reward: {saturating: {weights: {x: 1, z: 2}, width: 0.2, units: physical}}
    start: logged
    goal: {x: [0.5, 1.2], z: [0, 1]}
    evaluate: {seconds: 20, track: {z: 0.05, x: 0.02}, schedule: {every: 5}}
    """

  private func task(_ from: String = "", _ to: String = "") throws -> ControlTask {
    let text = from.isEmpty ? yaml : yaml.replacingOccurrences(of: from, with: to)
    return try ControlTask(yaml: text, file: "t.yaml", folder: ".")
  }

  private func problem(_ from: String, _ to: String) -> String {
    SmallTask.problem(yaml.replacingOccurrences(of: from, with: to))
  }

  @Test(
    "formulas may name others in any order; goals, rewards and what is tracked follow the names")
  func names() throws {
    let task = try task()
    let state = [0.3, -0.2, 0, 0]
    let tip = task.goalForm.reached(state)
    #expect(abs(tip[0] - (cos(0.3) + 0.5 * cos(0.1))) < 1e-15)
    #expect(abs(tip[1] - (sin(0.3) + 0.5 * sin(0.1))) < 1e-15)
    #expect(task.quantities.map(\.name) == ["x", "z", "ab"])
    #expect(task.goalChannels.map(\.name) == ["x", "z"])
    #expect(task.evaluation.tracked.map(\.goal) == [1, 0])
    #expect(task.evaluation.tracked.map(\.tolerance) == [0.05, 0.02])
    #expect(task.evaluation.goalTimes == [0, 5, 10, 15])
    guard case .saturating(let weights, _, _) = task.objective.rewards[0] else { throw Missing() }
    #expect(weights == [1, 2])
    // States may stand among the goals, and a formula may name a quantity that is no goal.
    let fixed = yaml.replacingOccurrences(
      of: "goal: {x: [0.5, 1.2], z: [0, 1]}", with: "goal: {x: 1, z: 0.5, va: 0}"
    ).replacingOccurrences(of: ", schedule: {every: 5}", with: "")
    let mixed = try ControlTask(yaml: fixed, file: "t.yaml", folder: ".")
    #expect(
      mixed.objective.goal == .fixed([1, 0.5, 0]) && mixed.goalForm.reached([0, 0, 3, 0])[2] == 3)
    let formula = try self.task(
      "{saturating: {weights: {x: 1, z: 2}, width: 0.2, units: physical}}",
      "{formula: -(x - goal.x)^2 - 0.1 * ab^2 - 0.01 * asked}")
    guard case .formula(let reward) = formula.objective.rewards[0] else { throw Missing() }
    #expect(reward.names == ["x", "goal.x", "a", "b", "u", "w"])
  }

  private struct Missing: Error {}

  @Test("text of a formula reads back as the same formula")
  func wholeText() throws {
    let names = ["x", "y"]
    let inner = try Formula("x - y", names: names)
    let texts = [
      "-x^2", "2^-0.5 * x", "x - (y - 1)", "x / (y / 3)", "min(x, atan2(y, 2)) - -x",
      "sqrt(abs(x)) + 1e-05", "d^3 / (1 + exp(-d))",
    ]
    for text in texts {
      let formula = try Formula(text, names: names, definitions: ["d": inner])
      let again = try Formula(formula.wholeText, names: names)
      #expect(again == formula, "\(formula.wholeText)")
      for (x, y) in [(0.3, 1.2), (-2.5, 0.7)] {
        let (a, b) = (formula.value(["x": x, "y": y]), again.value(["x": x, "y": y]))
        #expect(a == b || a.isNaN && b.isNaN)
      }
    }
  }

  @Test("every output reads what the task names, at the lags of states and commands")
  func inputs() throws {
    let form = try task().modelForm()
    func names(_ output: Int) -> [String] {
      form.outputs[output].inputs.map { d in
        switch form.features[d] {
        case .state(let i, let lag): "state \(i) \(lag)"
        case .action(let j, let lag): "action \(j) \(lag)"
        case .formula(let formula, let lag): "\(formula.name) \(lag)"
        case .disturbance, .sine, .cosine, .filteredAction: "other"
        }
      }
    }
    #expect(names(0) == ["state 2 0", "action 0 0", "asked 0"])
    #expect(names(1) == ["state 3 0", "action 1 0", "asked 0", "ab 0"])
    let late = try task("  integrate:", "  actionDelay: 2\n  actionHistory: 1\n  integrate:")
    #expect(late.model.actionDelay == 2)
    #expect(try late.modelForm().features.count == 2 + 4 + 2 + 1)
    #expect(late.model.choice.fixed.isSuperset(of: [.histories, .integrals]))
    // Outputs that the task does not name read all states and commands.
    let half = try task(", vb: [vb, w, asked, ab]", "")
    #expect(try half.modelForm().outputs[1].inputs.count == 6)
    #expect(try task().outputsWithoutCommand.isEmpty)
    #expect(try task("vb: [vb, w, asked, ab]", "vb: [vb, ab]").outputsWithoutCommand.count == 1)
  }

  @Test("goals are drawn among those that logged poses reach, each part of the box as likely")
  func reachedGoals() throws {
    // Poses on a ring, most of them in one place.
    var logged = (0..<400).map { k -> [Double] in
      let angle = Double(k) / 400 * 2 * .pi
      return [cos(angle), sin(angle)]
    }
    logged += (0..<600).map { _ in [1, 0] }
    let goals = StateDistribution.reached(lower: [-2, -2], upper: [2, 2]).reaching(logged)
    let drawn = goals.draw(2_000, key: DrawKey(seed: 3), for: .goals)
    #expect(drawn.allSatisfy { logged.contains($0) })
    // 60 % of the poses are in one of about 24 cells.
    #expect(drawn.count { $0 == [1, 0] } < 300)
    let half = StateDistribution.reached(lower: [0.2, -2], upper: [2, 2]).reaching(logged)
    #expect(half.draw(200, key: DrawKey(seed: 3), for: .goals).allSatisfy { $0[0] >= 0.2 })
    // One value of one quantity: goals near it have it.
    let line = StateDistribution.reached(lower: [-2, 0.5], upper: [2, 0.5]).reaching(logged)
    let onLine = line.draw(50, key: DrawKey(seed: 3), for: .goals)
    #expect(onLine.allSatisfy { $0[1] == 0.5 && abs(abs($0[0]) - 0.87) < 0.1 })

    let task = try task()
    func message(_ goal: StateDistribution) -> String {
      var task = task
      task.objective.goal = goal
      let error = #expect(throws: LogError.self) { try task.goals(amongLogged: logged, bounds: []) }
      return error.map { "\($0)" } ?? ""
    }
    #expect(message(.reached(lower: [3, 0], upper: [4, 1])).contains("column 'x'"))
    #expect(
      message(.reached(lower: [3, 0], upper: [4, 1])).contains("which no logged pose reaches"))
    #expect(message(.fixed([0.9, 0.9])).contains("each value was reached, but not together"))
    _ = try task.goals(amongLogged: logged, bounds: [])
    #expect(throws: LogError.self) {
      try task.checkGoal([0, 0], for: .error, within: .init(loggedGoals: logged))
    }
    try task.checkGoal([0.7, 0.7], for: .error, within: .init(loggedGoals: logged))
  }

  @Test(
    "a step succeeds if everything tracked does, each within its own tolerance; why one failed is said"
  )
  func judged() throws {
    var task = try task()
    task.evaluation.settle = 2
    // At the first goal from the start on; 3 cm beside the second in x; the third in z; never at the fourth.
    let goals = (0..<4).map {
      ControlTask.EvaluationOptions.ScheduledGoal(time: 5 * Double($0), goal: [1.2, 0.3])
    }
    var episode = Episode(name: "test", timeStep: 0.1, states: [], actions: [])
    func pose(_ x: Double, _ z: Double) -> [Double] {
      // Inverse kinematics of links of 1 and 0.5.
      let c = (x * x + z * z - 1.25)
      let b = acos(c)
      return [atan2(z, x) - atan2(0.5 * sin(b), 1 + 0.5 * cos(b)), b, 0, 0]
    }
    for k in 0...200 {
      let misses = [(0.0, 0.0), (0.03, 0), (0.0, 0.03), (0.1, 0.1)]
      let (dx, dz) = misses[min(k / 50, 3)]
      episode.states.append(pose(1.2 + dx, 0.3 + dz))
      episode.actions.append([0, 0])
    }
    let judged = EpisodeJudge(task).judge(episode, goals: goals)
    #expect(judged.steps.map(\.isSuccess) == [true, false, true, false])
    #expect(judged.steps[1].tracked.map(\.isNear) == [true, false])
    let words = Evaluation(episodes: [judged]).failures(task)
    #expect(words.count == 2 && words[0].contains("x is up to 0.03 m from 1.2 m"), "\(words)")
    #expect(words[1].contains("z is up to 0.1 m") && words[1].contains("x is up to"))
  }

  @Test(
    "goals move by ramps and along paths, the policy sees them so far ahead, errors count from them"
  )
  func moving() throws {
    typealias Goal = ControlTask.EvaluationOptions.ScheduledGoal
    let ramps: [Goal] = [
      .init(time: 0, goal: [0, 1]), .init(time: 2, goal: [4, 1], ramp: 2),
      .init(time: 6, goal: [0, 0]),
    ]
    #expect([0, 1.9, 2, 2.5, 4, 5.9, 6].map { ramps.goal(at: $0)[0] } == [0, 0, 0, 1, 4, 4, 0])
    #expect(ramps.line(of: 0, until: 8).times == [0, 2, 2, 4, 6, 6, 8])
    #expect(ramps.line(of: 0, until: 8).goals == [0, 0, 0, 4, 4, 0, 0])
    let path = Scratch.path("path.csv")
    func task(_ rows: String, _ more: String = "") throws -> ControlTask {
      try "time,x,z\n\(rows)".write(toFile: path, atomically: true, encoding: .utf8)
      return try self.task("schedule: {every: 5}", "settle: 1, schedule: {file: '\(path)'\(more)}")
    }
    var moving = try task("0,1,0\n2,1.2,0.4\n10,1.2,0.8\n", ", preview: 0.5")
    #expect(moving.evaluation.isPath && moving.evaluation.preview == 0.5)
    let middle = moving.evaluation.schedule.goal(at: 1)
    #expect(abs(middle[0] - 1.1) < 1e-12 && abs(middle[1] - 0.2) < 1e-12)
    #expect(moving.evaluation.schedule.goal(at: 12) == [1.2, 0.8])
    // What follows 0.01 beside the path is so far from it all the time.
    moving.objective.goalQuantities = [
      Quantity(name: "x", units: "m", definition: .state(0)),
      Quantity(name: "z", units: "m", definition: .state(1)),
    ]
    let rows = (0...200).map { k -> [Double] in
      let goal = moving.evaluation.schedule.goal(at: 0.1 * Double(k))
      return [goal[0] + 0.01, goal[1] - 0.02, 0, 0]
    }
    let episode = Episode(
      name: "path", timeStep: 0.1, states: rows, actions: rows.map { _ in [0, 0] })
    let judged = EpisodeJudge(moving).judge(episode, goals: moving.evaluation.schedule)
    #expect(judged.steps.count == 1 && judged.isSuccess)
    for (figures, error) in zip(judged.steps[0].tracked, [0.02, 0.01]) {
      #expect(
        abs(figures.largestError - error) < 1e-9 && abs(figures.steadyStateError - error) < 1e-9)
    }
    func problem(_ rows: String, _ more: String = "") -> String {
      let error = #expect(throws: LogError.self) { try task(rows, more) }
      return error.map { "\($0)" } ?? ""
    }
    #expect(
      problem("0,1,0\n2,1,0\n1,1,0\n").contains("path.csv:4, column 'time': goes from 2.0 to 1.0 s")
    )
    #expect(problem("0,1,0\n2,one,0\n").contains("path.csv:3, column 'x': is 'one', not a finite"))
    #expect(
      problem("1,1,0\n2,1,0\n").contains("path.csv:2, column 'time': begins at 1.0 s, not at 0"))
    #expect(
      self.problem("every: 5", "every: 5, ramp: 6").contains(
        "must be shorter than the time between two goals"))
  }

  @Test("a plant's end is a success, a failure or neither, by the task or the plant's word")
  func endings() throws {
    var task = try task()
    let goal = [ControlTask.EvaluationOptions.ScheduledGoal(time: 0, goal: [1.5, 0])]
    let short = Episode(
      name: "test", timeStep: 0.1, states: Array(repeating: [0, 0, 0, 0], count: 30),
      actions: Array(repeating: [0, 0], count: 30))
    func isSuccess(_ meaning: DoneMeaning?) -> Bool {
      EpisodeJudge(task).judge(short, goals: goal, earlyEnd: "done", doneAs: meaning).isSuccess
    }
    #expect(isSuccess(.success) && !isSuccess(.failure) && !isSuccess(nil))
    // What there is is at its goal.
    #expect(isSuccess(.neither))
    task = try self.task("name: arm", "name: arm\ndone: success")
    #expect(task.doneMeans == .success && task.isJudged)
    #expect(problem("name: arm", "name: arm\ndone: maybe").contains("'done' must be one of"))
  }

  @Test("quantities that are no numbers on the data are refused before anything is learnt")
  func noNumbers() throws {
    let draws = DrawKey(seed: 3)
    let rows = (0..<60).map { draws.normals(particle: 0, step: $0, count: 6) }
    let episode = Episode(
      name: "log.csv", timeStep: 0.1, states: rows.map { Array($0[0..<4]) },
      actions: rows.map { Array($0[4..<6]) })
    func message(_ from: String, _ to: String) -> String {
      do {
        _ = try task(from, to).fit([episode])
        return ""
      } catch { return "\(error)" }
    }
    let read = message("asked: abs(u) + abs(w)", "asked: sqrt(u)")
    #expect(read.contains("'asked'") && read.contains("s of log.csv"), "\(read)")
    let goal = message("x: {formula: cos(a) + 0.5 * cos(ab)", "x: {formula: log(-1 - a^2)")
    #expect(goal.contains("'x'") && goal.contains("at any logged state"), "\(goal)")
  }

  @Test("what a plant does beyond the data is said where it is more than a few rows")
  func beyond() throws {
    let task = try task()
    let states = (0..<100).map { [$0 < 90 ? 0.5 : 1.3, $0 < 97 ? 0.5 : 9, 0.5, 0.5] }
    let episode = Episode(
      name: "", timeStep: 0.1, states: states, actions: states.map { _ in [0, 0] })
    let sentences = task.sentencesBeyond(Array(repeating: 0...1, count: 4), of: [episode])
    #expect(sentences.count == 1 && sentences[0].contains("'a' was outside"), "\(sentences)")
    #expect(sentences.first?.contains("10 % of the rows, from 0.5 to 1.3") == true)
    #expect(task.sentencesBeyond(nil, of: [episode]).isEmpty)
  }

  @Test("what is wrong is said with file, line and key")
  func problems() {
    #expect(problem("ab: a + b", "ab: a + q").contains("t.yaml:14: 'quantities.ab'"))
    #expect(problem("ab: a + b", "ab: a + q").contains("'q' is unknown"))
    let circle = problem("ab: a + b", "ab: a + z")
    #expect(circle.contains("name each other in a circle") && circle.contains("'ab'"))
    #expect(!circle.contains("'x'"), "x waits, and is in no circle")
    var doubling = "ab: a + b"
    for k in 0..<12 { doubling += "\n  q\(k): \(k == 0 ? "a" : "q\(k - 1) * q\(k - 1)") + a" }
    #expect(!problem("ab: a + b", doubling).contains("circle"))
    #expect(problem("weights: {x: 1", "weights: {x: -1").contains("must not be negative"))
    #expect(
      problem("schedule: {every: 5}", "schedule: {at: [], goals: []}").contains("one time per goal")
    )
    #expect(problem("goal: {x: [0.5, 1.2], z: [0, 1]}", "goal: {}").contains("is empty"))
    #expect(problem("ab: a + b", "sin: a + b").contains("cannot name a quantity"))
    #expect(problem("ab: a + b", "va: a + b").contains("is a state, action or disturbance"))
    #expect(
      problem("goal: {x: [0.5", "goal: {y: [0.5").contains("is neither a state nor a quantity"))
    #expect(problem("goal: {x: [0.5, 1.2]", "goal: {asked: 1").contains("reads a command"))
    #expect(
      problem("goal: {x: [0.5, 1.2], z: [0, 1]}", "goal: {x: 1, z: 5}").contains("limits of 'z'"))
    #expect(
      problem("track: {z: 0.05, x: 0.02}", "track: [z, x]").contains("needs a tolerance for each"))
    #expect(problem("track: {z: 0.05, x: 0.02}", "track: {q: 0.1}").contains("neither a state nor"))
    #expect(
      problem("track: {z: 0.05, x: 0.02}", "track: {a: 0.1}").contains(
        "'evaluate.track.a' has no goal"))
    #expect(
      problem("track: {z: 0.05, x: 0.02}", "tolerance: 0.1").contains(
        "give one for each goal: track:"))
    #expect(problem("weights: {x: 1, z: 2}", "weights: {a: 1}").contains("'a' has no goal"))
    #expect(
      problem("inputs: {va: ", "inputs: {a: ").contains("is integrated or derived, not predicted"))
    #expect(problem("inputs: {va: ", "inputs: {vc: ").contains("is not an output of the model"))
    #expect(problem("[va, u, asked]", "[va, u, askd]").contains("did you mean 'asked'?"))
    #expect(problem("every: 5", "every: 50").contains("'evaluate.schedule.every' must be"))
  }
}
