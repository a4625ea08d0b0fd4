// SPDX-License-Identifier: Apache-2.0
// The shape of a stationary covariance function along the squared scaled distance r2.

/// k(x, z) = signal variance * value(r2), r2 = sum_d (x_d - z_d)^2 / l_d^2; value(0) = 1.
protocol RadialProfile {
  /// The profile and its derivative with respect to r2.
  static func valueAndSlope(_ r2: Double) -> (value: Double, slope: Double)
}

/// The profiles by name, as they stand in files.
public enum RadialProfileName: String, Hashable, Sendable, Codable, CaseIterable {
  case squaredExponential = "squared-exponential"
  case matern32 = "matern-3/2"
  case matern52 = "matern-5/2"

  var profile: any RadialProfile.Type {
    switch self {
    case .squaredExponential: SquaredExponential.self
    case .matern32: Matern32.self
    case .matern52: Matern52.self
    }
  }
}
