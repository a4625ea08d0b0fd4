// SPDX-License-Identifier: Apache-2.0
// A search that ended without a policy, though it ended: no return was a number, or the model moved no particle. Its
// parameters are those it began with, or worse; they are not written as a policy.

import Execution
import PolicySearch

extension SearchState {
  /// Refuses the end of a search that found nothing.
  ///
  /// - Parameters:
  ///   - predicted: rollouts of the best policy.
  ///   - options: how the search was done.
  /// - Throws: `SearchError`, with the cause.
  func checkOutcome(_ predicted: BatchTrajectories, options: SearchOptions) throws(SearchError) {
    // A search that never evaluates has no best return.
    guard options.evaluationInterval < .max else { return }
    guard bestReturn.isFinite else {
      throw SearchError(
        "no return of \(iteration) iterations is a number; the reward is undefined there (a root or logarithm of "
          + "a value that can be negative or zero, a division by zero), or the model diverges"
      )
    }
    guard predicted.movesSomeParticle else {
      throw SearchError(
        "the model's first prediction is not a number, or beyond all bounds, from every start; fit the model again, "
          + "from logs without values that a sensor cannot measure")
    }
  }
}

extension BatchTrajectories {
  /// False where every particle diverged at its first step: it then stays where it started.
  fileprivate var movesSomeParticle: Bool {
    returns.diverged < particles
      || (0..<particles).contains {
        !carry(step: 1, particle: $0).elementsEqual(carry(step: 0, particle: $0))
      }
  }
}
