// SPDX-License-Identifier: Apache-2.0
// What `evaluate` says of its verdict: the criterion, failures by the action change alone, states nobody judges, measures beside
// their bounds, a policy found for another plant; by the library on episodes made by hand, and by the real binary.

import Bagel
import Foundation
import MachineLogs
import Policies
import Tasks
import TestSupport
import Testing

/// Two states of which the first is judged: it stays within 0.05 m of its goal, and the action follows its sign.
private let yaml = """
  name: shaky
  timeStep: 0.1
  states: [{name: x, units: m}, {name: y, units: m}]
  actions: [{name: u, limits: [-1, 1]}]
  plant: {process: [sh, plant.sh], clock: simulation}
  policy: {layers: [4]}
  reward: {quadratic: {weights: [1, 1]}}
  start: [0, 0]
  goal: [0, 0]
  evaluate: {episodes: 4, seconds: 3, tolerance: 0.05, settle: 1}
  """

private func episode(x: (Int) -> Double, y: Double, u: (Int) -> Double) -> Episode {
  Episode(
    name: "made", timeStep: 0.1, states: (0...30).map { [x($0), y] },
    actions: (0...30).map { [u($0)] })
}

private let goals = [ControlTask.EvaluationOptions.ScheduledGoal(time: 0, goal: [0, 0])]

@Suite("words of a judgement")
struct JudgementWordsTests {
  @Test("the criterion, and what failed by the action change alone or was not judged")
  func figures() throws {
    let task = try ControlTask(yaml: yaml, file: "shaky.yaml", folder: ".")
    #expect(
      task.criterion
        == "|x - goal| <= 0.05 m from 1 s on and an action change below 0.1 per step (largestActionChange)"
    )
    let still = EpisodeJudge(task).judge(
      episode(x: { _ in 0.01 }, y: 0.3, u: { _ in 0.5 }), goals: goals)
    let shaky = EpisodeJudge(task).judge(
      episode(x: { _ in 0.01 }, y: 0.5, u: { $0 % 2 == 0 ? -0.1 : 0.1 }), goals: goals)
    let far = EpisodeJudge(task).judge(
      episode(x: { _ in 0.06 }, y: 0.9, u: { $0 % 2 == 0 ? -0.1 : 0.1 }), goals: goals)
    let ended = EpisodeJudge(task).judge(
      episode(x: { _ in 0.01 }, y: 9, u: { $0 % 2 == 0 ? -0.1 : 0.1 }), goals: goals,
      earlyEnd: "the plant ended the episode")
    let evaluation = Evaluation(episodes: [still, shaky, far, ended])
    #expect(evaluation.episodes.map(\.isSuccess) == [true, false, false, false])
    #expect(evaluation.episodes.map(\.failsByActionChange) == [false, true, false, false])
    let unjudged = evaluation.unjudged(task)
    #expect(unjudged.map(\.channel.name) == ["y"])
    #expect(abs((unjudged.first?.endError ?? 0) - (0.3 + 0.5 + 0.9) / 3) < 1e-12)
  }

  @Test("measures are said with their worst value in the last steps, in which alone they count")
  func measures() throws {
    let text = yaml.replacingOccurrences(
      of: "tolerance: 0.05, settle: 1",
      with:
        "success: [{measure: abs(x), below: 0.2}, {measure: y - goal.y, below: 1}], lastSteps: 5")
    let task = try ControlTask(yaml: text, file: "shaky.yaml", folder: ".")
    #expect(task.criterion == "abs(x) < 0.2 and y - goal.y < 1 in each of the last 5 steps")
    let first = EpisodeJudge(task).judge(
      episode(x: { $0 < 26 ? 5 : -0.15 }, y: 0.5, u: { _ in 0 }), goals: goals)
    let second = EpisodeJudge(task).judge(
      episode(x: { $0 == 27 ? 0.3 : 0 }, y: 0.25, u: { _ in 0 }), goals: goals)
    let evaluation = Evaluation(episodes: [first, second])
    #expect(evaluation.episodes.map(\.isSuccess) == [true, false])
    #expect(evaluation.worstMeasures(task) == [0.3, 0.5])
    #expect(evaluation.unjudged(task).isEmpty)
  }

  @Test("evaluate says all of that, and that the policy was found for another plant")
  func command() throws {
    let folder = try Scratch.folder()
    try yaml.write(toFile: folder + "/shaky.yaml", atomically: true, encoding: .utf8)
    try """
    k=0
    while read -r line; do
      case "$line" in *close*) exit 0;; *reset*) k=0;; esac
      k=$((k+1)); s=; [ $((k%2)) = 0 ] && s=-
      echo "{\\"state\\":[${s}0.01,0.4]}"
    done
    """.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    let task = try ControlTask(folder + "/shaky.yaml")
    let policy = task.makePolicy()
    var description = task.policyDescription
    description.plant = "pendulum (length: 2.0)"
    // A state of 0.01 is 100 of these standard deviations: the action jumps from limit to limit.
    func write(scale: Double) throws {
      try PolicyController(
        policy: policy, parameters: policy.initialParameters(1).map { 10 * $0 },
        stateMean: [0, 0.4], stateScale: [scale, 1]
      ).write(to: folder + "/policy.safetensors", description: description)
    }
    let arguments = ["evaluate", "shaky.yaml", "--policy", "policy.safetensors"]
    try write(scale: 1e-4)
    let said = try bagel(arguments, in: folder)
    #expect(said.status == 2, "\(said.errors)")
    for line in [
      "the policy was found for the plant 'pendulum (length: 2.0)'; it is judged on 'sh plant.sh' here",
      "  success: |x - goal| <= 0.05 m from 1 s on and an action change below 0.1 per step (largestActionChange)",
      "  4 episodes failed only by the action change, ",
      "  not judged: y, which ends 0.4 m from its goal (mean)",
    ] {
      #expect(said.output.contains(line), "\(line): \(said.output)")
    }
    let json = try bagel(arguments + ["--json"], in: folder).json
    #expect(
      json["failedByActionChange"] as? Int == 4 && json["criterion"] as? String == task.criterion)
    let unjudged = json["unjudged"] as? [[String: Any]] ?? []
    #expect(unjudged.count == 1 && unjudged[0]["state"] as? String == "y")
    #expect(abs((unjudged.first?["meanEndError"] as? Double ?? 0) - 0.4) < 1e-12)
    // The same policy on states that it hardly sees.
    try write(scale: 1e4)
    let calm = try bagel(arguments, in: folder)
    #expect(calm.status == 0 && !calm.output.contains("failed only by"), "\(calm.output)")

    let measured = yaml.replacingOccurrences(
      of: "tolerance: 0.05, settle: 1", with: "success: [{measure: abs(y - 1), below: 0.7}]")
    try measured.write(toFile: folder + "/shaky.yaml", atomically: true, encoding: .utf8)
    let worst = try bagel(arguments + ["--json"], in: folder)
    let measures = worst.json["measures"] as? [[String: Any]] ?? []
    #expect(measures.count == 1 && measures[0]["below"] as? Double == 0.7)
    #expect(abs((measures.first?["worst"] as? Double ?? 0) - 0.6) < 1e-12)
    #expect(
      worst.errors.contains(
        "  success: abs(y - 1) below 0.7 in the last 10 steps; worst of the episodes 0.6\n"),
      "\(worst.errors)")
  }

  @Test("a policy whose file says no plant was found for the task's own")
  func otherPlant() throws {
    var task = try ControlTask("boom-delayed")
    let own = task.plant
    var description = task.policyDescription
    #expect(task.otherPlant(than: description, usual: own) == nil)
    task.plant = .simulated("boom", parameters: [:])
    let words =
      "the policy was found for the plant 'boom (transportDelay: 0.15)'; it is judged on 'boom' here"
    #expect(task.otherPlant(than: description, usual: own) == words)
    description.plant = "boom"
    #expect(task.otherPlant(than: description, usual: own) == nil)
  }

  @Test("a sampler whose deviation is wrong by more than itself is called useless, not 5380 %")
  func samplerErrors() throws {
    let task = try QuickPendulum.task()
    var certificate = try task.makeSampler(try task.fit().model).certificate
    for (error, words) in [
      (0.012, "deviation 1.2 % of the predictive (RMS)"),
      (1, "deviation 100 % of the predictive (RMS)"),
      (53.8, "deviation wrong by 53.8 times the predictive deviation: useless here"),
    ] {
      for m in certificate.errors.indices { certificate.errors[m].deviationRMS = error }
      #expect(certificate.sentence.hasSuffix(words), "\(certificate.sentence)")
    }
  }

  @Test("a unit stands once in an axis title")
  func axisTitles() {
    for (name, units, title) in [
      ("angle", "rad", "angle (deg)"), ("angle_rad", "rad", "angle (deg)"),
      ("angle [deg]", "rad", "angle (deg)"), ("height (m)", "m", "height (m)"),
      ("height_m", "m", "height (m)"), ("arm", "m", "arm (m)"), ("speed m/s", "m/s", "speed (m/s)"),
      ("valve", "", "valve"), ("m", "m", "m (m)"),
    ] {
      #expect(Unit(units).axisTitle(name) == title)
    }
  }
}
