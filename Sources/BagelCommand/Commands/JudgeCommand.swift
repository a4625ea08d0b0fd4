// SPDX-License-Identifier: Apache-2.0
// bagel judge: compares new logs with the current model. Has the machine changed?

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Watching

struct JudgeCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "judge", abstract: "Replay new logs through the watch: has the machine changed?",
    discussion: """
      Every row of the logs is judged as in `bagel run`: states beyond the data, frozen sensors, and behaviour that the
      current model does not explain. Nothing is learnt. Exit code 2 if anything was found.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @Option(parsing: .upToNextOption, help: "Logs of the machine.") var log: [String]
  @OptionGroup(title: "How logs are written") var logOptions: LogOptions
  @OptionGroup var common: CommonOptions

  /// Findings of a log that are said.
  private static let mostLines = 10

  func validate() throws {
    if log.isEmpty { throw ValidationError("give the logs to judge with --log") }
  }

  func run() throws {
    let console = Console(common)
    var task = try taskArgument.load(seed: common.seed)
    task.changeLayout { logOptions.apply(to: &$0) }
    let folder = try common.folder(for: task)
    let model = try readModel(folder + "/model.safetensors", for: task)
    let (watch, gaps) = try task.runWatch(of: task.policyDescription(on: model), in: folder)
    for gap in gaps { console.say("  \(gap)") }
    var logs: [[String: Any]] = []
    var all: [WatchFinding] = []
    var judgedRows = 0
    for path in log {
      var found: [(time: Double, finding: WatchFinding)] = []
      var (rows, judged) = (0, 0)
      for episode in try task.layout.episodes(
        from: [logOptions.source(path)], needsExcitation: false)
      {
        // What is interpolated is not what a model says of steps.
        let isResampled = episode.reading?.isResampled == true
        var watch =
          isResampled
          ? RunWatch(
            layout: task.layout, bounds: model.stateBounds + model.loggedDisturbances.bounds)
          : watch
        if isResampled {
          console.say("\(episode.name) was resampled: its innovations are not judged")
        }
        for finding in episode.measuredRows(task.layout).flatMap({ watch.findings($0) }) {
          let time =
            episode.times.count == episode.count
            ? episode.times[finding.step] : Double(finding.step) * task.layout.timeStep
          found.append((time, finding))
        }
        rows += episode.count
        judged += watch.judgedRows
      }
      say(found, path, rows: rows, judged: judged, console)
      all += found.map(\.finding)
      judgedRows += judged
      logs.append([
        "log": path, "rows": rows, "judged": judged, "counts": counts(found.map(\.finding)),
        "findings": found.map { $0.finding.json.merging(["time": $0.time]) { $1 } },
      ])
    }
    let hasChanged = all.contains { $0.matter == .innovation }
    console.say(
      hasChanged
        ? "a sensor or the machine has changed, or the machine was outside the range of the training logs: check all three. If the new behaviour is correct, add these logs to "
          + "the task's `logs:` and run `bagel fit`"
        : judgedRows == 0
          ? "it is not known whether the machine has changed: the model judged no row"
          : all.isEmpty
            ? "the model explains these logs as well as its training logs"
            : "the rows that the model judged show no change; see the findings")
    try console.finish(
      resultJSON([
        "logs": logs, "changed": hasChanged || judgedRows > 0 ? hasChanged : NSNull(),
      ]))
    if !all.isEmpty { throw notSolved }
  }

  private func counts(_ findings: [WatchFinding]) -> [String: Int] {
    Dictionary(grouping: findings, by: \.matter.rawValue).mapValues(\.count)
  }

  /// What was found in one log.
  private func say(
    _ found: [(time: Double, finding: WatchFinding)], _ path: String, rows: Int, judged: Int,
    _ console: Console
  ) {
    let words = counts(found.map(\.finding)).sorted { $0.key < $1.key }.map { "\($0) \($1)" }
    console.say(
      "\(path): \(counted(rows, "row")), \(judged) with innovations judged; "
        + (words.isEmpty ? "nothing found" : "found: \(words.joined(separator: ", "))"))
    for (time, finding) in found.prefix(Self.mostLines) {
      console.say("  at \(number(time)) s: \(finding.words)")
    }
    if found.count > Self.mostLines { console.say("  and \(found.count - Self.mostLines) more") }
  }
}
