// SPDX-License-Identifier: Apache-2.0
// Matern 3/2: (1 + s) exp(-s), s = sqrt(3 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(3/2) exp(-s), finite at 0.

enum Matern32: RadialProfile {
  static func exponent(_ r2: Double) -> Double { -(3 * r2).squareRoot() }

  static func valueAndSlope(exponent a: Double, decay: Double) -> (value: Double, slope: Double) {
    ((1 - a) * decay, -1.5 * decay)
  }
}
