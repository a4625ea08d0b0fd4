// SPDX-License-Identifier: Apache-2.0
// The effect of a sampler on the result: errors of moments at random points are only an indication; the policy and its trajectories
// matter. A table of a small log is 10 % wrong in the deviation beside isolated data, where nobody ever drives.

import LinearAlgebra

/// Trajectories of one policy through a sampler and through the model's own posterior (`exact`), from the same starts with the same draws.
package struct SamplerOutcome: Hashable, Sendable {
  /// Mean returns of the policy.
  package var returnThroughSampler: Double
  package var returnThroughExact: Double
  /// Of a mean return through the exact posterior, from the spread between particles of the same start.
  package var standardError: Double
  /// CRPS of the sampler's predicted distributions where the truth is a draw of the exact posterior, over that posterior's own CRPS: their
  /// geometric mean over states and horizons. 1 for equal distributions.
  package var relativeCRPS: Double
  /// Median of the short search that found the policy; nil where the policy was given.
  package var secondsPerIteration: Double?

  /// Most of `relativeCRPS`, and part of the return that counts as no difference: rewards that saturate have no spread.
  package static let mostCRPS = 1.02
  package static let sameReturn = 1e-3

  package init(
    returnThroughSampler: Double, returnThroughExact: Double, standardError: Double,
    relativeCRPS: Double, secondsPerIteration: Double? = nil
  ) {
    self.returnThroughSampler = returnThroughSampler
    self.returnThroughExact = returnThroughExact
    self.standardError = standardError
    self.relativeCRPS = relativeCRPS
    self.secondsPerIteration = secondsPerIteration
  }

  /// Whether the sampler may stand for the posterior itself: distributions within 2 %, returns within two standard errors and a thousandth.
  package var isGood: Bool {
    relativeCRPS <= Self.mostCRPS
      && abs(returnThroughSampler - returnThroughExact)
        <= doubtfulStandardErrors * standardError + Self.sameReturn * abs(returnThroughExact)
  }
}
