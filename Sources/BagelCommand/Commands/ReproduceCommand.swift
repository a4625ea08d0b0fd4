// SPDX-License-Identifier: Apache-2.0
// bagel reproduce FIGURE: the paper's experiments again, with its baselines.

import ArgumentParser
import Bagel
import Foundation
import Reproduction

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract:
      "Repeat the paper's experiments with their baselines; writes a page, pictures, numbers.")

  enum Figure: String, CaseIterable, ExpressibleByArgument {
    case figure2
    case figure3
    case figure4
    case figure5
    case cartPole = "cart-pole"
    case all
  }

  @Argument(
    help:
      "Which: figure2 (return against time, every method), figure3 (what policies imagine in training), figure4 (one policy for every goal), figure5 (seconds and memory), cart-pole (beside MC-PILCO's way), all."
  )
  var figure: Figure

  @Flag(help: "Small and short, in a minute or two: whether everything runs, not what it is worth.")
  var quick = false

  @Option(help: "Trials a method, of figure2 (default: 16) and cart-pole (default: 5).")
  var trials: Int?

  @Option(help: "Seconds of searching a trial for the slow methods of figure2 (default: 60).")
  var budget: Double?

  @Option(
    parsing: .upToNextOption,
    help:
      "CSV logs of a machine of yours, of one joint, in place of the simulated boom (figures 2 to 4)."
  )
  var log: [String] = []

  @Option(
    help: "Of --log: the joint's column, or those of position and rate, separated by a comma.")
  var states = "angle,rate"

  @Option(help: "Of --log: the column of the command in [-1, 1].")
  var actions = "valve"

  @Option(help: "Of --log: seconds between rows; other stamps are resampled.")
  var timeStep = 0.05

  @Option(
    help: "Lines that Benchmarks/gpytorch_iteration.py printed, to stand beside ours in figure5.")
  var peers: String?

  @Flag(help: "Write each picture as a PNG file too.")
  var png = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let trials, !(1...1_000).contains(trials) {
      throw ValidationError("--trials is from 1 to 1000")
    }
    if let budget, !(budget > 0 && budget <= 1e6) {
      throw ValidationError("--budget is in seconds, positive and at most 1,000,000")
    }
    guard (1...2).contains(stateNames.count), !actions.isEmpty, !actions.contains(",") else {
      throw ValidationError("--states is one column or two, --actions one")
    }
    guard timeStep > 0, timeStep.isFinite else {
      throw ValidationError("--time-step must be a positive number of seconds")
    }
    if !log.isEmpty && (figure == .figure5 || figure == .cartPole) {
      throw ValidationError("\(figure.rawValue) has no use for --log; figure2, figure3, figure4 do")
    }
  }

  func run() throws {
    let console = Console(json: common.json)
    let folder = try common.folder(named: "reproduce-out")
    InterruptSignal.watch()
    let figures = figure == .all ? Figure.allCases.filter { $0 != .all } : [figure]
    var results: [String: Any] = [:]
    for figure in figures { results[figure.rawValue] = try reproduce(figure, folder, console) }
    try console.finish(merge(self.figure == .all ? results : only(results)))
  }

  private var stateNames: [String] {
    states.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
  }

  private var ownLogs: OwnLogs? {
    log.isEmpty
      ? nil : OwnLogs(files: log, states: stateNames, action: actions, timeStep: timeStep)
  }

  /// The one result there is.
  private func only(_ results: [String: Any]) -> [String: Any] {
    results.values.first as? [String: Any] ?? [:]
  }

  /// Writes a figure's page; returns its numbers.
  private func reproduce(
    _ figure: Figure, _ folder: String, _ console: Console
  ) throws -> [String: Any] {
    switch figure {
    case .figure2: try figure2(folder, console)
    case .figure3: try figure3(folder, console)
    case .figure4: try figure4(folder, console)
    case .figure5: try figure5(folder, console)
    case .cartPole: try cartPole(folder, console)
    case .all: [:]
    }
  }

  private func figure2(_ folder: String, _ console: Console) throws -> [String: Any] {
    var options = quick ? Figure2Options.quick : Figure2Options()
    if let trials { options.trials = trials }
    if let budget { options.slowBudget = budget }
    options.logs = ownLogs
    var result = try Figure2(options)
    let bar = ProgressBar("reproducing")
    try result.run { method, trial in
      bar.update(Double(trial) / Double(options.trials), "\(method), trial \(trial + 1)")
      return !InterruptSignal.wasRaised
    }
    bar.finish()
    return try finish(result.isComplete, result.json, console) {
      try result.write(to: folder, png: png)
    }
  }

  private func figure3(_ folder: String, _ console: Console) throws -> [String: Any] {
    var options = quick ? Figure3Options.quick : Figure3Options()
    options.logs = ownLogs
    options.seed = common.seed
    var result = try Figure3(options)
    let bar = ProgressBar("reproducing")
    try result.run { method, iteration in
      bar.update(0, "\(method), iteration \(iteration)")
      return !InterruptSignal.wasRaised
    }
    bar.finish()
    return try finish(result.isComplete, result.json, console) {
      try result.write(to: folder, png: png)
    }
  }

  private func figure4(_ folder: String, _ console: Console) throws -> [String: Any] {
    var options = Figure4Options()
    options.logs = ownLogs
    options.seed = common.seed
    let bar = ProgressBar("reproducing")
    defer { bar.finish() }
    do {
      let result = try Figure4(options) { what in
        bar.update(0, what)
        return !InterruptSignal.wasRaised
      }
      bar.finish()
      return try finish(true, result.json, console) { try result.write(to: folder, png: png) }
    } catch  where InterruptSignal.wasRaised {
      throw Interruption(description: "interrupted; nothing is written")
    }
  }

  private func figure5(_ folder: String, _ console: Console) throws -> [String: Any] {
    let program = Bundle.main.executablePath ?? ProcessInfo.processInfo.arguments[0]
    var options = quick ? Figure5Options.quick : Figure5Options()
    if let peers { options.peers = try PeerCost.read(peers) }
    var result = Figure5(options, program: program)
    let bar = ProgressBar("reproducing")
    try result.run { what in
      bar.update(0, what)
      return !InterruptSignal.wasRaised
    }
    bar.finish()
    return try finish(result.isComplete, result.json, console) {
      try result.write(to: folder, png: png)
    }
  }

  private func cartPole(_ folder: String, _ console: Console) throws -> [String: Any] {
    var options = quick ? CartPoleOptions.quick : CartPoleOptions()
    if let trials { options.trials = trials }
    var result = CartPoleSwingUp(options)
    let bar = ProgressBar("reproducing")
    try result.run(in: folder) { what in
      bar.update(0, what)
      return !InterruptSignal.wasRaised
    }
    bar.finish()
    return try finish(result.isComplete, result.json, console) {
      try result.write(to: folder, png: png)
    }
  }

  private func finish(
    _ isComplete: Bool, _ json: [String: Any], _ console: Console, write: () throws -> String
  ) throws -> [String: Any] {
    guard isComplete else { throw Interruption(description: "interrupted; nothing is written") }
    do {
      console.say("page: \(try write())")
    } catch {
      throw OutputError(description: "cannot write the page: \(error.localizedDescription)")
    }
    return json
  }
}
