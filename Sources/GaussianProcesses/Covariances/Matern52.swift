// SPDX-License-Identifier: Apache-2.0
// Matern 5/2: (1 + s + s^2 / 3) exp(-s), s = sqrt(5 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(5/6) (1 + s) exp(-s). Frequencies: Student's t with 5 degrees of freedom.

import Draws
import Programs

enum Matern52: RadialProfile {
  static func fill(
    inPlaceOfDistances exponents: UnsafeMutableBufferPointer<Double>,
    roots: UnsafeMutableBufferPointer<Double>,
    shape: Double
  ) {
    for j in exponents.indices { exponents[j] = -(5 * exponents[j]).squareRoot() }
  }

  static func valueAndSlope(_ point: ProfilePoint) -> (value: Double, slope: Double) {
    let (a, decay) = (point.exponent, point.decay)
    return ((1 - a + a * a / 3) * decay, -5.0 / 6 * (1 - a) * decay)
  }

  static func expression(squaredDistance r2: Value, shape: Value) -> Value {
    let s = maternDistance(5, r2)
    return (1 + s + s * s / 3) * exp(-s)
  }

  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double {
    studentScale(degrees: 5, key: key, particle: particle)
  }
}
