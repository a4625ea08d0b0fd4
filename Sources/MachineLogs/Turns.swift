// SPDX-License-Identifier: Apache-2.0
// Angles of full turns: a sensor that wraps (359 degrees, 0 degrees) -> a signal without jumps, and the shorter way between two
// angles. A full turn is 2 pi rad or what the channel's units say.

import Foundation

/// A full turn in units of angle (radians where there are none), or nil of other units.
package func fullTurn(units: String) -> Double? {
  switch units.lowercased() {
  case "", "rad", "radian", "radians": 2 * .pi
  case "mrad": 2_000 * .pi
  case "deg", "degree", "degrees", "\u{B0}": 360
  case "turn", "turns", "rev", "revolution", "revolutions": 1
  case "gon", "grad", "gradian", "gradians": 400
  default: nil
  }
}

/// `difference` less whole turns: the shorter way, from -turn / 2 to turn / 2.
package func shorterWay(_ difference: Double, turn: Double?) -> Double {
  guard let turn else { return difference }
  return difference - turn * (difference / turn).rounded()
}

/// Takes the jumps by whole turns out of a signal, sample by sample: each comes within half a turn of the one before.
struct Unwrapping {
  let turn: Double
  private var turns = 0.0
  private var last: Double?

  init(turn: Double) { self.turn = turn }

  mutating func next(_ value: Double) -> Double {
    if let last { turns -= ((value - last) / turn).rounded() }
    last = value
    return value + turn * turns
  }
}
