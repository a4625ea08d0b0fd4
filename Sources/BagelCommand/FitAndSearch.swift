// SPDX-License-Identifier: Apache-2.0
// A fit and a search with their progress, as `demo`, `fit` and `optimize` run them. Ctrl-C ends a search within half a second,
// however long its iterations are: the state is on the disk after each that was long, and the best policy is written at once.

import Bagel
import Foundation
import Synchronization

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
///   - policyPath: where the best policy so far is written at an interruption; nil for nowhere.
func runSearch(
  _ task: ControlTask, _ model: DynamicsModel, checkpoint: String?, policyPath: String? = nil,
  device: ExecutionDevice, curves: TrainingCurves? = nil
) throws -> OptimizedPolicy {
  let bar = ProgressBar("optimising", "measuring samplers")
  defer { bar.finish() }
  InterruptSignal.watch()
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
    // Ctrl-C at the terminal reaches the compiler of a kernel too.
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
  /// Seconds that the search itself has to stop.
  private static let patience = 0.3

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
    Thread.detachNewThread { [self] in
      while !InterruptSignal.wasRaised {
        if state.withLock(\.isOver) { return }
        usleep(20_000)
      }
      usleep(UInt32(1e6 * Self.patience))
      if state.withLock(\.isOver) { return }
      let interruption = conclude()
      beforeWords()
      Console.error("\(interruption)")
      _exit(130)
    }
  }

  /// Writes the best policy; what to say. Once: a second thread waits for the end of the process.
  func conclude() -> Interruption {
    state.withLock { state in
      state.isOver = true
      guard state.iteration > 0 else {
        return Interruption(description: "interrupted before the first iteration")
      }
      var words = "interrupted at iteration \(state.iteration)"
      if let policyPath, !state.best.isEmpty {
        do {
          try PolicyController(
            policy: task.makePolicy(), parameters: state.best,
            stateMean: model.stateStandardiser.mean, stateScale: model.stateStandardiser.scale
          ).write(to: policyPath, description: task.policyDescription(on: model))
          words += "; best policy so far: \(policyPath)"
        } catch {
          words += "; \(error)"
        }
      }
      if let checkpoint, FileManager.default.fileExists(atPath: checkpoint) {
        words += "; state saved to \(checkpoint), the same command goes on from there"
      }
      return Interruption(description: words)
    }
  }
}
