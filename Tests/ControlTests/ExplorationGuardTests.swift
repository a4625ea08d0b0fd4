// SPDX-License-Identifier: Apache-2.0
// Exploration inside limits: what the guard learns, that plants of three kinds stay inside, and what is said where nothing can be learnt.

import Bagel
import Foundation
import MachineLogs
import Plants
import Tasks
import Testing

@Suite("exploration within limits")
struct ExplorationGuardTests {
  /// A cart whose force acts at once, a boom whose valve lags, a pendulum that gravity pulls back.
  enum Machine: String, CaseIterable {
    case cart, boom, pendulum

    var lines: String {
      switch self {
      case .cart:
        """
        timeStep: 0.05
        states: [{name: position, limits: [-0.6, 0.6]}, {name: velocity}, {name: angle, units: rad}, {name: rate}]
        actions: [{name: force, limits: [-8, 8]}]
        plant: cart-pole
        """
      case .boom:
        """
        timeStep: 0.05
        states: [{name: angle, limits: [-0.3, 0.3]}, {name: rate, limits: [-0.35, 0.35]}]
        actions: [{name: valve, limits: [-1, 1]}]
        plant: boom
        start: [0, 0]
        """
      case .pendulum:
        """
        timeStep: 0.1
        states: [{name: angle, units: rad, limits: [-0.5, 0.5]}, {name: rate}]
        actions: [{name: torque, limits: [-2.5, 2.5]}]
        plant: pendulum
        start: [0, 0]
        """
      }
    }

    func task(
      _ kind: String, limits: (String) -> String = { $0 }
    ) throws -> ControlTask {
      try ControlTask(
        yaml: limits(
          "name: \(rawValue)\n\(lines)\nexplore: {kind: \(kind), episodes: 1, seconds: 20}"),
        file: "\(rawValue).yaml", folder: ".")
    }
  }

  @Test(
    "machines stay inside their limits for nearly all of an exploration",
    arguments: Machine.allCases, ["smooth", "random", "sinusoids"])
  func inside(machine: Machine, kind: String) throws {
    let task = try machine.task(kind)
    var (ends, remarks) = (0, 0)
    for seed in 0..<3 as Range<UInt64> {
      let episodes = try task.trainingEpisodes(
        seed: seed,
        tell: { outcome in
          ends += outcome.hasLeftLimits ? 1 : 0
          remarks += outcome.remarks.count { $0.contains("to stay inside the limits of '") }
        })
      #expect(episodes.reduce(0) { $0 + $1.count } > 190, "seed \(seed)")
    }
    // Without the guard every one of them leaves its limits within three seconds, and some within half a second.
    #expect(ends <= 3 && remarks >= 3, "\(ends) early ends")
  }

  @Test("commands go as they are where nothing is limited")
  func unlimited() throws {
    let text = Machine.cart.lines.replacingOccurrences(of: ", limits: [-0.6, 0.6]", with: "")
    let task = try ControlTask(
      yaml: "name: free\n\(text)\nexplore: {kind: random, seconds: 2}", file: "t.yaml", folder: ".")
    let episode = try #require(try task.trainingEpisodes(seed: 3).first)
    var explorer = Explorer(
      task.exploration, limits: task.actionLimits, rest: [0], timeStep: 0.05, seed: 3)
    let wanted = (0..<40).map { explorer.action(step: $0, states: [0, 0, 0, 0]) }
    #expect(Array(episode.actions.prefix(40)) == wanted)
  }

  @Test("limits that leave fewer than a hundred rows are named")
  func tooTight() throws {
    let task = try Machine.cart.task("random") {
      $0.replacingOccurrences(of: "[-0.6, 0.6]", with: "[-1e-4, 1e-4]")
    }
    var episodes = 0
    let error = #expect(throws: LogError.self) {
      try task.trainingEpisodes(seed: 1, tell: { _ in episodes += 1 })
    }
    let words = error.map { "\($0)" } ?? ""
    #expect(words.contains("'position' left its limits") && words.contains("too few to learn"))
    #expect(words.contains("cart.yaml") && words.contains("amplitude"))
    // It has tried again with less.
    #expect(episodes == 6)
  }
}

@Suite("the operator's lines")
struct OperatorInputTests {
  @Test(
    "numbers take over, release hands back, other lines change nothing, an end is the safe action")
  func lines() throws {
    let pipe = Pipe()
    var events: [OperatorInput.Event] = []
    let input = OperatorInput(
      descriptor: pipe.fileHandleForReading.fileDescriptor, safeAction: [0, -1]
    ) { events.append($0) }
    func type(_ text: String) throws {
      try pipe.fileHandleForWriting.write(contentsOf: Data(text.utf8))
    }
    #expect(input.next() == nil, "nothing was typed, and nothing is waited for")
    try type("0.5, -0.25\n")
    #expect(input.next() == [0.5, -0.25])
    #expect(input.next() == [0.5, -0.25], "it holds")
    try type("0.1")
    #expect(input.next() == [0.5, -0.25], "half a line")
    try type(" 0.2\r\n\n0.1 0.2\n")
    #expect(input.next() == [0.1, 0.2])
    try type("halt\n1\nnan 1\n1 2 3\n")
    #expect(input.next() == [0.1, 0.2])
    try type("stop\n")
    #expect(input.next() == [0, -1], "the safe action")
    try type("release\n")
    #expect(input.next() == nil)
    try type("release\n-1 -1\n")
    #expect(input.next() == [-1, -1])
    try pipe.fileHandleForWriting.close()
    #expect(input.next() == [0, -1] && input.next() == [0, -1])
    #expect(
      events == [
        .takes([0.5, -0.25]), .takes([0.1, 0.2]), .notUnderstood("halt"), .notUnderstood("1"),
        .notUnderstood("nan 1"), .notUnderstood("1 2 3"), .takes([0, -1]), .releases,
        .takes([-1, -1]), .isGone,
      ])
  }

  @Test("a line that never ends is no command and no memory")
  func endless() throws {
    let folder = FileManager.default.temporaryDirectory.path
    let path = "\(folder)/operator-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    let text = String(repeating: "1", count: 100_000) + "\n0.25\n"
    try text.write(toFile: path, atomically: true, encoding: .utf8)
    let file = try #require(FileHandle(forReadingAtPath: path))
    var events: [OperatorInput.Event] = []
    let input = OperatorInput(descriptor: file.fileDescriptor, safeAction: [0]) {
      events.append($0)
    }
    // A row takes so many bytes at most: whoever types without end does not stop the machine's rows.
    var rows = 1
    while input.next() != [0], rows < 100 { rows += 1 }
    #expect(rows > 20 && rows < 100)
    #expect(events.suffix(2) == [.takes([0.25]), .isGone])
    #expect(events.first.map { if case .notUnderstood = $0 { true } else { false } } == true)
  }

  @Test("an operator's command reaches the machine within limits, and the log")
  func override() throws {
    let task = try QuickPendulum.task()
    var run = task.episodeRun(seconds: 2)
    var step = 0
    run.operatorCommand = {
      defer { step += 1 }
      return (5..<10).contains(step) ? [9] : nil
    }
    var plant = try task.makePlant()
    let outcome = try run.run(&plant, seed: 1, name: "run") { _, _ in [0.5] }
    #expect(outcome.overridden == 5)
    let sent = outcome.episode.actions.prefix(12).map { $0[0] }
    #expect(sent == [0.5, 0.5, 0.5, 0.5, 0.5, 2.5, 2.5, 2.5, 2.5, 2.5, 0.5, 0.5])
  }
}
