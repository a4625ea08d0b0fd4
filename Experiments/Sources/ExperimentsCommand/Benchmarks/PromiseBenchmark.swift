// SPDX-License-Identifier: Apache-2.0
// bagel benchmark promises: how often the promises of policies were kept, over tasks and seeds on simulated plants.

import ArgumentParser
import Bagel
import BagelCommand
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Tasks

struct PromiseBenchmark: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "promises",
    abstract:
      "Count how often promises of errors, returns and constraints are kept, over tasks and seeds.",
    discussion: """
      For every seed, the command learns as `bagel learn` does and computes the promise of the last policy, from models and from its trial. \
      It then drives the task's evaluation. Bounds and intervals are for 90 %: nine in ten responses should be inside. A run counts as kept if \
      its mean error is inside (or its mean return, if no error is promised), and no constraint's promise is broken. It takes minutes per task.
      """)

  @Argument(help: "Built-in tasks or task files, with simulated plants.")
  var tasks = ["boom", "boom-delayed", "pendulum", "cart-pole"]
  @Option(help: "Number of seeds per task, from --seed on.") var seeds = 20
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard (1...10_000).contains(seeds) else {
      throw ValidationError("--seeds must be from 1 to 10,000")
    }
  }

  func run() throws {
    let console = Console(common)
    InterruptSignal.watch()
    var all: [String: Any] = [:]
    var kept = (runs: 0, of: 0)
    for name in tasks {
      let task = try ControlTask(name)
      guard task.isSimulated else {
        throw LogError(
          file: task.place, "has no simulated plant; promises are counted only on simulated plants")
      }
      var runs: [PromisedRun] = []
      for seed in (0..<seeds).map({ common.seed &+ UInt64($0) }) {
        let run = try PromisedRun(task, seed: seed)
        runs.append(run)
        console.say("\(task.name), seed \(seed): \(run.words(task))")
      }
      let table = PromiseTable(task: task, runs: runs)
      for line in table.lines { console.say("  \(line)") }
      let own = table.keptRuns
      kept = (kept.runs + own.kept, kept.of + own.of)
      all[task.name] = table.json
    }
    console.say("promises were kept in \(kept.runs) of \(counted(kept.of, "run"))")
    try console.finish(
      resultJSON(["tasks": all, "keptRuns": kept.runs, "promisedRuns": kept.of]))
  }
}

/// One seed: what was promised of its policy, and what came of it.
private struct PromisedRun {
  let seed: UInt64
  /// nil where nothing can be promised.
  let promise: Promise?
  let score: PromiseScore?
  let evaluation: Evaluation

  /// Learns, promises, drives. Throws: as those; `Interruption`.
  init(_ task: ControlTask, seed: UInt64) throws {
    self.seed = seed
    var task = task
    task.search.seed = seed
    let folder =
      FileManager.default.temporaryDirectory.path + "/bagel-promises-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: folder) }
    var loop = try InteractionLoop(task: task, folder: folder, seed: seed)
    var (model, policy): (DynamicsModel?, OptimizedPolicy?)
    let isFinished = try loop.run(goesOn: { !InterruptSignal.wasRaised }) { event in
      switch event {
      case .fitted(_, let fit): model = fit.model
      case .optimized(_, let found): policy = found
      default: break
      }
      return !InterruptSignal.wasRaised
    }
    guard isFinished, let model, let policy else {
      throw Interruption(description: "interrupted at seed \(seed); nothing was written")
    }
    promise = try task.promise(
      of: policy.best, on: model, seen: loop.record.lastTrialErrors)
    // Other starts, goals and noise than those of the trials.
    evaluation = try task.evaluate(
      policy.best, seed: seed &+ 1_000, within: .init(task.policyDescription(on: model)))
    score = try promise.map { [evaluation] in try task.score($0, by: evaluation, on: model) }
  }

  /// Whether the mean error over the responses is within the bound; of the returns, where no error was promised, whether their mean is
  /// within the interval. nil without a promise.
  var isKept: Bool? {
    guard let promise, let score else { return nil }
    guard score.constraints.allSatisfy(\.isKept) else { return false }
    if !promise.errors.isEmpty {
      if score.steps == 0 { return nil }
      return promise.errors.indices.allSatisfy {
        evaluation.whole.errors(ofTracked: $0).mean <= promise.errors[$0]
      }
    }
    guard let range = promise.episodeReturn, score.returns > 0 else { return nil }
    let returns = score.episodeReturns
    return range.contains(returns.reduce(0, +) / Double(returns.count))
  }

  func words(_ task: ControlTask) -> String {
    guard let score else { return "nothing was promised" }
    let errors = zip(task.evaluation.tracked, score.errorsInside).map { tracked, inside in
      "\(task.goalChannels[tracked.goal].name) as promised in \(inside) of \(counted(score.steps, "response"))"
    }
    let returns =
      score.returns > 0
      ? ["return in \(score.returnsInside) of \(counted(score.returns, "episode"))"] : []
    let broken = zip(task.constraints, score.constraints).filter { !$0.1.isKept }.map {
      "\($0.0.words) broken"
    }
    return (errors + returns + broken).joined(separator: ", ")
      + "; \(evaluation.successes) of \(counted(evaluation.episodes.count, "episode")) succeed"
  }
}

/// The runs of a task together.
private struct PromiseTable {
  let task: ControlTask
  let runs: [PromisedRun]

  private var promised: [(promise: Promise, score: PromiseScore, evaluation: Evaluation)] {
    runs.compactMap { run in
      run.promise.flatMap { promise in run.score.map { (promise, $0, run.evaluation) } }
    }
  }

  var keptRuns: (kept: Int, of: Int) {
    let kept = runs.compactMap(\.isKept)
    return (kept.count { $0 }, kept.count)
  }

  /// Of one tracked quantity: responses inside, of how many, and medians over the seeds of the bound and of the mean error.
  private func errors(_ t: Int) -> (inside: Int, steps: Int, bound: Double, error: Double) {
    let own = promised.filter { $0.promise.errors.indices.contains(t) }
    return (
      own.reduce(0) { $0 + $1.score.errorsInside[t] }, own.reduce(0) { $0 + $1.score.steps },
      median(own.map { $0.promise.errors[t] }),
      median(own.map { $0.evaluation.whole.errors(ofTracked: t).mean })
    )
  }

  private var returns: (inside: Int, episodes: Int) {
    (
      promised.reduce(0) { $0 + $1.score.returnsInside },
      promised.reduce(0) { $0 + $1.score.returns }
    )
  }

  private var exploited: Double {
    median(promised.map { 100 * $0.promise.exploited / max(abs($0.promise.searchedReturn), 1e-9) })
  }

  private var tracked: [Int] {
    promised.contains { !$0.promise.errors.isEmpty } ? Array(task.evaluation.tracked.indices) : []
  }

  var lines: [String] {
    var lines = tracked.map { t -> String in
      let channel = task.goalChannels[task.evaluation.tracked[t].goal]
      let (unit, own) = (Unit(channel.units), errors(t))
      return
        "\(channel.name): \(own.inside) of \(counted(own.steps, "response")) inside; median bound \(unit.shown(own.bound)), "
        + "median error \(unit.shown(own.error))"
    }
    let returns = returns
    if returns.episodes > 0 {
      lines.append("return: \(returns.inside) of \(counted(returns.episodes, "episode")) inside")
    }
    for (c, constraint) in task.constraints.enumerated() {
      let kept = promised.count { $0.score.constraints[c].isKept }
      lines.append("\(constraint.words): kept in \(kept) of \(counted(promised.count, "run"))")
    }
    lines.append(
      "kept in \(keptRuns.kept) of \(counted(keptRuns.of, "run")); the search exploits \(number(exploited)) % of its return (median)"
    )
    return lines
  }

  var json: [String: Any] {
    let names = task.evaluation.tracked.map { task.goalChannels[$0.goal].name }
    return [
      "seeds": runs.count, "promised": promised.count, "keptRuns": keptRuns.kept,
      "medianExploitedPercent": exploited,
      "tracked": Dictionary(
        uniqueKeysWithValues: tracked.map { t -> (String, Any) in
          let own = errors(t)
          return (
            names[t],
            [
              "inside": own.inside, "responses": own.steps, "medianBound": own.bound,
              "medianError": own.error,
            ] as [String: Any]
          )
        }),
      "returns": ["inside": returns.inside, "episodes": returns.episodes],
      "runs": runs.map { run -> [String: Any] in
        [
          "seed": run.seed, "successes": run.evaluation.successes,
          "episodes": run.evaluation.episodes.count,
          "isKept": run.isKept ?? NSNull(),
          "promise": run.promise?.json(task, run.score) ?? NSNull(),
        ]
      },
    ]
  }
}
