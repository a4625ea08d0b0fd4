// SPDX-License-Identifier: Apache-2.0
// Gradient ascent on the mean return (Algorithm 1, lines 9-18): what is carried from one iteration to the next, what is
// told of each, and how an executor does it that has no faster way of its own.

/// Parameters on their way up.
public struct Ascent: Sendable {
  /// theta [P]
  public var parameters: [Double]
  public var adam: Adam
  /// Learning rate.
  public var rate: Double
  /// Gradients longer than this are shortened to it.
  public var gradientNormLimit: Double

  public init(parameters: [Double], adam: Adam, rate: Double, gradientNormLimit: Double) {
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
  ///   - truncated: particles whose adjoint was cut, for the record.
  public mutating func follow(
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
public struct AscentRecord: Hashable, Sendable {
  public let meanReturn: Double
  /// Before it was shortened.
  public let gradientNorm: Double
  /// Particles that left the state limit.
  public let diverged: Int
  /// Particles whose adjoint was cut.
  public let truncated: Int
  /// False where return or gradient is not finite, and the parameters stayed.
  public let hasMoved: Bool
}

extension RolloutExecutor {
  /// Iterations that `ascend` runs without waiting for each other's results.
  public var iterationsInFlight: Int { 1 }

  public func ascend(
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
