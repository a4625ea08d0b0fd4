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
  }

  @Argument(help: "Which: figure2 (return against time, every method).")
  var figure: Figure

  @Flag(help: "Small and short, in a minute or two: whether everything runs, not what it is worth.")
  var quick = false

  @Option(help: "Trials a method (default: 16).")
  var trials: Int?

  @Option(help: "Seconds of searching a trial for the slow methods (default: 60).")
  var budget: Double?

  @Option(
    parsing: .upToNextOption,
    help: "CSV logs with the boom's columns, in place of the simulated boom.")
  var log: [String] = []

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if let trials, !(1...1_000).contains(trials) {
      throw ValidationError("--trials is from 1 to 1000")
    }
    if let budget, !(budget > 0 && budget <= 1e6) {
      throw ValidationError("--budget is in seconds, positive and at most 1,000,000")
    }
  }

  func run() throws {
    let console = Console(json: common.json)
    var options = quick ? Figure2Options.quick : Figure2Options()
    if let trials { options.trials = trials }
    if let budget { options.slowBudget = budget }
    options.logs = log
    let folder = try common.folder(named: "reproduce-out")
    InterruptSignal.watch()
    var result = try Figure2(options)
    let bar = ProgressBar("reproducing")
    try result.run { method, trial in
      bar.update(Double(trial) / Double(options.trials), "\(method), trial \(trial + 1)")
      return !InterruptSignal.wasRaised
    }
    bar.finish()
    guard result.isComplete else {
      throw Interruption(description: "interrupted; nothing is written")
    }
    do {
      console.say("page: \(try result.write(to: folder))")
    } catch {
      throw OutputError(description: "cannot write to \(folder): \(error.localizedDescription)")
    }
    try console.finish(merge(result.json))
  }
}
