// SPDX-License-Identifier: Apache-2.0
// bagel judge: new logs against the model that there is. Has the machine changed?

import ArgumentParser
import Bagel
import Foundation

struct JudgeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Replay new logs through the watch: has the machine changed?",
    discussion: """
      Every row of the logs is judged as `bagel run` would have: states beyond the data, frozen sensors, and what the current
      model does not explain. Nothing is learnt. Exit code 2 if anything was found.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @Option(parsing: .upToNextOption, help: "CSV logs of the machine.") var log: [String]
  @OptionGroup var common: CommonOptions

  /// Findings of a log that are said.
  private static let mostLines = 10

  func validate() throws {
    if log.isEmpty { throw ValidationError("--log names the logs to judge") }
  }

  func run() throws {
    let console = Console(json: common.json)
    let task = try taskArgument.load(seed: common.seed)
    let folder = try common.folder(for: task)
    let model = try readModel(folder + "/model.safetensors", for: task)
    let (watch, gaps) = try task.runWatch(of: task.policyDescription(on: model), in: folder)
    for gap in gaps { console.say("  \(gap)") }
    var logs: [[String: Any]] = []
    var all: [WatchFinding] = []
    for path in log {
      var findings: [WatchFinding] = []
      var (rows, judged) = (0, 0)
      for episode in try task.layout.episodes(from: [path], needsExcitation: false) {
        var watch = watch
        findings += episode.measuredRows(task.layout).flatMap { watch.findings($0) }
        rows += episode.count
        judged += watch.judgedRows
      }
      let counts = Dictionary(grouping: findings, by: \.matter).mapValues(\.count)
      let words = WatchedMatter.allCases.compactMap { matter in
        counts[matter].map { "\(matter.rawValue) \($0)" }
      }
      console.say(
        "\(path): \(counted(rows, "row")), \(judged) with innovations judged; "
          + (words.isEmpty ? "nothing found" : "found: \(words.joined(separator: ", "))"))
      for finding in findings.prefix(Self.mostLines) {
        let time = Double(finding.step) * task.layout.timeStep
        console.say("  at \(number(time)) s: \(finding.words)")
      }
      if findings.count > Self.mostLines {
        console.say("  and \(findings.count - Self.mostLines) more")
      }
      all += findings
      logs.append([
        "log": path, "rows": rows, "judged": judged,
        "counts": Dictionary(uniqueKeysWithValues: counts.map { ($0.key.rawValue, $0.value) }),
        "findings": findings.map(\.json),
      ])
    }
    let hasChanged = all.contains { $0.matter == .innovation }
    console.say(
      hasChanged
        ? "the machine or a sensor is not what the model learnt: `bagel fit` with these logs learns it anew"
        : "the model explains these logs as it explained its own")
    try console.finish(resultJSON(["logs": logs, "changed": hasChanged]))
    if !all.isEmpty { throw notSolved }
  }
}
