// SPDX-License-Identifier: Apache-2.0
// Matern 5/2: (1 + s + s^2 / 3) exp(-s), s = sqrt(5 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(5/6) (1 + s) exp(-s).

enum Matern52: RadialProfile {
  static func exponent(_ r2: Double) -> Double { -(5 * r2).squareRoot() }

  static func valueAndSlope(exponent a: Double, decay: Double) -> (value: Double, slope: Double) {
    ((1 - a + a * a / 3) * decay, -5.0 / 6 * (1 - a) * decay)
  }
}
