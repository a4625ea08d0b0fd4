// SPDX-License-Identifier: Apache-2.0
// A fit and a search with their progress, as `demo`, `fit` and `optimize` run them. Ctrl-C ends a search within half a second,
// however long its iterations are: the state is on the disk after each that was long, and the best policy is written at once.

import Bagel
import CProcessGuard
import Execution
import Foundation
import GaussianProcesses
import MachineLogs
import PolicySearch
import Synchronization
import Tasks

/// Fits with its progress.
func runFit(_ task: ControlTask, _ training: [Episode]) throws -> FittedModel {
  let bar = ProgressBar("learning")
  defer { bar.finish() }
  return try task.fit(training) { fraction in
    bar.update(fraction, "\(Int(100 * fraction)) %")
  }
}

/// Searches with its progress; Ctrl-C writes the best policy and ends with `Interruption`, from any thread.
///
/// - Parameters:
///   - checkpoint: where the search's state is kept; nil for none.
///   - policyPath: where the best policy so far is written at an interruption (beside it, if a policy is there); nil for
///     nowhere.
func runSearch(
  _ task: ControlTask, _ model: DynamicsModel, checkpoint: String?, policyPath: String? = nil,
  device: ExecutionDevice?, curves: TrainingCurves? = nil
) throws -> OptimizedPolicy {
  let bar = ProgressBar("optimising", "measuring samplers")
  defer { bar.finish() }
  InterruptSignal.watch()
  defer { InterruptSignal.unwatch() }
  let interruption = SearchInterruption(task, model, checkpoint: checkpoint, policyPath: policyPath)
  interruption.watch { bar.finish() }
  defer { interruption.endWatch() }
  var curveError: (any Error)?
  let policy: OptimizedPolicy
  do {
    policy = try task.optimize(
      model, device: device, checkpoint: checkpoint,
      checkpointInterval: SearchInterruption.checkpointInterval
    ) { state in
      interruption.note(state)
      do { try curves?.add(state) } catch { curveError = error }
      bar.update(
        state.fraction(of: task.search),
        "start \(state.startsDone + 1), iteration \(state.iteration), best return \(number(state.bestReturn))"
      )
      return !InterruptSignal.wasRaised && curveError == nil
    }
  } catch  where InterruptSignal.wasRaised && !(error is OutputError) {
    // Whatever it was, the search was to end.
    bar.finish()
    throw interruption.conclude()
  }
  if let curveError { throw OutputError(path: "event files", curveError) }
  guard policy.isFinished else {
    bar.finish()
    throw interruption.conclude()
  }
  return policy
}

/// What is done when Ctrl-C meets a search, by its own thread or, where an iteration is long, beside it.
private final class SearchInterruption: Sendable {
  /// Seconds; an iteration that ended longer than this after the last save is saved.
  static let checkpointInterval = 0.25

  private struct State {
    var iteration = 0
    var best: [Double] = []
    var isOver = false
  }
  private let state = Mutex(State())
  private let task: ControlTask
  private let model: DynamicsModel
  private let checkpoint: String?
  private let policyPath: String?

  init(_ task: ControlTask, _ model: DynamicsModel, checkpoint: String?, policyPath: String?) {
    (self.task, self.model) = (task, model)
    (self.checkpoint, self.policyPath) = (checkpoint, policyPath)
  }

  func note(_ search: SearchState) {
    state.withLock {
      $0.iteration = search.iteration
      $0.best = search.bestReturn.isFinite ? search.bestParameters : []
    }
  }

  func endWatch() { state.withLock { $0.isOver = true } }

  /// From now on an interruption that the search does not follow in time ends the process from beside it.
  func watch(_ beforeWords: @escaping @Sendable () -> Void) {
    InterruptSignal.afterwards(while: { [self] in !state.withLock(\.isOver) }) { [self] in
      // With the lock held to the end: the search's own thread waits at it.
      state.withLock { state in
        if state.isOver { return }
        beforeWords()
        Console.error("\(interruption(state))")
        _exit(130)
      }
    }
  }

  /// Writes the best policy; what to say.
  func conclude() -> Interruption {
    state.withLock { state in
      state.isOver = true
      return interruption(state)
    }
  }

  private func interruption(_ state: State) -> Interruption {
    guard state.iteration > 0 else {
      return Interruption(description: "interrupted before an iteration was done")
    }
    var words = "interrupted at iteration \(state.iteration)"
    if let policyPath, !state.best.isEmpty {
      // A policy that was searched to the end is worth more than this one.
      let path =
        FileManager.default.fileExists(atPath: policyPath)
        ? policyPath.replacingOccurrences(
          of: ".safetensors", with: "-interrupted.safetensors", options: [.anchored, .backwards])
        : policyPath
      do {
        try task.controller(state.best, on: model)
          .write(to: path, description: task.policyDescription(on: model))
        words += "; best policy so far: \(path)"
      } catch {
        words += "; \(BagelCommand.words(of: error))"
      }
    }
    if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
      words += "; state saved to \(checkpoint); the same command continues from there"
    }
    return Interruption(description: words)
  }
}

/// Ctrl-C while `learn` computes and the machine is at rest: what does not stop by itself in time (a fit, a long iteration) is
/// ended from beside it. The plant gets the safe action once more and `close`.
final class RestInterruption: Sendable {
  private let isResting = Mutex(false)

  init() {
    InterruptSignal.afterwards(while: { [weak self] in self != nil }) { [weak self] in
      self?.isResting.withLock { isResting in
        guard isResting else { return }
        Console.error("interrupted while the machine was at rest; the same command continues")
        guard_finish(130)
      }
    }
  }

  /// The machine is at rest from now on, and until `end`.
  func begin() { isResting.withLock { $0 = true } }
  func end() { isResting.withLock { $0 = false } }
}
