// SPDX-License-Identifier: Apache-2.0
// Constraints as sentences and as keys of the JSON contract.

import Bagel
import Foundation

extension ConstraintFigures {
  /// - Parameter trials: what was counted: "rollouts" on the model, "episodes" on the plant.
  func json(_ trials: String) -> [String: Any] {
    [
      "name": constraint.words, "violations": violations, trials: self.trials,
      "upperBound95": upperBound95, "allowed": allowed,
    ]
  }

  /// "12 of 100,000", the bound, and what was asked for.
  private var countWords: String {
    "\(violations) of \(trials)"
  }

  private var boundWords: String {
    "at most \(number(100 * upperBound95)) % (95 % sure); asked for: \(number(100 * allowed)) %"
  }

  /// On the model.
  var sentence: String {
    let verdict = isKept ? "keeps" : "DOES NOT KEEP"
    return
      "\(verdict) \(constraint.words): \(countWords) rollouts leave it, \(boundWords). If the model is right"
  }

  /// On the plant.
  var plantSentence: String {
    "\(constraint.words): left in \(countWords) episodes, \(boundWords)"
  }
}

extension OptimizedPolicy {
  /// What the policy keeps, and what that costs, each line behind a prefix.
  func describeConstraints(_ console: Console, prefix: String = "  ") {
    for figures in constraints { console.say(prefix + figures.sentence) }
    guard !constraints.isEmpty, state.freestReturn > state.bestReturn else { return }
    console.say(
      "\(prefix)the best return of a policy that kept less was \(number(state.freestReturn)): constraints cost "
        + "\(number(100 * (state.freestReturn - state.bestReturn) / max(abs(state.freestReturn), 1e-9))) %")
  }
}
