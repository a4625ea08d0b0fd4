// SPDX-License-Identifier: Apache-2.0
// The shape of a stationary covariance function along the squared scaled distance r2.

/// k(x, z) = signal variance * value(r2), r2 = sum_d (x_d - z_d)^2 / l_d^2; value(0) = 1. Value and slope are e^a times
/// polynomials of a(r2), so that the exponentials of whole rows are taken at once (CVectorMath).
protocol RadialProfile: SendableMetatype {
  /// a <= 0
  static func exponent(_ r2: Double) -> Double

  /// The profile and its derivative with respect to r2.
  ///
  /// - Parameter decay: e^a
  static func valueAndSlope(exponent a: Double, decay: Double) -> (value: Double, slope: Double)
}

/// The profiles by name, as they stand in files.
public enum RadialProfileName: String, Hashable, Sendable, Codable, CaseIterable {
  case squaredExponential = "squared-exponential"
  case matern32 = "matern-3/2"
  case matern52 = "matern-5/2"
}
