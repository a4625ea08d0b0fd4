// SPDX-License-Identifier: Apache-2.0
// Figure 2 of the paper: return against wall-clock time, every method on the same model, judged by the same 100 rollouts.

import Bagel
import Foundation

/// How much of figure 2 to run.
public struct Figure2Options: Sendable {
  public var trials = 16
  /// Seconds of searching a trial for methods that take milliseconds an iteration, and for those that take seconds;
  /// pathwise conditioning, in between, has a third of the latter.
  public var fastBudget = 5.0
  public var slowBudget = 60.0
  /// Seconds of manual driving behind the model; nil for the paper's 110 s.
  public var drivingSeconds: Double?
  /// In place of the simulated boom's.
  public var logs: OwnLogs?

  public init() {}

  /// Two trials on a small model: whether everything runs, not what it is worth.
  public static var quick: Figure2Options {
    var options = Figure2Options()
    (options.trials, options.fastBudget, options.slowBudget) = (2, 0.5, 2)
    options.drivingSeconds = 15
    return options
  }
}

/// What became of one method.
struct MethodOutcome {
  let method: ComparedMethod
  /// One a trial; empty where it was skipped.
  var curves: [LearningCurve] = []
  /// Why it did not run.
  var reason: String?
  var budget = 0.0

  /// Median seconds of an iteration over the trials.
  var secondsPerIteration: Double {
    let times = curves.compactMap { curve in
      curve.seconds.last.map { $0 / Double(max(curve.iterations, 1)) }
    }.sorted()
    return times.isEmpty ? .nan : times[times.count / 2]
  }

  /// Mean over the trials of the return at the end.
  var lastReturn: Double {
    curves.reduce(0) { $0 + ($1.returns.last ?? 0) } / Double(max(curves.count, 1))
  }

  /// Median time to a return, over the trials that reach it, and how many do.
  func time(to value: Double) -> (median: Double?, count: Int) {
    let times = curves.compactMap { $0.time(to: value) }.sorted()
    return (times.isEmpty ? nil : times[times.count / 2], times.count)
  }
}

/// Figure 2, measured.
public struct Figure2 {
  let options: Figure2Options
  let experiment: Experiment1
  private(set) var outcomes: [MethodOutcome] = []

  /// Learns the model that all methods share. Throws: `LogError`, `FactorizationError`.
  public init(_ options: Figure2Options) throws {
    self.options = options
    experiment = try Experiment1(logs: options.logs, seconds: options.drivingSeconds)
  }

  /// Runs every method's trials.
  ///
  /// - Parameter tell: hears which trial begins; false ends after it.
  /// - Throws: what searches and judging throw when they begin.
  public mutating func run(_ tell: (_ method: String, _ trial: Int) -> Bool) throws {
    for method in ComparedMethod.allCases {
      var outcome = MethodOutcome(method: method, budget: method.budget(options))
      outcome.reason = method.unavailable
      for trial in 0..<(outcome.reason == nil ? options.trials : 0) {
        guard tell(method.name, trial) else { return }
        let search = try method.search(experiment, seed: UInt64(trial))
        outcome.curves.append(
          try LearningCurve(search, budget: outcome.budget) { try experiment.meanReturn($0) })
      }
      outcomes.append(outcome)
    }
  }

  /// The best mean return at the end of any method: what "90 %" is of.
  var bestReturn: Double { outcomes.map(\.lastReturn).max() ?? .nan }

  /// Whether every method has run or said why not.
  public var isComplete: Bool { outcomes.count == ComparedMethod.allCases.count }

  /// For --json: numbers a method.
  public var json: [String: Any] {
    let target = 0.9 * bestReturn
    return [
      "points": experiment.model.processes[0].y.count, "trials": options.trials,
      "fitSeconds": experiment.fitSeconds, "bestReturn": bestReturn,
      "methods": outcomes.map { outcome -> [String: Any] in
        let time = outcome.time(to: target)
        return [
          "name": outcome.method.name, "skipped": outcome.reason ?? NSNull(),
          "secondsPerIteration": outcome.secondsPerIteration, "lastReturn": outcome.lastReturn,
          "secondsTo90Percent": time.median ?? NSNull(), "trialsTo90Percent": time.count,
          "budgetSeconds": outcome.budget,
          "failures": outcome.curves.compactMap(\.failure),
        ]
      },
    ]
  }

  // MARK: The page

  /// Writes figure2.html and figure2.csv to a folder, with `png` its pictures too; returns the page's path. Throws: Foundation's file errors.
  public func write(to folder: String, png: Bool = false) throws -> String {
    let page = Page(
      title: "Figure 2: policy optimisation against wall-clock time",
      sections: [
        .init(title: nil, html: [introduction]), .init(title: nil, plot: plot),
        .init(title: "Measured", html: [table]),
        .init(title: "The paper, and what is different here", html: [comparison]),
      ])
    return try page.write("figure2", csv: csv, to: folder, png: png)
  }

  /// One row a method, trial and judged time.
  private var csv: String {
    let rows = outcomes.flatMap { outcome in
      outcome.curves.enumerated().flatMap { trial, curve in
        zip(curve.seconds, curve.returns).map {
          "\"\(outcome.method.name)\",\(trial),\($0),\($1)"
        }
      }
    }
    return (["method,trial,seconds,return"] + rows).joined(separator: "\n") + "\n"
  }

  private var plot: Plot {
    var plot = Plot(
      title: "mean return of \(options.trials) trials, 95 % interval of the mean",
      xLabel: "seconds of searching (without learning and caching)",
      yLabel: "return of the policy (mean of 100 rollouts)")
    plot.hasLogarithmicX = true
    // Rewards are from 0 to 1: an interval of few trials reaches beyond.
    let largest = Double(experiment.task.search.horizon + 1)
    let first = outcomes.flatMap { $0.curves.compactMap { $0.seconds.dropFirst().first } }.min()
    for (index, outcome) in outcomes.enumerated() where !outcome.curves.isEmpty {
      let curve = MeanCurve(outcome.curves, from: first ?? 1e-3, to: outcome.budget)
      let color = Palette.colors[index % Palette.colors.count]
      plot.curves.append(
        .init(
          title: nil, style: .band(color: color), x: curve.seconds,
          y: zip(curve.mean, curve.halfWidth).map { max($0 - $1, 0) },
          upper: zip(curve.mean, curve.halfWidth).map { min($0 + $1, largest) }))
      plot.curves.append(
        .init(
          title: outcome.method.name,
          style: .dashes(color: color, width: 2, kind: 1 + index), x: curve.seconds,
          y: curve.mean))
    }
    return plot
  }

  private var introduction: String {
    let points = experiment.model.processes[0].y.count
    let source =
      options.logs?.files.joined(separator: ", ") ?? "the simulated boom driven by hand"
    return """
      <p>Experiment 1 of the paper (section IV-A): \(points) transitions of \(escaped(source)), two Gaussian processes \
      learnt in \(number(experiment.fitSeconds)) s and the same for all methods, reward of equation 8 with Q = diag(10, 0.1), \
      a network [8, 8], horizon \(experiment.task.search.horizon), Adam at 0.01 all the time (CMA-ES has no rate; its first step size is 0.5). Policies are judged on the \
      same 100 rollouts with the same draws; the judging is not in the seconds.</p>
      """
  }

  private var table: String {
    let target = 0.9 * bestReturn
    let rows = outcomes.map { outcome -> String in
      let name = "<td>\(outcome.method.name)</td><td>\(outcome.method.description)</td>"
      if let reason = outcome.reason {
        return "<tr>\(name)<td colspan=\"4\">skipped: \(escaped(reason))</td></tr>"
      }
      let time = outcome.time(to: target)
      let reached =
        time.median.map { "\(number($0)) (\(time.count) of \(outcome.curves.count))" }
        ?? "not in \(number(outcome.budget)) s"
      let iterations = outcome.curves.map(\.iterations).sorted()[outcome.curves.count / 2]
      return "<tr>\(name)<td>\(number(outcome.secondsPerIteration))</td><td>\(iterations)</td>"
        + "<td>\(number(outcome.lastReturn))</td><td>\(reached)</td></tr>"
    }
    return """
      <table class="words"><tr><th>method</th><th>what it is here</th><th>seconds an iteration</th>\
      <th>iterations in the budget (median)</th><th>return at the end (mean)</th>\
      <th>seconds to 90 % of the best, \(number(target)) (median of the trials that get there)</th></tr>
      \(rows.joined(separator: "\n"))
      </table>
      """
  }

  private var comparison: String {
    """
    <p>The paper reports, on a laptop with a 10750H and a Quadro T2000: batch versions reach the highest return in all trials, \
    the GPU about five times faster than the CPU, 20 iterations in about 30 s; one rollout an iteration updates often but ends lower, stuck \
    in local optima for want of a description of the uncertainty; exact methods run out of memory, or take hours and end lower. \
    Learning the Gaussian processes takes about 20 s, caching about 0.6 s.</p>
    <p>Different here: the boom is simulated; a rollout is one fused kernel that keeps nothing but states and a few values a \
    step, so no method runs out of memory; PILCO's double sums are computed with their derivatives in one pass on all cores. Black-DROPS judges \
    each candidate by \(ComparedMethod.blackDropsRollouts) rollouts in place of one.</p>
    """
  }
}
