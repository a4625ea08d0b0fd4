// SPDX-License-Identifier: Apache-2.0
// A basis of its own for the deviation (as in Cheng and Boots 2017): the variance is smoother than the mean, so that a few inducing
// points often serve it. The fewest are taken whose deviation is what it should be within a tolerance.

import GaussianProcesses
import LinearAlgebra

/// Points at which deviations are compared, and what they are there.
struct DeviationProbes {
  private let process: GaussianProcess
  private let sets: [Matrix]
  /// Latent, and of observations, at each set.
  private let variances: [[Double]]
  private let observed: [[Double]]

  /// Numbers of points that may serve.
  private static let fewer = [20, 30, 45, 70, 100, 150, 225, 340, 500, 750, 1_000]
  /// Points of the box, and of the data, at which they are judged.
  private static let count = 256

  /// - Parameters:
  ///   - process: whose deviation it is ...
  ///   - variances: ... and its latent variances at points.
  ///   - group: of its inputs.
  ///   - box: of the standardised inputs [D], where it must be good.
  init(
    _ process: GaussianProcess, variances: (Matrix) -> [Double], _ group: ProcessGroup,
    box: [ClosedRange<Double>]
  ) {
    self.process = process
    sets = [
      Matrix(randomPoints(box, count: Self.count, seed: 5)), Matrix(group.spreadInputs(Self.count)),
    ]
    self.variances = sets.map(variances)
    observed = zip(sets, self.variances).map { process.observedVariance($0, latent: $1) }
  }

  /// By how much another posterior's deviation is off (RMS of the worse set, in predictive deviations); infinite where it is no number.
  func error(of other: LowRankPosterior) -> Double {
    let errors = sets.indices.map { s -> Double in
      let own = other.predict(sets[s]).variance
      let squares = own.indices.reduce(0.0) { sum, i in
        let change = own[i].squareRoot() - variances[s][i].squareRoot()
        return sum + change * change / observed[s][i]
      }
      return (squares / Double(own.count)).squareRoot()
    }
    // `max` passes over what is no number.
    return errors.allSatisfy(\.isFinite) ? errors.max() ?? 0 : .infinity
  }

  /// The posterior through the fewest points whose error is within the tolerance; nil where too few of `all` points are left out to be
  /// worth rows of their own. Throws: `FactorizationError`.
  func fewest(of all: Int, tolerance: Double) throws -> LowRankPosterior? {
    for count in Self.fewer where 4 * count <= 3 * all {
      let few = try LowRankPosterior(process, tolerance: 1e-3, largestRank: count)
      if error(of: few) <= tolerance { return few }
    }
    return nil
  }
}
