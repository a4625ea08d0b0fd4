// SPDX-License-Identifier: Apache-2.0
// What a report states, draws and says of failures: pages of episodes made by hand, and those of the real binary. Nothing in a name may
// become HTML, script or a command of gnuplot.

import Bagel
import Execution
import Foundation
import MachineLogs
import Tasks
import TestSupport
import Testing

/// Two states of which the first is judged: within 0.05 m of its goal from 1 s on.
private let yaml = """
  name: cart
  timeStep: 0.1
  states: [{name: x, units: m}, {name: v, units: m/s}]
  actions: [{name: u, limits: [-1, 1]}]
  plant: boom
  policy: {layers: [6, 4]}
  reward: {quadratic: {weights: [1, 1]}}
  start: [0, 0]
  goal: [0, 0]
  evaluate: {episodes: 4, seconds: 3, tolerance: 0.05, settle: 1}
  """

private typealias Goal = ControlTask.EvaluationOptions.ScheduledGoal

/// From a start to an end within half a second.
private func episode(from start: Double, to end: Double, rows: Int = 31) -> Episode {
  Episode(
    name: "made", timeStep: 0.1,
    states: (0..<rows).map { [start + (end - start) * min(Double($0) / 5, 1), 0] },
    actions: (0..<rows).map { [0.01 * Double($0)] })
}

@Suite("reports")
struct ReportTests {
  private func task(_ change: (String) -> String = { $0 }) throws -> ControlTask {
    try ControlTask(yaml: change(yaml), file: "cart.yaml", folder: ".")
  }

  private func report(_ task: ControlTask, _ episodes: [EvaluatedEpisode]) -> Report {
    var description = task.policyDescription
    description.sampler = "tabulated, 7 x 7 points"
    return Report(
      task: task, evaluation: Evaluation(episodes: episodes),
      origin: ReportOrigin(
        seed: 41, model: "0123456789abcdef", policy: "fedcba9876543210", description: description,
        policyFile: "cart-out/policy.safetensors", spread: 0.25,
        date: Date(timeIntervalSince1970: 0)))
  }

  private func panels(_ page: ReportPage) -> [ReportPage.Panel] {
    page.sections.flatMap(\.blocks).flatMap { block -> [ReportPage.Panel] in
      if case .panels(let panels, _, _) = block { panels } else { [] }
    }
  }

  @Test("the head states version, date, seed, policy, plant, variation, sampler, episodes")
  func facts() throws {
    let task = try task()
    let made = EpisodeJudge(task).judge(
      episode(from: -1, to: 0), goals: [Goal(time: 0, goal: [0, 0])])
    let html = report(task, [made]).page.html(nil).text
    for words in [
      "1970-01-01 00:00:00 UTC, by BAGEL \(bagelVersion)", "<td>seed</td><td>41</td>",
      "cart-out/policy.safetensors; network, 2 hidden layers of 6 and 4 units",
      "boom, simulated by BAGEL", "each parameter within 25 % of its value",
      "tabulated, 7 x 7 points",
      "<td>episodes</td><td>1</td>", "model 0123456789abcdef; policy fedcba9876543210",
      "cart.yaml",
    ] {
      #expect(html.contains(words), "\(words)")
    }
  }

  @Test("each start and goal has its panel; alike ones share theirs; a failed one says why")
  func startsApart() throws {
    let task = try task()
    let goals = [Goal(time: 0, goal: [0, 0])]
    let held = EpisodeJudge(task).judge(episode(from: -1, to: 0), goals: goals)
    let alike = EpisodeJudge(task).judge(episode(from: -1.005, to: 0), goals: goals)
    let missed = EpisodeJudge(task).judge(episode(from: 0.5, to: 0.2), goals: goals)
    let other = EpisodeJudge(task).judge(
      episode(from: -1, to: 1), goals: [Goal(time: 0, goal: [1, 0])])
    let page = report(task, [held, alike, missed, other]).page
    let shown = panels(page)
    // Three of x, and their commands.
    #expect(shown.count == 6)
    #expect(
      shown.prefix(3).map(\.plot.title) == ["about -1 m to 0 m", "0.5 m to 0 m", "-1 m to 1 m"])
    #expect(shown.prefix(3).map(\.mood) == [.good, .bad, .good])
    #expect(shown[0].caption == "episodes 1, 2: 2 of 2 succeed")
    #expect(shown[1].caption == "episode 3: fails; x is up to 0.2 m from 0 m")
    #expect(shown[1].plot.curves.last?.name == "this policy, fails")
    // On the same axes, so that they can be compared.
    #expect(Set(shown.prefix(3).map(\.plot.yRange)).count == 1 && shown[0].plot.yRange != nil)
    #expect(shown[0].plot.curves.map(\.name).filter { $0.hasPrefix("this policy") }.count == 2)
    let html = page.html(nil).text
    #expect(html.contains("<li>episode 3, goal from 0 s: x is up to 0.2 m from 0 m</li>"))
    // What begins alike and wants the same needs none.
    #expect(panels(report(task, [held, alike]).page).isEmpty)
  }

  @Test("a reference of several goals has a panel for each, from its switch on")
  func goalsApart() throws {
    let task = try task()
    let goals = [Goal(time: 0, goal: [0, 0]), Goal(time: 3, goal: [1, 0])]
    let (first, second) = (episode(from: -1, to: 0, rows: 30), episode(from: 0, to: 0.8))
    let whole = Episode(
      name: "made", timeStep: 0.1, states: first.states + second.states,
      actions: first.actions + second.actions)
    let shown = panels(report(task, [EpisodeJudge(task).judge(whole, goals: goals)]).page)
    #expect(shown.count == 4)
    #expect(shown.prefix(2).map(\.plot.title) == ["-1 m to 0 m", "0 m to 1 m"])
    #expect(shown[1].caption == "goal 2, from 3 s: fails; x is up to 0.2 m from 1 m")
    let own = shown[1].plot.curves.last
    #expect(own?.x.first == 0 && own?.y.last == 0.8)
    // A command's last row before a switch is not the next goal's first.
    #expect(shown[2].plot.curves.last?.x.count == 30)
    // Of several episodes the one that failed is told apart.
    let again = episode(from: 0, to: 1)
    let held = Episode(
      name: "made", timeStep: 0.1, states: first.states + again.states,
      actions: first.actions + again.actions)
    let both = panels(
      report(task, [whole, held].map { EpisodeJudge(task).judge($0, goals: goals) }).page)
    #expect(both.prefix(2).map(\.plot.title) == ["to 0 m", "to 1 m"])
    #expect(
      both[1].caption
        == "goal 2, from 3 s: 1 of 2 succeed; episode 1, x is up to 0.2 m from 1 m")
    #expect(
      both[1].plot.curves.suffix(2).map(\.name)
        == ["this policy, episode 1, fails", "this policy, episode 2"])
  }

  @Test("an episode that ended early, chattered or missed a measure says so")
  func reasons() throws {
    let task = try task()
    let goals = [Goal(time: 0, goal: [0, 0])]
    let ended = EpisodeJudge(task).judge(
      episode(from: -1, to: 0, rows: 8), goals: goals, earlyEnd: "x left its limits")
    var shaking = episode(from: -1, to: 0)
    shaking.actions = shaking.actions.indices.map { [$0 % 2 == 0 ? 0.4 : -0.4] }
    let reasons = Evaluation(episodes: [ended, EpisodeJudge(task).judge(shaking, goals: goals)])
      .reasons(task)
    #expect(
      reasons == [
        "episode 1, x left its limits",
        "episode 2, goal from 0 s: commands change by 0.8 per step on average, not below 0.1",
      ])
    let measured = try self.task {
      $0.replacingOccurrences(
        of: "tolerance: 0.05, settle: 1", with: "success: [{measure: abs(x), below: 0.1}]")
    }
    let missed = Evaluation(episodes: [
      EpisodeJudge(measured).judge(episode(from: -1, to: 0.5), goals: goals)
    ])
    #expect(
      missed.reasons(measured) == ["episode 1, goal from 0 s: abs(x) is up to 0.5, not below 0.1"])
  }

  @Test("other controllers stand beside it: a row of figures each, and a curve in each panel")
  func beside() throws {
    let task = try task()
    let goals = [Goal(time: 0, goal: [0, 0])]
    func evaluation(_ end: Double) -> Evaluation {
      Evaluation(
        episodes: [-1.0, 1].map {
          EpisodeJudge(task).judge(episode(from: $0, to: end), goals: goals)
        })
    }
    var report = report(task, evaluation(0.01).episodes)
    report.meanReturn = -3
    report.others = [
      ComparedController(
        .pid, name: "PID controller", evaluation: evaluation(0.04), meanReturn: -5),
      ComparedController(
        .former, name: "former policy, version 2", evaluation: evaluation(0.3), meanReturn: nil),
    ]
    let page = report.page
    let rows = page.sections[0].blocks.compactMap { block -> [[String]]? in
      if case .table(let head, let rows) = block, head.first == "controller" {
        rows.map { $0.map(\.text) }
      } else {
        nil
      }
    }.first
    #expect(
      rows == [
        ["this policy", "-3", "2 of 2", "0.01", "0.01", "0.4", "0.01"],
        ["PID controller", "-5", "2 of 2", "0.04", "0.04", "0.4", "0.01"],
        ["former policy, version 2", "-", "0 of 2", "0.3", "0.3", "0.3", "0.01"],
      ])
    let names = panels(page)[0].plot.curves.map(\.name)
    #expect(
      names == ["tolerance", "goal", "PID controller", "former policy, version 2", "this policy"])
  }

  @Test("a stored page is the same page; one that nobody wrote is refused")
  func storedPages() throws {
    let task = try task()
    let made = [-1.0, 1].map {
      EpisodeJudge(task).judge(episode(from: $0, to: 0.03), goals: [Goal(time: 0, goal: [0, 0])])
    }
    let path = Scratch.path("report.html")
    try report(task, made).write(to: path)
    let data = ReportPage.dataPath(of: path)
    let page = try #require(try ReportPage.read(data))
    #expect(page == report(task, made).page)
    #expect(try page.html(nil).text == String(contentsOfFile: path, encoding: .utf8))
    let text = try String(contentsOfFile: data, encoding: .utf8)
    // A colour goes into gnuplot's script as it is.
    for (from, to) in [
      ("#d1661f", "#d1661f' ; system('touch evil') #"), ("bagel-report-1", "bagel-report-0"),
      ("\"height\":240", "\"height\":1"), ("\"x\":[0,", "\"x\":["),
    ] {
      #expect(text.contains(from), "\(from)")
      try text.replacingOccurrences(of: from, with: to)
        .write(toFile: data, atomically: true, encoding: .utf8)
      #expect(throws: LogError.self, "\(to)") { try ReportPage.read(data) }
    }
  }

  @Test("names stay texts: in HTML, in the pictures and in the numbers beside them")
  func hostileNames() throws {
    var text = HostileText(seed: 77)
    for index in 0..<6 {
      let name = "<script>alert(\(index))</script></script><!--" + text.name()
      var task = try task()
      task.name = name
      task.states[0].channel.name = name
      task.states[0].channel.units = "</title>\"'><img src=x onerror=alert(1)>"
      task.actions[0].channel.name = name + "'`;"
      let made = [-1.0, 1].map {
        EpisodeJudge(task).judge(episode(from: $0, to: 0.3), goals: [Goal(time: 0, goal: [0, 0])])
      }
      let page = report(task, made).page
      let (html, failure) = page.html(nil)
      let plots = page.sections.flatMap(\.blocks).flatMap(\.plots).count
      #expect(!html.contains("<script>alert") && !html.contains("<img"))
      // Each picture's numbers, and the page's own script at the end, which its head allows by its hash.
      let scripts = html.components(separatedBy: "<script").count - 1
      #expect(
        scripts == (Report.gnuplotPath == nil ? 0 : plots) + 1, "\(failure.map { "\($0)" } ?? "")")
      #expect(html.components(separatedBy: "</script>").count - 1 == scripts)
      #expect(html.contains("script-src 'sha256-") && !html.contains("unsafe-eval"))
    }
  }

  @Test("a pointer is told the numbers that were drawn, where gnuplot drew them")
  func pointer() throws {
    guard Report.gnuplotPath != nil else { return print("skipped: no gnuplot") }
    var plot = Plot(title: "t", xLabel: "time (s)", yLabel: "x (m)")
    plot.hasLogarithmicY = true
    plot.curves = [
      .init(
        title: "line", style: .lines(color: "#112233", width: 1), x: [0, 0.5, 2],
        y: [1, 31.25, 1_000])
    ]
    let (element, axes) = try plot.svg()
    let known = try #require(axes)
    let numbers = try #require(plot.data(known))
    let data = try #require(
      try JSONSerialization.jsonObject(with: Data(numbers.utf8)) as? [String: Any])
    let curve = try #require((data["curves"] as? [[String: Any]])?.first)
    #expect(
      curve["x"] as? [Double] == [0, 0.5, 2] && curve["y"] as? [Double] == [1, 31.25, 1_000])
    #expect(data["log"] as? [Bool] == [false, true])
    // The middle point, by the axes, is in the picture's path (two decimals of a pixel).
    let box = try #require(data["box"] as? [Double])
    let range = try #require(data["range"] as? [Double])
    let x = box[0] + 0.5 / (range[1] - range[0]) * (box[1] - box[0])
    let part =
      (Foundation.log10(31.25) - Foundation.log10(range[2]))
      / (Foundation.log10(range[3]) - Foundation.log10(range[2]))
    let y = box[3] - part * (box[3] - box[2])
    let points = element.components(separatedBy: CharacterSet(charactersIn: " \n'ML"))
      .compactMap { word -> (Double, Double)? in
        let pair = word.split(separator: ",").compactMap { Double($0) }
        return pair.count == 2 ? (pair[0], pair[1]) : nil
      }
    #expect(points.contains { abs($0.0 - x) < 0.02 && abs($0.1 - y) < 0.02 }, "\(x) \(y)")
  }
}
