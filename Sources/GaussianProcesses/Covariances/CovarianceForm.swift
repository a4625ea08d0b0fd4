// SPDX-License-Identifier: Apache-2.0
// A covariance function without its numbers, as a model's file describes it; the numbers are a tensor.

/// How a covariance function is made of others.
indirect enum CovarianceForm: Codable, Sendable {
  case stationary(RadialProfileName)
  case linear
  case sum(CovarianceForm, CovarianceForm)
  case product(CovarianceForm, CovarianceForm)

  init(_ function: CovarianceFunction) {
    switch function {
    case .stationary(let k): self = .stationary(k.profile)
    case .linear: self = .linear
    case .sum(let a, let b): self = .sum(CovarianceForm(a), CovarianceForm(b))
    case .product(let a, let b): self = .product(CovarianceForm(a), CovarianceForm(b))
    }
  }

  /// Functions that are not made of others.
  var leaves: Int {
    switch self {
    case .stationary, .linear: 1
    case .sum(let a, let b), .product(let a, let b): a.leaves + b.leaves
    }
  }

  /// The function of D inputs, each of its hyperparameters 1.
  func function(inputs: Int) -> CovarianceFunction {
    let ones = Array(repeating: 1.0, count: inputs)
    return switch self {
    case .stationary(let profile):
      .stationary(StationaryCovariance(profile, lengthscales: ones, signalVariance: 1))
    case .linear: .linear(LinearCovariance(variances: ones))
    case .sum(let a, let b): .sum(a.function(inputs: inputs), b.function(inputs: inputs))
    case .product(let a, let b): .product(a.function(inputs: inputs), b.function(inputs: inputs))
    }
  }
}
