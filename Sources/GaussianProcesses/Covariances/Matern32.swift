// SPDX-License-Identifier: Apache-2.0
// Matern 3/2: (1 + s) exp(-s), s = sqrt(3 r2) (Rasmussen & Williams 2006, 4.17).
// d/d r2 = -(3/2) exp(-s), finite at 0.

import Foundation

enum Matern32: RadialProfile {
  static func valueAndSlope(_ r2: Double) -> (value: Double, slope: Double) {
    let s = (3 * r2).squareRoot()
    let decay = exp(-s)
    return ((1 + s) * decay, -1.5 * decay)
  }
}
