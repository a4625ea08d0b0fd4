// SPDX-License-Identifier: Apache-2.0
// What the Matern profiles have in common: the distance, and Student's t as their spectrum.

import Draws
import Programs

/// sqrt(factor r2), from 1e-6 up, where the root's slope is finite.
func maternDistance(_ factor: Double, _ r2: Value) -> Value {
  sqrt(maximum(r2 * factor, r2.builder.constant([1e-12])))
}

/// sqrt(degrees / chi2): what makes a normal draw one of Student's t.
func studentScale(degrees: Int, key: DrawKey, particle: Int) -> Double {
  let chi = key.normals(particle: particle, step: 1, count: degrees).reduce(0) { $0 + $1 * $1 }
  return (Double(degrees) / chi).squareRoot()
}
