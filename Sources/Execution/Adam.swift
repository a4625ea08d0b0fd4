// SPDX-License-Identifier: Apache-2.0
// Adam (Kingma & Ba 2014, the paper's reference 40), ascending, in double precision: Algorithm 1, line 17. It is
// here because a GPU does it where the gradient is; CUDAAscent.swift has the same formulas.

/// Adam's moments.
package struct Adam: Hashable, Sendable {
  package var firstMoment: [Double]
  package var secondMoment: [Double]
  package var steps = 0
  static let beta1 = 0.9
  static let beta2 = 0.999
  static let epsilon = 1e-8

  package init(count: Int) {
    firstMoment = Array(repeating: 0, count: count)
    secondMoment = firstMoment
  }

  /// 1 - beta^steps of both moments, which start at zero.
  var corrections: (first: Double, second: Double) {
    (1 - power(Self.beta1, steps), 1 - power(Self.beta2, steps))
  }

  /// Moves `parameters` uphill: theta += rate * mhat / (sqrt(vhat) + epsilon).
  package mutating func ascend(_ parameters: inout [Double], gradient: [Double], rate: Double) {
    steps += 1
    let corrections = corrections
    for i in parameters.indices {
      firstMoment[i] = Self.beta1 * firstMoment[i] + (1 - Self.beta1) * gradient[i]
      secondMoment[i] =
        Self.beta2 * secondMoment[i] + (1 - Self.beta2) * gradient[i] * gradient[i]
      let step =
        firstMoment[i] / corrections.first
        / ((secondMoment[i] / corrections.second).squareRoot() + Self.epsilon)
      parameters[i] += rate * step
    }
  }

  private func power(_ base: Double, _ exponent: Int) -> Double {
    var (result, factor, n) = (1.0, base, exponent)
    while n > 0 {
      if n % 2 == 1 { result *= factor }
      factor *= factor
      n /= 2
    }
    return result
  }
}
