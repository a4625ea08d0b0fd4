// SPDX-License-Identifier: Apache-2.0
// The cart-pole of MC-PILCO (Amadio et al. 2022): the whole loop of exploring, learning and driving, by BAGEL's task and by a
// search as MC-PILCO's authors set it up, over the same seeds.

import Bagel
import Foundation
import LinearAlgebra
import Tasks

/// How much of the cart-pole to run.
package struct CartPoleOptions: Sendable {
  /// Loops of each method, with different exploration, noise and policies.
  package var trials = 5
  /// Where the loops' logs, models and policies go; those of an earlier run are moved away.
  package var folder = "."
  /// Of the first loop; the next has one more.
  package var seed: UInt64 = 0
  /// Trials on the plant a loop, and iterations of each search; nil for the methods' own.
  package var episodes: Int?
  package var iterations: Int?

  package init() {}

  /// One loop of one short trial: whether everything runs, not what it is worth.
  package static var quick: CartPoleOptions {
    var options = CartPoleOptions()
    (options.trials, options.episodes, options.iterations) = (1, 1, 20)
    return options
  }
}

/// The swing-up, measured.
package struct CartPoleSwingUp: ReproducedFigure {
  /// A way to learn it.
  enum Method: CaseIterable {
    case bagel
    case mcPILCO

    var name: String {
      switch self {
      case .bagel: "BAGEL"
      case .mcPILCO: "MC-PILCO style"
      }
    }

    /// What it is here.
    var description: String {
      switch self {
      case .bagel:
        "the task <code>cart-pole</code>: 50 particles, each through a function drawn from the posterior; 200 radial basis functions; "
          + "three searches a trial, one of them from the last policy"
      case .mcPILCO:
        "400 particles with draws of their own at every step from the exact posterior, 200 radial basis functions of which a quarter "
          + "is dropped at any step (dropout), one search a trial from new parameters"
      }
    }

    /// Throws: `LogError`.
    func task() throws -> ControlTask {
      var task = try ControlTask("cart-pole")
      guard self == .mcPILCO else { return task }
      task.model.sampler.name = .exact
      task.policy.dropout = 0.25
      task.search.particles = 400
      task.search.learningRate = 0.01
      task.search.starts = 1
      task.search.iterations = 2_000
      task.learning.policy = .fresh
      return task
    }
  }

  /// A loop of a method.
  private struct Run {
    let method: Method
    let record: LoopRecord

    var computeSeconds: Double {
      record.trials.reduce(0) { $0 + $1.fitSeconds + $1.optimizeSeconds }
    }
    var iterations: Int { record.trials.reduce(0) { $0 + $1.iterations } }
  }

  private let options: CartPoleOptions
  private var runs: [Run] = []
  package let name = "cart-pole"

  package init(_ options: CartPoleOptions) { self.options = options }

  package var isComplete: Bool { runs.count == Method.allCases.count * options.trials }

  package mutating func run(_ tell: @escaping Progress) throws {
    try InteractionLoop.moveAway("\(options.folder)/cart-pole")
    for method in Method.allCases {
      var task = try method.task()
      if let episodes = options.episodes { task.learning.trials = episodes }
      if let iterations = options.iterations { task.search.iterations = iterations }
      for index in 0..<options.trials {
        let seed = options.seed &+ UInt64(index)
        task.search.seed = seed
        let name = method.name.lowercased().replacingOccurrences(of: " ", with: "-")
        let path = "\(options.folder)/cart-pole/\(name)/seed-\(seed)"
        var loop = try InteractionLoop(task: task, folder: path, seed: seed, device: .host)
        let done = Double(runs.count)
        let total = Double(Method.allCases.count * options.trials)
        let isFinished = try loop.run { event in
          guard case .searching(let trial, _) = event else { return true }
          let within = Double(trial - 1) / Double(task.learning.trials)
          return tell((done + within) / total, "\(method.name), seed \(seed), trial \(trial)")
        }
        guard isFinished else { return }
        runs.append(Run(method: method, record: loop.record))
      }
    }
  }

  private func runs(of method: Method) -> [Run] { runs.filter { $0.method == method } }

  /// How many loops were solved at each trial.
  private func solved(_ method: Method) -> [Int] {
    let runs = runs(of: method)
    let trials = runs.map(\.record.trials.count).max() ?? 0
    return (0..<trials).map { trial in
      runs.count { trial < $0.record.trials.count && $0.record.trials[trial].isSolved }
    }
  }

  package var json: [String: Any] {
    [
      "methods": Method.allCases.map { method -> [String: Any] in
        let runs = runs(of: method)
        return [
          "name": method.name, "loops": runs.count, "solvedAtTrial": solved(method),
          "computeSeconds": runs.map(\.computeSeconds), "iterations": runs.map(\.iterations),
        ]
      }
    ]
  }

  // MARK: The page

  package var page: Page? {
    if runs.isEmpty { return nil }
    let rows = Method.allCases.map { method -> String in
      let runs = runs(of: method)
      let solved = solved(method).map { "\($0)" }.joined(separator: ", ")
      return "<tr><td>\(method.name)</td><td>\(method.description)</td>"
        + "<td>\(solved) of \(runs.count)</td><td>\(number(median(runs.map(\.computeSeconds))))</td>"
        + "<td>\(number(median(runs.map { Double($0.iterations) })))</td></tr>"
    }
    return Page(
      title: "Cart-pole: swing-up beside MC-PILCO's way",
      sections: [
        .init(
          title: nil,
          html: [
            "<p>One random episode of 3 s, then trial after trial: learn, search, drive 3 s. Solved is a trial that ends with the pole's tip "
              + "within 0.1 m of upright, and the cart within 0.5 m of the middle, for half a second. Loops of each: \(options.trials); at most \(iterationWords).</p>"
          ]),
        .init(title: nil, plot: plot),
        .init(
          title: "Measured",
          html: [
            "<table class=\"words\"><tr><th>method</th><th>what it is here</th><th>loops solved at trial 1, 2, ...</th>"
              + "<th>seconds of computing a loop (median)</th><th>iterations a loop (median)</th></tr>"
              + rows.joined() + "</table>"
          ]),
        .init(
          title: "What is different from MC-PILCO",
          html: [
            "<p>Both methods share the model (squared exponentials with a linear trend, positions integrated from rates), the cost, "
              + "and the halving of the rate when a search stalls, after which it ends; MC-PILCO itself lowers the dropout too when it "
              + "stalls, and gives later trials up to 4,000 iterations.</p>"
          ]),
      ])
  }

  private var iterationWords: String {
    Method.allCases.compactMap { method in
      (try? method.task()).map {
        "\(options.iterations ?? $0.search.iterations) iterations a search (\(method.name))"
      }
    }.joined(separator: ", ")
  }

  private var plot: Plot {
    var plot = Plot(
      title: "loops solved at each trial", xLabel: "trial on the machine",
      yLabel: "loops solved (%)")
    plot.yRange = 0...105
    plot.xNames = (1...(runs.map(\.record.trials.count).max() ?? 1)).map { "\($0)" }
    for (index, method) in Method.allCases.enumerated() {
      let solved = solved(method)
      plot.curves.append(
        .init(
          title: method.name,
          style: .boxes(color: index == 0 ? Palette.blue : Palette.vermilion, width: 0.35),
          x: solved.indices.map { Double($0) + (index == 0 ? -0.18 : 0.18) },
          y: solved.map { 100 * Double($0) / Double(runs(of: method).count) }))
    }
    return plot
  }

  /// One row a loop and trial.
  package var csv: String {
    let rows = runs.flatMap { run in
      run.record.trials.map { trial in
        "\"\(run.method.name)\",\(run.record.seed),\(trial.trial),\(trial.isSolved),\(trial.fitSeconds),"
          + "\(trial.optimizeSeconds),\(trial.iterations)"
      }
    }
    return (["method,seed,trial,solved,fit_s,search_s,iterations"] + rows)
      .joined(separator: "\n") + "\n"
  }
}
