// SPDX-License-Identifier: Apache-2.0
// Matern 3/2: (1 + s) exp(-s), s = sqrt(3 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(3/2) exp(-s), finite at 0. Frequencies: Student's t with 3 degrees of freedom.

import Draws
import Programs

enum Matern32: RadialProfile {
  static func fill(
    inPlaceOfDistances exponents: UnsafeMutableBufferPointer<Double>,
    roots: UnsafeMutableBufferPointer<Double>,
    shape: Double
  ) {
    for j in exponents.indices { exponents[j] = -(3 * exponents[j]).squareRoot() }
  }

  static func valueAndSlope(_ point: ProfilePoint) -> (value: Double, slope: Double) {
    let (a, decay) = (point.exponent, point.decay)
    return ((1 - a) * decay, -1.5 * decay)
  }

  static func expression(squaredDistance r2: Value, shape: Value) -> Value {
    let s = maternDistance(3, r2)
    return (1 + s) * exp(-s)
  }

  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double {
    studentScale(degrees: 3, key: key, particle: particle)
  }
}
