// SPDX-License-Identifier: Apache-2.0
// Squared exponential: exp(-r2 / 2) (the paper's equation 4; Rasmussen & Williams 2006, 4.9).

import Draws
import Programs

enum SquaredExponential: RadialProfile {
  static var isSeparable: Bool { true }

  static func exponent(_ r2: Double, shape: Double) -> Double { -0.5 * r2 }

  static func valueAndSlope(
    exponent a: Double, decay: Double, shape: Double
  ) -> (value: Double, slope: Double) {
    (decay, -0.5 * decay)
  }

  static func expression(squaredDistance r2: Value, shape: Value) -> Value { exp(-0.5 * r2) }

  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double { 1 }
}
