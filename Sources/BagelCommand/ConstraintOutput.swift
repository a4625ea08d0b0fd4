// SPDX-License-Identifier: Apache-2.0
// Constraints of a policy in words and as keys of the JSON contract.

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
}

extension OptimizedPolicy {
  /// What the policy keeps, and what that costs, each line behind a prefix.
  func describeConstraints(_ console: Console, prefix: String = "  ") {
    for figures in constraints { console.say(prefix + figures.sentence) }
    guard !constraints.isEmpty, state.freestReturn > state.bestReturn else { return }
    console.say(
      "\(prefix)the best return of a policy that violated them more was \(number(state.freestReturn)): constraints cost "
        + "\(number(100 * (state.freestReturn - state.bestReturn) / max(abs(state.freestReturn), 1e-9))) %"
    )
  }
}
