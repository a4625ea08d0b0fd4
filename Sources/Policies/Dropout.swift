// SPDX-License-Identifier: Apache-2.0
// Dropout (Srivastava et al. 2014) for rollouts of a search: some of what a policy's last layer reads is silenced, drawn
// anew for every particle and step, so that no action hangs on one unit alone and searches leave poor optima (policies of
// MC-PILCO, Amadio et al. 2022, section IV-C). On the machine, all units speak.

import Foundation
import Programs

/// Random silence of units before a policy's last layer.
public struct Dropout: Hashable, Sendable {
  /// That a unit is silent, from 0 to below 1.
  public let probability: Double
  /// Which of a step's normal draws is its first.
  public let firstDraw: Int

  public static let none = Dropout(probability: 0, firstDraw: 0)

  public init(probability: Double, firstDraw: Int) {
    precondition((0..<1).contains(probability), "dropout \(probability) of 0 ..< 1")
    (self.probability, self.firstDraw) = (probability, firstDraw)
  }

  /// Units as the last layer hears them: silent, or louder by 1 / (1 - p), so that their mean stays.
  func callAsFunction(_ units: Value) -> Value {
    guard probability > 0 else { return units }
    let draws = units.builder.normal(first: firstDraw, length: units.length)
    let silent = units.builder.constant(Array(repeating: 0, count: units.length))
    return select(draws - threshold, (1 / (1 - probability)) * units, silent)
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
