// SPDX-License-Identifier: Apache-2.0
// `bagel fit --log` without a task file: the options as a task of channels alone.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Policies
import SafeText
import Tasks

extension FitCommand {
  /// A task for a fit only, without reward or goal, and the episodes of its logs, which are read once: one may be a pipe.
  func taskFromOptions(_ console: Console) throws -> (ControlTask, [Episode]) {
    var task = ControlTask()
    task.name = "log"
    (task.model.choice.fixed, task.model.choice.purpose) = ([], .forecasts)
    task.logs = log.map(logOptions.source)
    task.heldOutLogs = heldOut.map(logOptions.source)
    let turns = try angleTurns()
    var layout = LogLayout(
      states: columnNames(states ?? "").map { name in
        var channel = Channel(name: name, units: turns[name]?.units ?? "")
        channel.turn = turns[name]?.turn
        return channel
      },
      actions: columnNames(actions ?? "").map { Channel(name: $0) }, timeStep: timeStep ?? 0)
    layout.disturbances = columnNames(disturbances ?? "").map {
      Disturbance(Channel(name: $0))
    }
    logOptions.apply(to: &layout)
    task.setChannels(of: layout)
    let files = try readLogs(task)
    let (derived, words) = ratesToDerive(task.layout.states.map(\.name), files)
    for name in derived {
      let units = turns[name].map { $0.units + "/s" } ?? ""
      task.states.append(
        StateChannel(
          Channel(name: name + "_rate", units: units, source: .rate(of: name, filterTime: 0))))
    }
    let episodes = try task.layout.episodes(in: files)
    console.say(words)
    return (task, episodes)
  }

  private func readLogs(_ task: ControlTask) throws -> [LogFile] {
    let bar = ProgressBar("reading")
    defer { bar.finish() }
    return try task.logs.enumerated().map { index, log in
      try LogFile(log, layout: task.layout) { fraction in
        bar.update(
          (Double(index) + fraction) / Double(task.logs.count),
          URL(fileURLWithPath: log.path).lastPathComponent)
      }
    }
  }

  /// Full turns by name, of --angles theta,yaw:deg.
  private func angleTurns() throws -> [String: (turn: Double, units: String)] {
    var result: [String: (turn: Double, units: String)] = [:]
    for word in columnNames(angles ?? "") {
      let parts = word.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        .map(String.init)
      let (name, units) = (parts[0], parts.count > 1 ? parts[1] : "rad")
      guard columnNames(states ?? "").contains(name) else {
        throw ValidationError("--angles names '\(name)', which is not among --states")
      }
      guard let turn = fullTurn(units: units) else {
        throw ValidationError(
          "--angles \(word): units of an angle are rad, deg, mrad, turns or gon")
      }
      result[name] = (turn, units)
    }
    return result
  }

  /// The states whose rates are derived, and a sentence about them.
  private func ratesToDerive(_ states: [String], _ files: [LogFile]) -> ([String], String) {
    func list(_ names: [String]) -> String { names.map { "'\($0)'" }.joined(separator: ", ") }
    switch rates {
    case "none": return ([], "no rates are derived (--rates none)")
    case "auto":
      let measured = MeasuredRates(among: states, in: files).rateOf
      let known = states.filter { measured[$0] != nil }.map {
        "'\(measured[$0] ?? "")' is the rate of '\($0)'"
      }
      let derived = states.filter {
        measured[$0] == nil && !measured.values.contains($0) && !states.contains($0 + "_rate")
      }
      let words =
        derived.isEmpty
        ? "no rates are derived"
        : "rates derived by backward differences: of \(list(derived)) (--rates none leaves them out)"
      return (derived, ([words] + known).joined(separator: "; "))
    default:
      let derived = columnNames(rates)
      return (derived, "rates derived by backward differences: of \(list(derived))")
    }
  }
}
