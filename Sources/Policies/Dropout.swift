// SPDX-License-Identifier: Apache-2.0
// Dropout (Srivastava et al. 2014) in the rollouts of a search: units before a policy's last layer are dropped at random, anew
// for every particle and step, so that no action depends on a single unit, and so that searches leave poor optima (policies of
// MC-PILCO, Amadio et al. 2022, section IV-C). On the machine, and in evaluations for it, the policy is complete.

import Foundation
import Programs

/// Random dropping of the units before a policy's last layer.
package struct Dropout {
  /// That a unit is dropped, from 0 to below 1.
  package let probability: Double
  /// Normal draws of the step for so many units.
  private let draws: (_ units: Int) -> Value

  package static var none: Dropout {
    Dropout(probability: 0) { _ in preconditionFailure("nothing is dropped") }
  }

  package init(probability: Double, draws: @escaping (_ units: Int) -> Value) {
    precondition((0..<1).contains(probability), "dropout \(probability) of 0 ..< 1")
    (self.probability, self.draws) = (probability, draws)
  }

  /// Units with some of them zero, the others scaled by 1 / (1 - p) so that the mean stays.
  func callAsFunction(_ units: Value) -> Value {
    guard probability > 0 else { return units }
    let draws = draws(units.length)
    let dropped = units.builder.zeros(units.length)
    return select(draws - threshold, (1 / (1 - probability)) * units, dropped)
  }

  /// z with P(draw < z) = p, by bisection.
  private var threshold: Double {
    var (low, high) = (-40.0, 40.0)
    while true {
      let middle = 0.5 * (low + high)
      if middle <= low || middle >= high { return middle }
      if 0.5 * erfc(-middle / 2.0.squareRoot()) < probability {
        low = middle
      } else {
        high = middle
      }
    }
  }
}
