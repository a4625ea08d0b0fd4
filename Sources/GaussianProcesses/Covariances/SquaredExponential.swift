// SPDX-License-Identifier: Apache-2.0
// Squared exponential: exp(-r2 / 2) (the paper's equation 4; Rasmussen & Williams 2006, 4.9).

import Draws
import Programs

enum SquaredExponential: RadialProfile {
  static var isSeparable: Bool { true }

  static func fill(
    inPlaceOfDistances exponents: UnsafeMutableBufferPointer<Double>,
    roots: UnsafeMutableBufferPointer<Double>,
    shape: Double
  ) {
    for j in exponents.indices { exponents[j] = -0.5 * exponents[j] }
  }

  static func valueAndSlope(_ point: ProfilePoint) -> (value: Double, slope: Double) {
    (point.decay, -0.5 * point.decay)
  }

  static func expression(squaredDistance r2: Value, shape: Value) -> Value { exp(-0.5 * r2) }

  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double { 1 }
}
