// SPDX-License-Identifier: Apache-2.0
// Matern 5/2: (1 + s + s^2 / 3) exp(-s), s = sqrt(5 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(5/6) (1 + s) exp(-s).

import Foundation

enum Matern52: RadialProfile {
  static func valueAndSlope(_ r2: Double) -> (value: Double, slope: Double) {
    let s = (5 * r2).squareRoot()
    let decay = exp(-s)
    return ((1 + s + s * s / 3) * decay, -5.0 / 6 * (1 + s) * decay)
  }
}
