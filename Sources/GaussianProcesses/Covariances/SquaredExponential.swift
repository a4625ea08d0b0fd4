// SPDX-License-Identifier: Apache-2.0
// Squared exponential: exp(-r2 / 2) (the paper's equation 4; Rasmussen & Williams 2006, 4.9).

enum SquaredExponential: RadialProfile {
  static func exponent(_ r2: Double) -> Double { -0.5 * r2 }

  static func valueAndSlope(exponent a: Double, decay: Double) -> (value: Double, slope: Double) {
    (decay, -0.5 * decay)
  }
}
