// SPDX-License-Identifier: Apache-2.0
// A search's state <-> a safetensors file, so that an interrupted search resumes with the same bits. The table below
// writes it and reads it. What a state may be depends on how the search is done: a horizon that the options do not have
// could not be resumed.

import Execution
import Faults
import TensorFiles

extension SearchState {
  private static var fileFormat: String { "bagel-search-state-5" }

  /// Writes the state; nothing is written where a number of it is not finite or out of its range.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - fingerprint: identifies task, model and options; `init(path:fingerprint:options:)` wants it back.
  ///   - options: how the search is done.
  /// - Throws: `TensorFileError`, which names the number.
  package func write(
    to path: String, fingerprint: String, options: SearchOptions
  ) throws(TensorFileError) {
    var state = self
    try TensorTable.write(
      to: path, metadata: ["format": Self.fileFormat, "fingerprint": fingerprint]
    ) { table throws(TensorFileError) in
      try state.rows(&table, options)
    }
  }

  /// Reads a state; nil if it belongs to another task, model or options.
  ///
  /// - Parameters:
  ///   - path: of the safetensors file.
  ///   - fingerprint: of this search.
  ///   - options: how it is done.
  ///   - parameterCount: of its policy.
  /// - Throws: `TensorFileError`.
  package init?(
    path: String, fingerprint: String, options: SearchOptions, parameterCount: Int
  ) throws(TensorFileError) {
    var state = SearchState(
      parameters: Array(repeating: 0, count: parameterCount), options: options)
    do {
      let file = try TensorFile(path: path)
      guard file.metadata["format"] == Self.fileFormat,
        file.metadata["fingerprint"] == fingerprint
      else { return nil }
      try TensorTable.read(file, path: path) { table throws(TensorFileError) in
        try state.rows(&table, options)
      }
    } catch {
      throw TensorFileError(path: path, error.problem, remedy: .searchAfresh)
    }
    self = state
  }

  /// The table.
  private mutating func rows(
    _ table: inout TensorTable, _ options: SearchOptions
  ) throws(TensorFileError) {
    let count = TensorTable.Size.count(parameters.count)
    // Before the first evaluation, and after each change of the horizon, there is no best return.
    let bestReturns = AllowedNumbers.finite.or(-.infinity)
    let excesses = AllowedNumbers.within(0...Double(options.allowedViolations.count))
    let leastRate =
      options.learningRate * Double(sign: .plus, exponent: -options.halvings, significand: 1)
    let rates = AllowedNumbers.within(leastRate...options.learningRate)
    // Moments are means of gradients and of their squares; a gradient is shortened to this, but for rounding.
    let gradient = options.gradientNorm * 1.001
    let widenings = AllowedNumbers.within(1...RewardWidening.largest)
    try table.row("iteration", &iteration, 0...Int.max)
    try table.row("first_iteration", &firstIteration, 0...iteration)
    try table.row("stage", &stage, 0...options.horizons.count - 1)
    try table.row("starts_done", &startsDone, 0...options.starts)
    try table.row("has_converged", &hasConverged)
    try table.row("parameters", &parameters, [count], .parameters)
    try table.row("adam_first_moment", &adam.firstMoment, [count], .within(-gradient...gradient))
    try table.row(
      "adam_second_moment", &adam.secondMoment, [count], .within(0...gradient * gradient))
    try table.row("adam_steps", &adam.steps, 0...iteration)
    try table.row("rate", &rate, rates)
    try table.row("best_parameters", &bestParameters, [count], .parameters)
    try table.row("best_return", &bestReturn, bestReturns)
    try table.row("best_excess", &bestExcess, excesses)
    try table.row("freest_return", &freestReturn, bestReturns)
    try table.row(
      "multipliers", &multipliers, [.count(options.allowedViolations.count)],
      .within(0...Self.largestMultiplier))
    try table.row("best_iteration", &bestIteration, 0...iteration)
    try table.row("start_best_parameters", &startBestParameters, [count], .parameters)
    try table.row("start_best_return", &startBestReturn, bestReturns)
    try table.row("start_best_excess", &startBestExcess, excesses)
    try table.row(
      "evaluations_without_progress", &evaluationsWithoutProgress, 0...options.patience)
    try table.row("halvings", &halvings, 0...options.halvings)
    try table.row("returns", &returns, [.count(iteration)])
    try table.row("gradient_norms", &gradientNorms, [.count(iteration)], .notNegative)
    try table.row("diverged", &diverged, 0...Int.max)
    try table.row("truncated", &truncated, 0...Int.max)
    try table.row("first_widening", &firstWidening, widenings)
    try table.row("widening", &widening, widenings)
  }
}
