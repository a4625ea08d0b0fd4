// SPDX-License-Identifier: Apache-2.0
// Covariance functions as program expressions k(x, z): samplers evaluate them in the rollout, learning on many
// points in row blocks. Hyperparameters come from a shared array, so that a new fit needs no new kernel.

import Programs

extension CovarianceFunction {
  /// What `expression` reads, from the start of the array it is given: inverse
  /// lengthscales, signal variance and shape; linear variances; in order.
  package var expressionData: [Double] {
    switch self {
    case .stationary(let k): k.lengthscales.map { 1 / $0 } + [k.signalVariance] + k.shapes
    case .linear(let k): k.variances
    case .sum(let a, let b), .product(let a, let b): a.expressionData + b.expressionData
    }
  }

  /// The derivative of each of these numbers with respect to its hyperparameter (a logarithm); they stand in
  /// the same order.
  var expressionSlopes: [Double] {
    switch self {
    case .stationary(let k): k.lengthscales.map { -1 / $0 } + [k.signalVariance] + k.shapes
    case .linear(let k): k.variances
    case .sum(let a, let b), .product(let a, let b): a.expressionSlopes + b.expressionSlopes
    }
  }

  /// k(x, z) as a scalar value; its numbers start at `offset` of the shared `array`.
  package func expression(_ x: Value, _ z: Value, array: String, offset: Int = 0) -> Value {
    let (builder, d) = (x.builder, x.length)
    switch self {
    case .stationary(let k):
      let difference = (x - z) * builder.shared(array, offset: offset, length: d)
      let variance = builder.shared(array, offset: offset + d, length: 1)
      let profile = k.profile.profile
      let shape =
        profile.hasShape
        ? builder.shared(array, offset: offset + d + 1, length: 1) : builder.constant([1])
      return variance
        * profile.expression(squaredDistance: dot(difference, difference), shape: shape)
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
