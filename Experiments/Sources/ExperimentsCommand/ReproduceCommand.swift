// SPDX-License-Identifier: Apache-2.0
// bagel reproduce FIGURE: repeats the paper's experiments with its baselines.

import ArgumentParser
import Bagel
import BagelCommand
import Foundation
import Reproduction

struct ReproduceCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "reproduce",
    abstract: ExperimentsProgram.reproduceAbstract,
    discussion: """
      figure2    return against time, every method            75 min on two cores
      figure3    what policies imagine in training             2 min
      figure4    one policy for every goal                     5 s
      figure5    seconds and memory of an iteration            3 min
      cart-pole  the loop of MC-PILCO beside BAGEL's          15 min
      all        these, one after another

      Ctrl-C stops after the running part; the page shows what is missing. The numbers are in a CSV file beside the page.
      """)

  enum Figure: String, CaseIterable, ExpressibleByArgument {
    case figure2
    case figure3
    case figure4
    case figure5
    case cartPole = "cart-pole"
    case all
  }

  @Argument(help: "Figure to reproduce: one of those listed above.")
  var figure: Figure

  @Flag(
    help:
      "A smoke test of half a minute; its figures are not meaningful (figure4 is the same with it)."
  )
  var quick = false

  @Option(help: "Searches per method for figure2 (default: 16), loops for cart-pole (default: 5).")
  var trials: Int?

  @Option(help: "Time of each search of the slow methods of figure2, in seconds (default: 60).")
  var budget: Double?

  @Option(
    parsing: .upToNextOption,
    help:
      "CSV logs of your own machine with one joint, instead of the simulated boom (figures 2 to 4)."
  )
  var log: [String] = []

  @Option(
    help:
      "With --log: the joint's column, or the columns of its position and rate, separated by a comma (default: angle,rate)."
  )
  var states: String?

  @Option(
    help:
      "With --log: the unit of the joint's position, such as rad, for axes and tables (rad is shown in degrees)."
  )
  var units: String?

  @Option(help: "With --log: the column of the command in [-1, 1] (default: valve).")
  var actions: String?

  @Option(
    help:
      "With --log: seconds between rows; logs with other time stamps are resampled (the simulated boom: 0.05)."
  )
  var timeStep: Double?

  @Option(
    help: """
      With --log, in figure4: number of pseudo-measurements in which a command of zero holds the joint, for logs in which \
      it never rests (default: 0).
      """)
  var restPseudoData: Int?

  @Option(
    help: "File with the output of Benchmarks/gpytorch_iteration.py, to compare with in figure5.")
  var peers: String?

  @Flag(help: "Write each picture as a PNG file too.")
  var png = false

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let trials, !(1...1_000).contains(trials) {
      throw ValidationError("--trials must be from 1 to 1000")
    }
    if let budget, !(budget > 0 && budget <= 1e6) {
      throw ValidationError("--budget must be positive and at most 1,000,000 (seconds)")
    }
    guard (1...2).contains(stateNames.count), actionNames.count == 1 else {
      throw ValidationError("--states needs one column or two, --actions one")
    }
    if let timeStep, !(timeStep > 0 && timeStep.isFinite) {
      throw ValidationError("--time-step must be a positive number of seconds")
    }
    if Set(log).count < log.count { throw ValidationError("a file occurs twice in --log") }
    if stateNames.contains(actionNames[0]) {
      throw ValidationError("--states and --actions name the same column")
    }
    if !log.isEmpty && timeStep == nil { throw ValidationError("--log needs --time-step too") }
    if let restPseudoData, !(0...10_000).contains(restPseudoData) {
      throw ValidationError("--rest-pseudo-data must be from 0 to 10000")
    }
    let describesLogs =
      states != nil || units != nil || actions != nil || timeStep != nil || restPseudoData != nil
    if log.isEmpty && describesLogs {
      throw ValidationError(
        "--states, --units, --actions, --time-step and --rest-pseudo-data describe logs: give --log too"
      )
    }
    try check("--log", isGiven: !log.isEmpty, isFor: [.figure2, .figure3, .figure4])
    try check("--rest-pseudo-data", isGiven: restPseudoData != nil, isFor: [.figure4])
    try check("--trials", isGiven: trials != nil, isFor: [.figure2, .cartPole])
    try check("--budget", isGiven: budget != nil, isFor: [.figure2])
    try check("--peers", isGiven: peers != nil, isFor: [.figure5])
  }

  /// Refuses an option that the figure has no use for.
  private func check(_ option: String, isGiven: Bool, isFor figures: [Figure]) throws {
    guard isGiven, figure != .all, !figures.contains(figure) else { return }
    let names = figures.map(\.rawValue).joined(separator: ", ")
    throw ValidationError("\(option) does not apply to \(figure.rawValue), only to \(names)")
  }

  func run() throws {
    let console = Console(common)
    if png && !Plot.drawsPNG {
      throw OutputError(
        "--png needs gnuplot with its terminal pngcairo (apt-get install gnuplot-nox)")
    }
    let folder = try common.folder(at: "reproduce-out")
    InterruptSignal.watch()
    guard figure == .all else {
      return try console.finish(resultJSON(try reproduce(figure, folder, console)))
    }
    var results: [String: Any] = [:]
    for figure in Figure.allCases where figure != .all {
      results[figure.rawValue] = try reproduce(figure, folder, console)
    }
    try console.finish(resultJSON(results))
  }

  /// Runs a figure and writes its page; returns its numbers.
  private func reproduce(
    _ figure: Figure, _ folder: String, _ console: Console
  ) throws -> [String: Any] {
    let bar = ProgressBar(figure.rawValue)
    defer { bar.finish() }
    var result = try make(figure, folder)
    let path: String?
    do {
      var failure: (any Error)?
      do {
        try result.run { fraction, what in
          bar.update(fraction, what)
          return !InterruptSignal.wasRaised
        }
      } catch { failure = error }
      bar.finish()
      // Figure 4 is never small.
      path = try result.write(to: folder, png: png, isQuick: quick && figure != .figure4)
      if let failure {
        if let path { console.say("\(path) contains the measurements made before this error:") }
        throw failure
      }
    } catch let error as NSError where error.domain == NSCocoaErrorDomain {
      throw OutputError(
        "cannot write \(error.userInfo[NSFilePathErrorKey] ?? "\(folder)/\(figure.rawValue).*")")
    }
    guard result.isComplete else {
      throw Interruption(
        description: "interrupted; "
          + (path.map { "\($0) contains the results so far" } ?? "there is no page yet"))
    }
    if let path { console.say("page: \(path)") }
    return result.json
  }

  private func make(_ figure: Figure, _ folder: String) throws -> any ReproducedFigure {
    switch figure {
    case .figure2:
      var options = quick ? Figure2Options.quick : Figure2Options()
      if let trials { options.trials = trials }
      if let budget { options.slowBudget = budget }
      (options.logs, options.seed) = (ownLogs, common.seed)
      return try Figure2(options)
    case .figure3:
      var options = quick ? Figure3Options.quick : Figure3Options()
      (options.logs, options.seed) = (ownLogs, common.seed)
      return try Figure3(options)
    case .figure4:
      var options = Figure4Options()
      (options.logs, options.seed) = (ownLogs, common.seed)
      return Figure4(options)
    case .figure5:
      var options = quick ? Figure5Options.quick : Figure5Options()
      if let peers { options.peers = try PeerCost.read(peers) }
      options.seed = common.seed
      return try Figure5(
        options, program: Bundle.main.executablePath ?? ProcessInfo.processInfo.arguments[0])
    case .all: preconditionFailure("all is a list of figures")
    case .cartPole:
      var options = quick ? CartPoleOptions.quick : CartPoleOptions()
      if let trials { options.trials = trials }
      (options.folder, options.seed) = (folder, common.seed)
      return CartPoleSwingUp(options)
    }
  }

  private var stateNames: [String] { columnNames(states ?? "angle,rate") }
  private var actionNames: [String] { columnNames(actions ?? "valve") }

  private var ownLogs: OwnLogs? {
    if log.isEmpty { return nil }
    return OwnLogs(
      files: log, states: stateNames, units: units ?? "", action: actionNames[0],
      timeStep: timeStep ?? .nan, restPseudoData: restPseudoData ?? 0)
  }
}
