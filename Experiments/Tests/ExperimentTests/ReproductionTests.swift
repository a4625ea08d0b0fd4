// SPDX-License-Identifier: Apache-2.0
// The figures in small: every method runs, learns, and has its row; the pages hold everything that they should.

import Bagel
import Foundation
import MachineLogs
import Reproduction
import Tasks
import TestSupport
import Testing

@Suite("figure 2")
struct Figure2Tests {
  @Test(
    "an interrupted figure says that it is not complete, and has no page before there is anything")
  func interrupted() throws {
    var figure = try Figure2(.quick)
    try figure.run { _, _ in false }
    #expect(!figure.isComplete && figure.page == nil)
    #expect(try figure.write(to: try Scratch.folder()) == nil)
  }

  @Test("what was measured before an interruption is on the page, with a notice")
  func partial() throws {
    var options = Figure2Options.quick
    options.trials = 1
    var figure = try Figure2(options)
    try figure.run { _, what in what.hasPrefix("BAGEL") }
    #expect(!figure.isComplete)
    let path = try #require(try figure.write(to: try Scratch.folder()))
    let page = try String(contentsOfFile: path, encoding: .utf8)
    #expect(page.contains("Interrupted") && page.contains("BAGEL, CPU sequential"))
    #expect(!page.contains("Black-DROPS</td>"))
  }

  // Otherwise the GPU's reason (`ReproduceCommandTests`) and the refusal's words (`MomentMatchingTests`) say it.
  @Test(
    "a method that cannot learn from so many transitions has its reason; the others run",
    .enabled(if: isThorough, "for make test-all"))
  func tooManyTransitions() throws {
    var options = Figure2Options.quick
    options.trials = 1
    // 5,600 rows: more than exact methods take.
    options.drivingSeconds = 280
    (options.fastBudget, options.slowBudget) = (0.1, 0.1)
    var figure = try Figure2(options)
    try figure.run { _, _ in true }
    #expect(figure.isComplete)
    let methods = try #require(figure.json["methods"] as? [[String: Any]])
    func reason(_ name: String) -> String? {
      methods.first { $0["name"] as? String == name }?["skipped"] as? String
    }
    #expect(reason("autodiff + PILCO")?.contains("too many") == true)
    let ran = methods.filter { $0["skipped"] is NSNull }.compactMap { $0["name"] as? String }
    #expect(ran.contains("BAGEL, CPU batch") && ran.contains("CMA-ES on BAGEL's rollouts"))
  }
}

@Suite("figure 3")
struct Figure3Tests {
  @Test("snapshots of both methods, imagined and on the machine, are on the page")
  func quick() throws {
    var figure = try Figure3(.quick)
    try figure.run { _, _ in true }
    #expect(figure.isComplete)
    let snapshots = try #require(figure.json["snapshots"] as? [[String: Any]])
    #expect(snapshots.count == 7)
    let returns = snapshots.compactMap { $0["meanReturn"] as? Double }
    #expect(returns[2] > returns[0] && returns[6] > returns[4])
    // 20 iterations are enough for the boom to come to the goal, 0, in what is imagined and on the machine: 5 degrees.
    #expect(abs(try #require(snapshots[2]["lastAngle"] as? Double)) < 0.0873)
    #expect(abs(try #require(snapshots[2]["lastAngleOnPlant"] as? Double)) < 0.0873)
    let folder = try Scratch.folder()
    let page = try String(
      contentsOfFile: try #require(try figure.write(to: folder)), encoding: .utf8)
    #expect(page.contains("The paper shows") && page.contains("autodiff + exact GP: 10 iterations"))
    let rows = try String(contentsOfFile: folder + "/figure3.csv", encoding: .utf8)
      .split(separator: "\n")
    #expect(rows.count == 1 + 7 * 301)
  }
}

@Suite("figure 4")
struct Figure4Tests {
  @Test("a policy learnt from two speeds follows the reference, and the page shows it")
  func reference() throws {
    var figure = Figure4(Figure4Options())
    try figure.run { _, _ in true }
    let steps = try #require(figure.json["steps"] as? Int)
    let successes = try #require(figure.json["stepSuccesses"] as? Int)
    // Of nine; one may be missed on another machine's rounding.
    #expect(steps == 9 && successes >= 8)
    let folder = try Scratch.folder()
    let page = try String(
      contentsOfFile: try #require(try figure.write(to: folder)), encoding: .utf8)
    #expect(page.contains("at two openings of the valve (0.1, 0.21)"))
    #expect(Report.gnuplotPath == nil || page.components(separatedBy: "<svg").count == 3)
    let rows = try String(contentsOfFile: folder + "/figure4.csv", encoding: .utf8)
      .split(separator: "\n")
    #expect(rows.count == 1 + 1_601 + 3_201)
  }
}

@Suite("figure 5")
struct Figure5Tests {
  @Test("a peer's lines stand beside what was measured")
  func peers() throws {
    let folder = try Scratch.folder()
    let path = folder + "/peers.jsonl"
    let line = """
      {"peer": "peer 1.0", "particles": 1000, "horizon": 300, "layers": [8, 8], "n": 2200, "grid": null, \
      "device": "cpu", "caching_seconds": 0.2, "seconds_per_iteration": 12.5, "gpu_mib": null, "peak_mib": 2000}
      """
    try (line + "\n").write(toFile: path, atomically: true, encoding: .utf8)
    var options = Figure5Options()
    options.peers = try PeerCost.read(path)
    let page = try String(
      contentsOfFile: try #require(try Figure5(options, program: "none").write(to: folder)),
      encoding: .utf8)
    #expect(page.contains("<td>peer 1.0, CPU, LOVE</td><td>1000, 300, [8, 8]</td><td>12.5</td>"))
    // On another number of transitions it is no peer.
    options.points = 300
    #expect(throws: ReproductionError.self) { try Figure5(options, program: "none") }
    try "no line".write(toFile: path, atomically: true, encoding: .utf8)
    do {
      _ = try PeerCost.read(path)
      Issue.record("nonsense was read")
    } catch { #expect("\(error)".contains(":1") && "\(error)".contains("seconds_per_iteration")) }
  }
}

@Suite("cart-pole beside MC-PILCO's way")
struct CartPoleSwingUpTests {
  @Test("both methods run their loop and have their row")
  func quick() throws {
    let folder = try Scratch.folder()
    var options = CartPoleOptions.quick
    options.folder = folder
    var figure = CartPoleSwingUp(options)
    try figure.run { _, _ in true }
    #expect(figure.isComplete)
    let methods = try #require(figure.json["methods"] as? [[String: Any]])
    #expect(methods.map { $0["loops"] as? Int } == [1, 1])
    // Three searches beside one, of 20 iterations.
    #expect(methods.map { $0["iterations"] as? [Int] } == [[60], [20]])
    let page = try String(
      contentsOfFile: try #require(try figure.write(to: folder)), encoding: .utf8)
    #expect(page.contains("MC-PILCO style") && page.contains("dropout"))
  }

  @Test("an interrupted comparison says that it is not complete")
  func interrupted() throws {
    var options = CartPoleOptions.quick
    options.folder = try Scratch.folder()
    var figure = CartPoleSwingUp(options)
    try figure.run { _, _ in false }
    #expect(!figure.isComplete)
  }
}

@Suite("figures of a user's own logs")
struct OwnLogsTests {
  @Test("figures 2 to 4 take a log with columns of its own and a derived rate")
  func ownColumns() throws {
    let folder = try Scratch.folder()
    let path = folder + "/excavator.csv"
    // The boom driven by hand, as another machine would log it: every other row, other names, no rate.
    var boom = try ControlTask("boom")
    boom.exploration.seconds = 40
    let episode = try boom.trainingEpisodes()[0]
    let rows = stride(from: 0, to: episode.count, by: 2).map { k in
      "\(Double(k) * 0.05),\(episode.states[k][0] + 1),\(episode.actions[k][0])"
    }
    try (["time,stick,joystick"] + rows).joined(separator: "\n")
      .write(toFile: path, atomically: true, encoding: .utf8)
    let logs = OwnLogs(
      files: [path], states: ["stick"], units: "rad", action: "joystick", timeStep: 0.1)

    var second = Figure2Options.quick
    (second.trials, second.logs) = (1, logs)
    var figure2 = try Figure2(second)
    try figure2.run { _, _ in true }
    #expect(figure2.isComplete)
    // Of 151: from a tenth of the way to the middle.
    #expect(try #require(figure2.json["bestReturn"] as? Double) > 60)

    var third = Figure3Options.quick
    (third.exactStages, third.logs) = ([1], logs)
    var figure3 = try Figure3(third)
    try figure3.run { _, _ in true }
    let page3 = try String(
      contentsOfFile: try #require(try figure3.write(to: folder)), encoding: .utf8)
    #expect(page3.contains("excavator.csv") && !page3.contains("on the machine</text>"))

    var fourth = Figure4Options()
    fourth.logs = logs
    var figure4 = Figure4(fourth)
    try figure4.run { _, _ in true }
    let errors = try #require(figure4.json["imaginedErrors"] as? [Double])
    // Two degrees at the end of all steps but one or two.
    #expect(errors.count == 9 && errors.count { $0 < 0.035 } >= 7, "\(errors)")
    let page4 = try String(
      contentsOfFile: try #require(try figure4.write(to: folder)), encoding: .utf8)
    #expect(page4.contains("imagined only") && page4.contains("goal (deg)"))
    let header = try String(contentsOfFile: folder + "/figure4.csv", encoding: .utf8)
      .prefix { $0 != "\n" }
    #expect(header == "part,time_s,stick_rad,joystick,lowest_rad,mean_rad,highest_rad")
  }

  @Test("commands beyond [-1, 1] are refused with file and value")
  func percent() throws {
    let path = try Scratch.folder() + "/percent.csv"
    let rows = (0..<60).map {
      "\(0.1 * Double($0)),\(sin(0.2 * Double($0))),\(80 * cos(0.2 * Double($0)))"
    }
    try (["time,stick,joystick"] + rows).joined(separator: "\n")
      .write(toFile: path, atomically: true, encoding: .utf8)
    var options = Figure4Options()
    options.logs = OwnLogs(files: [path], states: ["stick"], action: "joystick", timeStep: 0.1)
    var figure = Figure4(options)
    let error = #expect(throws: LogError.self) { try figure.run { _, _ in true } }
    #expect("\(error as Any)".contains("percent") && "\(error as Any)".contains("[-1, 1]"))
  }
}

@Suite("a figure's files")
struct FigureFilesTests {
  @Test("an earlier run's page, numbers and pictures are moved away together")
  func earlier() throws {
    let folder = try Scratch.folder()
    for name in ["figure4.html", "figure4.csv", "figure4-1.png", "figure4-9.png", "notes.txt"] {
      try name.write(toFile: folder + "/" + name, atomically: true, encoding: .utf8)
    }
    var figure = Figure4(Figure4Options())
    try figure.run { _, _ in true }
    let page = try #require(try figure.write(to: folder, isQuick: true))
    #expect(
      try String(contentsOfFile: page, encoding: .utf8).contains("its figures are not meaningful"))
    let files = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
    #expect(files == ["figure4.csv", "figure4.html", "figure4.old-1", "notes.txt"])
    let moved = try FileManager.default.contentsOfDirectory(atPath: folder + "/figure4.old-1")
    #expect(moved.count == 4)
  }
}
