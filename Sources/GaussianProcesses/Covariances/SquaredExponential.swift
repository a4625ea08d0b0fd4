// SPDX-License-Identifier: Apache-2.0
// Squared exponential: exp(-r2 / 2) (the paper's equation 4; Rasmussen & Williams 2006, 4.9).

import Foundation

enum SquaredExponential: RadialProfile {
  static func valueAndSlope(_ r2: Double) -> (value: Double, slope: Double) {
    let value = exp(-0.5 * r2)
    return (value, -0.5 * value)
  }
}
