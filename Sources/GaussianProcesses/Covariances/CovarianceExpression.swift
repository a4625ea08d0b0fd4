// SPDX-License-Identifier: Apache-2.0
// Covariance functions as program expressions k(x, z): samplers evaluate them in the rollout, learning on many
// points in row blocks. Hyperparameters come from a shared array, so that a new fit needs no new kernel.

import Programs

extension CovarianceFunction {
  /// What `expression` reads, from the start of the array it is given: inverse lengthscales and signal variance, linear variances, in order.
  public var expressionData: [Double] {
    switch self {
    case .stationary(let k): k.lengthscales.map { 1 / $0 } + [k.signalVariance]
    case .linear(let k): k.variances
    case .sum(let a, let b), .product(let a, let b): a.expressionData + b.expressionData
    }
  }

  /// The derivative of each of these numbers with respect to its hyperparameter (a logarithm); they stand in
  /// the same order.
  var expressionSlopes: [Double] {
    switch self {
    case .stationary(let k): k.lengthscales.map { -1 / $0 } + [k.signalVariance]
    case .linear(let k): k.variances
    case .sum(let a, let b), .product(let a, let b): a.expressionSlopes + b.expressionSlopes
    }
  }

  /// k(x, z) as a scalar value; its numbers start at `offset` of the shared `array`.
  public func expression(_ x: Value, _ z: Value, array: String, offset: Int = 0) -> Value {
    let (builder, d) = (x.builder, x.length)
    switch self {
    case .stationary(let k):
      let difference = (x - z) * builder.shared(array, offset: offset, length: d)
      let variance = builder.shared(array, offset: offset + d, length: 1)
      return variance * k.profile.expression(squaredDistance: dot(difference, difference))
    case .linear:
      return dot(x * builder.shared(array, offset: offset, length: d), z)
    case .sum(let a, let b):
      let next = offset + a.expressionData.count
      return a.expression(x, z, array: array, offset: offset)
        + b.expression(x, z, array: array, offset: next)
    case .product(let a, let b):
      let next = offset + a.expressionData.count
      return a.expression(x, z, array: array, offset: offset)
        * b.expression(x, z, array: array, offset: next)
    }
  }
}

extension RadialProfileName {
  /// The profile of a squared distance [1]. Matern profiles take distances from 1e-6 up, where the
  /// root's slope is finite.
  func expression(squaredDistance r2: Value) -> Value {
    func distance(_ factor: Double) -> Value {
      sqrt(maximum(r2 * factor, r2.builder.constant([1e-12])))
    }
    switch self {
    case .squaredExponential: return exp(-0.5 * r2)
    case .matern32:
      let s = distance(3)
      return (1 + s) * exp(-s)
    case .matern52:
      let s = distance(5)
      return (1 + s + s * s / 3) * exp(-s)
    }
  }
}
