// SPDX-License-Identifier: Apache-2.0
// Gradient ascent on the mean return (Algorithm 1, lines 9-18): its state between iterations, the
// record of each iteration, and the default implementation for an executor without a faster one.

/// Parameters on their way up.
package struct Ascent: Sendable {
  /// theta [P]
  package var parameters: [Double]
  package var adam: Adam
  /// Learning rate.
  package var rate: Double
  /// Gradients longer than this are shortened to it.
  package var gradientNormLimit: Double

  package init(parameters: [Double], adam: Adam, rate: Double, gradientNormLimit: Double) {
    self.parameters = parameters
    self.adam = adam
    self.rate = rate
    self.gradientNormLimit = gradientNormLimit
  }

  /// One step uphill; none where return or gradient is not finite.
  ///
  /// - Parameters:
  ///   - gradient: of the mean return [P].
  ///   - meanReturn: of the batch; with costs that have weights, what the gradient is of.
  ///   - diverged: particles that did, for the record.
  ///   - truncated: particles with elements of the adjoint set to zero, for the record.
  package mutating func follow(
    _ gradient: [Double], meanReturn: Double, diverged: Int = 0, truncated: Int = 0
  ) -> AscentRecord {
    let norm = gradient.reduce(0) { $0 + $1 * $1 }.squareRoot()
    let isFinite = norm.isFinite && meanReturn.isFinite
    if isFinite {
      let shorten = norm > gradientNormLimit ? gradientNormLimit / norm : 1
      adam.ascend(&parameters, gradient: gradient.map { $0 * shorten }, rate: rate)
    }
    return AscentRecord(
      meanReturn: meanReturn, gradientNorm: norm, diverged: diverged, truncated: truncated,
      hasMoved: isFinite)
  }
}

/// What is told of one iteration of an ascent.
package struct AscentRecord: Hashable, Sendable {
  package let meanReturn: Double
  /// Before it was shortened.
  package let gradientNorm: Double
  /// Particles that left the state limit.
  package let diverged: Int
  /// Particles with elements of the adjoint set to zero.
  package let truncated: Int
  /// False where return or gradient is not finite, and the parameters stayed.
  package let hasMoved: Bool
}

extension RolloutExecutor {
  /// Iterations that `ascend` runs without waiting for each other's results.
  package var iterationsInFlight: Int { 1 }

  package func ascend(
    _ batches: [RolloutBatch], from ascent: inout Ascent
  ) throws -> [AscentRecord] {
    var records: [AscentRecord] = []
    for given in batches {
      var batch = given
      batch.parameters = ascent.parameters
      let result = try gradient(batch)
      let record = ascent.follow(
        result.gradient, meanReturn: result.returns.objective, diverged: result.returns.diverged,
        truncated: result.truncated)
      records.append(record)
      if !record.hasMoved { break }
    }
    return records
  }
}
