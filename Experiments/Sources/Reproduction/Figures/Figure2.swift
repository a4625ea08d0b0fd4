// SPDX-License-Identifier: Apache-2.0
// Figure 2 of the paper: return against wall-clock time, every method on the same model, judged by the same 100 rollouts.

import Bagel
import Foundation
import LinearAlgebra

/// How much of figure 2 to run.
package struct Figure2Options: Sendable {
  package var trials = 16
  /// Seconds of searching a trial for methods that take milliseconds per iteration, and for those that take seconds;
  /// pathwise conditioning, in between, has a third of the latter.
  package var fastBudget = 5.0
  package var slowBudget = 60.0
  /// Seconds of manual driving behind the model; nil for the paper's 110 s.
  package var drivingSeconds: Double?
  /// In place of the simulated boom's.
  package var logs: OwnLogs?
  /// Of the driving; trial k searches with seed + k.
  package var seed: UInt64 = 0

  package init() {}

  /// Two trials on a small model: whether everything runs, not what it is worth.
  package static var quick: Figure2Options {
    var options = Figure2Options()
    (options.trials, options.fastBudget, options.slowBudget) = (2, 0.5, 2)
    options.drivingSeconds = 15
    return options
  }
}

/// What became of one method.
struct MethodOutcome {
  let method: ComparedMethod
  let budget: Double
  /// One a trial; empty where it was skipped.
  var curves: [LearningCurve] = []
  /// Why it did not run.
  var reason: String?

  /// Median over the trials.
  var secondsPerIteration: Double {
    median(curves.map { $0.spent / Double(max($0.iterations, 1)) })
  }

  var iterations: Double { median(curves.map { Double($0.iterations) }) }

  /// Mean over the trials of the return at the end.
  var lastReturn: Double { curves.reduce(0) { $0 + $1.lastReturn } / Double(max(curves.count, 1)) }

  var failures: [String] { curves.compactMap(\.failure) }

  /// Median time to a return over all trials, infinite where half of them do not reach it, and how many do.
  func time(to value: Double) -> (median: Double, count: Int) {
    let times = curves.map { $0.time(to: value) }
    return (median(times), times.count { $0.isFinite })
  }
}

/// Figure 2, measured.
package struct Figure2: ReproducedFigure {
  let options: Figure2Options
  let experiment: Experiment1
  private(set) var outcomes: [MethodOutcome] = []

  package let name = "figure2"

  /// Learns the model that all methods share. Throws: `LogError`, `FactorizationError`.
  package init(_ options: Figure2Options) throws {
    self.options = options
    experiment = try Experiment1(
      logs: options.logs, seconds: options.drivingSeconds, seed: options.seed)
  }

  package mutating func run(_ tell: @escaping Progress) throws {
    let methods = ComparedMethod.allCases
    let total =
      methods.filter { $0.unavailable == nil }.reduce(0) { $0 + $1.budget(options) }
      * Double(options.trials)
    var done = 0.0
    for method in methods {
      var outcome = MethodOutcome(method: method, budget: method.budget(options))
      outcome.reason = method.unavailable
      if outcome.reason == nil {
        var isInterrupted = false
        do {
          isInterrupted = try !run(&outcome) { seconds, trial in
            tell((done + seconds) / total, "\(method.name), trial \(trial + 1)")
          }
        } catch { outcome.reason = "\(error)" }
        done += outcome.budget * Double(options.trials)
        if isInterrupted {
          if !outcome.curves.isEmpty { outcomes.append(outcome) }
          return
        }
      }
      outcomes.append(outcome)
    }
  }

  /// The trials of one method; false where they were interrupted.
  private func run(
    _ outcome: inout MethodOutcome, _ goesOn: (_ seconds: Double, _ trial: Int) -> Bool
  ) throws -> Bool {
    guard goesOn(0, 0) else { return false }
    let makeSearch = try outcome.method.searches(experiment)
    // One step that does not count: kernels are compiled and stay in the cache.
    _ = try makeSearch(options.seed).step()
    for trial in 0..<options.trials {
      let before = Double(trial) * outcome.budget
      let curve = try LearningCurve(
        makeSearch(options.seed &+ UInt64(trial)), budget: outcome.budget,
        goesOn: { goesOn(before + $0, trial) }, judge: experiment.meanReturn)
      if curve.isInterrupted { return false }
      outcome.curves.append(curve)
    }
    return true
  }

  /// The best mean return at the end of any method: what "90 %" is of.
  var bestReturn: Double {
    outcomes.filter { !$0.curves.isEmpty }.map(\.lastReturn).max() ?? .nan
  }

  package var isComplete: Bool {
    outcomes.count == ComparedMethod.allCases.count
      && outcomes.allSatisfy { $0.reason != nil || $0.curves.count == options.trials }
  }

  package var json: [String: Any] {
    let target = 0.9 * bestReturn
    return [
      "points": experiment.model.features.rows, "trials": options.trials,
      "fitSeconds": experiment.fitSeconds, "samplerSeconds": experiment.samplerSeconds,
      "bestReturn": bestReturn,
      "methods": outcomes.map { outcome -> [String: Any] in
        let time = outcome.time(to: target)
        return [
          "name": outcome.method.name, "skipped": outcome.reason ?? NSNull(),
          "secondsPerIteration": outcome.secondsPerIteration,
          "iterations": outcome.iterations,
          "lastReturn": outcome.curves.isEmpty ? NSNull() : outcome.lastReturn,
          "secondsTo90Percent": time.median.isFinite ? time.median : NSNull(),
          "trialsTo90Percent": time.count, "budgetSeconds": outcome.budget,
          "failures": outcome.failures,
        ]
      },
    ]
  }

  /// One row a method, trial and judged time.
  package var csv: String {
    let rows = outcomes.flatMap { outcome in
      outcome.curves.enumerated().flatMap { trial, curve in
        zip(curve.seconds, curve.returns).map {
          "\"\(outcome.method.name)\",\(trial),\($0),\($1)"
        }
      }
    }
    return (["method,trial,time_s,return"] + rows).joined(separator: "\n") + "\n"
  }
}
