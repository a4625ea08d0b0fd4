// SPDX-License-Identifier: Apache-2.0
// Searches and fits as TensorBoard scalars, while they run: search/return and search/gradient_norm by iteration,
// search/best_return, fit/... and plant/... by trial.

import Foundation
import GaussianProcesses
import PolicySearch
import TensorBoard

/// What TensorBoard is to show.
package final class TrainingCurves {
  private let folder: String
  /// Begun with the first scalar: a command that fails before leaves none.
  private var file: EventFile?
  /// Iterations of finished searches, and those of the present one that are written.
  private var base: Int
  private var written = 0

  /// Throws: Foundation's file errors.
  ///
  /// - Parameters:
  ///   - folder: of the event files, made if it is not there.
  ///   - iterations: those of earlier searches, after which these are to stand.
  package init(folder: String, iterations: Int = 0) throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw CocoaError(.fileWriteNoPermission)
    }
    (self.folder, base) = (folder, iterations)
  }

  private func write(_ scalars: [(tag: String, value: Double)], step: Int) throws {
    let file = try file ?? EventFile(folder: folder)
    self.file = file
    try file.add(scalars, step: step)
  }

  /// Adds the iterations since the last call. Throws: Foundation's file errors.
  package func add(_ state: SearchState) throws {
    if state.returns.count < written { written = 0 }
    for index in written..<state.returns.count {
      let isLast = index + 1 == state.returns.count
      let best =
        isLast && state.bestReturn.isFinite
        ? [(tag: "search/best_return", value: state.bestReturn)] : []
      try write(
        [
          (tag: "search/return", value: state.returns[index]),
          (tag: "search/gradient_norm", value: state.gradientNorms[index]),
        ] + best, step: base + index + 1)
    }
    written = state.returns.count
  }

  /// Adds what a loop tells. Throws: Foundation's file errors.
  package func add(_ event: LoopEvent) throws {
    switch event {
    case .drove, .proposing, .proposed, .exploringAgain, .explored, .fitting, .judged, .failed:
      break
    case .fitted(let trial, let fit): try add(fit, trial: trial)
    case .searching(_, let state): try add(state)
    case .optimized: (base, written) = (base + written, 0)
    case .tried(let record, _): try add(record.last)
    }
  }

  /// Throws: Foundation's file errors.
  package func add(_ fit: FittedModel, trial: Int) throws {
    var scalars = [(tag: "fit/seconds", value: fit.seconds)]
    for (name, process) in zip(fit.model.outputNames, fit.model.processes) {
      let n = Double(process.y.count)
      scalars.append(("fit/\(name)/log_likelihood_a_point", process.logMarginalLikelihood / n))
      scalars.append(("fit/\(name)/noise", process.hyperparameters.noiseVariance.squareRoot()))
    }
    for figures in fit.heldOut {
      scalars.append(("fit/\(figures.state)/held_out_rmse", figures.rmse))
      scalars.append(("fit/\(figures.state)/held_out_free_run_rmse", figures.freeRunRMSE))
    }
    try write(scalars, step: trial)
  }

  /// Throws: Foundation's file errors.
  package func add(_ record: EpisodeRecord) throws {
    let share = Double(record.stepSuccesses) / Double(max(record.steps, 1))
    try write(
      [("plant/successful_steps", share), ("plant/rows", Double(record.rows))], step: record.trial)
  }
}
