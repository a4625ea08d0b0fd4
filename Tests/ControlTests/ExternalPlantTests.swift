// SPDX-License-Identifier: Apache-2.0
// Plants behind a pipe: what every kind of misbehaviour says, that rows are kept, and that the last action is the safe
// one. The plants are shell scripts of one line.

import Bagel
import Formulas
import Foundation
import MachineLogs
import Plants
import TestSupport
import Testing

/// A plant of one state and one action in shell: `reset` and `step` are what it does on those.
private func plant(
  reset: String = "echo '{\"state\":[0]}'", step: String, log: String = "/dev/null",
  timeout: Double = 5
) -> any Plant {
  let script = """
    while read -r line; do
      echo "$line" >> '\(log)'
      case "$line" in
        *close*) exit 0;;
        *reset*) \(reset);;
        *) \(step);;
      esac
    done
    """
  return ExternalPlant(
    command: ["/bin/sh", "-c", script], states: [Channel(name: "x")], actions: [Channel(name: "u")],
    actionLimits: [-1...1], timeStep: 0.1, timeout: timeout, resetTimeout: timeout)
}

private let layout = LogLayout(
  states: [Channel(name: "x")], actions: [Channel(name: "u")], timeStep: 0.1)

private func run(
  _ plant: inout any Plant, steps: Int = 5, log: LogWriter? = nil
) throws -> EpisodeRun.Outcome {
  var run = EpisodeRun(layout: layout, actionLimits: [-1...1], safeAction: [0.25], steps: steps)
  run.log = log
  return try run.run(&plant, seed: 7, name: "test") { step, _ in [0.5 + Double(step)] }
}

private let good = "echo '{\"state\":[1.5]}'"

@Suite("external plants")
struct ExternalPlantTests {
  @Test(
    "an episode: messages, limits at the last moment, the safe action last, the log as it is read")
  func episode() throws {
    let folder = try Scratch.folder()
    let (messages, path) = (folder + "/messages", folder + "/log.csv")
    var plant = plant(step: good, log: messages)
    let writer = try LogWriter(path: path, layout: layout)
    let outcome = try run(&plant, steps: 3, log: writer)
    plant.close(safeAction: [0.25])
    #expect(outcome.failure == nil && outcome.earlyEnd == nil)
    #expect(outcome.episode.states == [[0], [1.5], [1.5], [1.5]])
    #expect(outcome.episode.actions == [[0.5], [1], [1], [0.25]])
    let sent = try String(contentsOfFile: messages, encoding: .utf8)
    #expect(
      sent == """
        {"command":"reset","seed":7}
        {"action":[0.5],"command":"step"}
        {"action":[1],"command":"step"}
        {"action":[1],"command":"step"}
        {"action":[0.25],"command":"step"}
        {"action":[0.25],"command":"step"}
        {"command":"close"}

        """)
    let back = try layout.episodes(from: [path], needsExcitation: false)
    #expect(back.map(\.states) == [outcome.episode.states])
    #expect(back.map(\.actions) == [outcome.episode.actions])
  }

  @Test(
    "misbehaviour is named, and the rows so far are kept",
    arguments: [
      ("exit 3", "ended (exit code 3) instead of answering a step"),
      ("kill -9 $$", "ended (signal 9)"),
      ("echo hello", "answered a step with 'hello', which is not one JSON object"),
      ("echo '{\"position\":[1]}'", "which has no list \"state\""),
      ("echo '{\"state\":[1,2]}'", "answered 2 states, but the task measures 1 (x)"),
      ("echo '{\"state\":[NaN]}'", "which is not finite (and NaN is no JSON)"),
      ("echo '{\"state\":[null]}'", "whose \"state\" is not a list of numbers"),
      ("echo '{\"state\":[true]}'", "whose \"state\" is not a list of numbers"),
      ("echo '{\"state\":[1],\"done\":1}'", "whose \"done\" is not true or false"),
      ("echo '{\"state\":[1e10]}'", "'x' is not a finite number between"),
      ("echo '{\"state\":[1e999]}'", "'x' is not a finite number between"),
      ("echo '{\"state\":[1],\"state\":[1]}'", "which has \"state\" twice"),
      ("sleep 5; echo '{\"state\":[1]}'", "did not answer a step within 0.3 s"),
    ])
  func misbehaviour(step: String, message: String) throws {
    var plant = plant(step: step, timeout: 0.3)
    let outcome = try run(&plant)
    let failure = try #require(outcome.failure)
    #expect("\(failure)".contains(message), "\(failure)")
    // The measurement of the reset and the action that was sent after it; then the safe one only if it was taken and
    // answered with a measurement, as none of these does.
    #expect(outcome.episode.states == [[0]] && outcome.episode.actions == [[0.5]])
    #expect("\(failure)".contains("step 1: ") && "\(failure)".contains("safe action"))
  }

  @Test("a late plant still gets the safe action")
  func safeAfterLate() throws {
    let folder = try Scratch.folder()
    var plant = plant(step: "sleep 0.25; \(good)", log: folder + "/messages", timeout: 0.1)
    let outcome = try run(&plant)
    #expect(outcome.failure != nil)
    let sent = try String(contentsOfFile: folder + "/messages", encoding: .utf8)
    #expect(sent.hasSuffix("{\"action\":[0.25],\"command\":\"step\"}\n{\"command\":\"close\"}\n"))
  }

  @Test("a silent plant is not waited for when the run is interrupted, and gets the safe action")
  func interruptedWhileSilent() throws {
    let folder = try Scratch.folder()
    var silent = plant(step: "sleep 0.5", log: folder + "/messages", timeout: 30)
    var run = EpisodeRun(layout: layout, actionLimits: [-1...1], safeAction: [0.25], steps: 5)
    let start = ContinuousClock.now
    run.goesOn = { start.duration(to: .now) < .seconds(0.3) }
    let outcome = try run.run(&silent, seed: 7, name: "test") { _, _ in [0.5] }
    #expect(outcome.isInterrupted && outcome.failure == nil)
    #expect(outcome.earlyEnd == "interrupted after 1 row")
    #expect(start.duration(to: .now) < .seconds(10))
    let sent = try String(contentsOfFile: folder + "/messages", encoding: .utf8)
    #expect(sent.contains("{\"action\":[0.25],\"command\":\"step\"}\n"))
  }

  @Test("programs that do not exist or never answer a reset, and a reward that is missing")
  func beginnings() throws {
    var missing: any Plant = ExternalPlant(
      command: ["/no/such/program"], states: [Channel(name: "x")], actions: [Channel(name: "u")],
      actionLimits: [-1...1], timeStep: 0.1)
    let outcome = try run(&missing)
    #expect("\(outcome.failure as Any)".contains("there is no program '/no/such/program'"))
    #expect(outcome.episode.states.isEmpty)

    var silent = plant(reset: "sleep 5", step: good, timeout: 0.2)
    let late = try run(&silent)
    #expect("\(late.failure as Any)".contains("did not answer a reset within 0.2 s"))

    var rewarded = layout
    rewarded.rewardColumn = "score"
    var plain = plant(step: good)
    var run = EpisodeRun(layout: rewarded, actionLimits: [-1...1], safeAction: [0], steps: 3)
    let driven = try run.run(&plain, seed: 1, name: "test") { _, _ in [0] }
    #expect(driven.failure == nil && driven.episode.rewards.allSatisfy(\.isNaN))
    run.needsReward = true
    let unrewarded = try run.run(&plain, seed: 1, name: "test") { _, _ in [0] }
    #expect("\(unrewarded.failure as Any)".contains("the task learns its reward from 'score'"))
  }

  @Test("the first measurement may have no reward: an empty cell that is not learnt from")
  func firstReward() throws {
    let path = try Scratch.folder() + "/log.csv"
    var rewarded = layout
    rewarded.rewardColumn = "score"
    var plant = plant(step: "echo '{\"state\":[1],\"reward\":-2}'")
    var run = EpisodeRun(layout: rewarded, actionLimits: [-1...1], safeAction: [0], steps: 3)
    let log = try LogWriter(path: path, layout: rewarded)
    run.log = log
    let outcome = try run.run(&plant, seed: 1, name: "test") { _, _ in [0] }
    log.close()
    #expect(outcome.failure == nil)
    let read = try rewarded.episodes(from: [path], needsExcitation: false)[0]
    for rewards in [outcome.episode.rewards, read.rewards] {
      #expect(rewards[0].isNaN && Array(rewards[1...]) == [-2, -2, -2])
    }
  }

  @Test("an episode ends where the plant is done or a state leaves its limits")
  func earlyEnds() throws {
    var done = plant(step: "echo '{\"state\":[1],\"done\":true}'")
    let outcome = try run(&done)
    #expect(outcome.earlyEnd == "the plant ended the episode at step 1")
    #expect(outcome.episode.actions == [[0.5], [0.25]])
    var far = plant(step: good)
    let limited = EpisodeRun(
      layout: layout, actionLimits: [-1...1], safeAction: [0], steps: 5,
      limits: [.init(Quantity(name: "x", units: "", definition: .state(0)), -1...1)])
    let left = try limited.run(&far, seed: 1, name: "test") { _, _ in [0] }
    #expect(left.earlyEnd == "'x' left its limits at step 1: 1.5")
  }
}
