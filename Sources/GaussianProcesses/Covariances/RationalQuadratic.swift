// SPDX-License-Identifier: Apache-2.0
// Rational quadratic: (1 + r2 / (2 alpha))^-alpha (Rasmussen & Williams 2006, 4.19), squared exponentials of all lengthscales
// l / t, t^2 ~ Gamma(alpha, rate alpha): rests and fast motion in one log have two length scales.
//
//   a = -alpha log(1 + r2 / (2 alpha)),  w = 1 / (1 + r2 / (2 alpha)) = e^(a / alpha)
//   df/dr2 = -1/2 w e^a,   df/dlog alpha = (a + alpha (1 - w)) e^a

import CVectorMath
import Draws
import Foundation
import Programs

enum RationalQuadratic: RadialProfile {
  static var hasShape: Bool { true }

  static func fill(
    inPlaceOfDistances exponents: UnsafeMutableBufferPointer<Double>,
    roots: UnsafeMutableBufferPointer<Double>,
    shape: Double
  ) {
    for j in exponents.indices {
      // Where the distance is beyond all numbers the covariance is 0.
      let far = exponents[j] / (2 * shape)
      let u = far > 1e300 ? 1e300 : far
      exponents[j] = u
      roots[j] = 1 / (1 + u)
    }
    vector_log1p(exponents.baseAddress, exponents.baseAddress, exponents.count)
    for j in exponents.indices { exponents[j] *= -shape }
  }

  static func valueAndSlope(_ point: ProfilePoint) -> (value: Double, slope: Double) {
    (point.decay, -0.5 * point.root * point.decay)
  }

  static func shapeSlope(_ point: ProfilePoint, shape: Double) -> Double {
    (point.exponent + shape * (1 - point.root)) * point.decay
  }

  static func expression(squaredDistance r2: Value, shape: Value) -> Value {
    // log1p(u) = log w + (u - (w - 1)) / w, w = 1 + u as it was rounded: alpha multiplies what log w alone would lose.
    let u = 0.5 * r2 / shape
    let w = 1 + u
    return Programs.exp(-(shape * (Programs.log(w) + (u - (w - 1)) / w)))
  }

  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double {
    // Gamma(alpha) = Gamma(alpha + 1) U^(1 / alpha), where alpha < 1.
    let isSmall = shape < 1
    let u = key.uniforms(particle: particle, step: 3, count: 1)[0]
    let factor = isSmall ? pow(u, 1 / shape) : 1
    let gamma = standardGamma(isSmall ? shape + 1 : shape, key: key, particle: particle)
    return (factor * gamma / shape).squareRoot()
  }

  /// A draw of Gamma(alpha, 1), alpha >= 1, by rejection (Marsaglia & Tsang 2000): 98 in 100 first tries are taken.
  private static func standardGamma(_ alpha: Double, key: DrawKey, particle: Int) -> Double {
    let d = alpha - 1 / 3.0
    let c = 1 / (9 * d).squareRoot()
    var step = 4
    while true {
      let x = key.normals(particle: particle, step: step, count: 1)[0]
      let u = key.uniforms(particle: particle, step: step, count: 1)[0]
      let v = (1 + c * x) * (1 + c * x) * (1 + c * x)
      if v > 0 && Foundation.log(u) < 0.5 * x * x + d - d * v + d * Foundation.log(v) {
        return d * v
      }
      step += 1
    }
  }
}
