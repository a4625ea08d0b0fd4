// SPDX-License-Identifier: Apache-2.0
// The shape of a stationary covariance function along the squared scaled distance r2: a complete definition for the project.
// A new one is a file with its type, and a case and a line below.

import Draws
import Programs

/// k(x, z) = signal variance * f(r2), r2 = sum_d (x_d - z_d)^2 / l_d^2; f(0) = 1. Values are e^a times polynomials of a(r2), so
/// that the exponentials of whole rows are taken at once (CVectorMath). A profile may have a shape parameter; others are
/// given 1 and do not look at it.
protocol RadialProfile: SendableMetatype {
  static var hasShape: Bool { get }

  /// Whether f is a product over the inputs, as grids of several axes want it.
  static var isSeparable: Bool { get }

  /// a <= 0 of many points where their r2 stood; of a profile with a shape also their roots e^(a / shape).
  static func fill(
    inPlaceOfDistances exponents: UnsafeMutableBufferPointer<Double>,
    roots: UnsafeMutableBufferPointer<Double>, shape: Double)

  /// f and df/dr2.
  static func valueAndSlope(_ point: ProfilePoint) -> (value: Double, slope: Double)

  /// df/dlog shape.
  static func shapeSlope(_ point: ProfilePoint, shape: Double) -> Double

  /// f as a program value.
  static func expression(squaredDistance r2: Value, shape: Value) -> Value

  /// A draw of t where f is the mean of exp(-t^2 r2 / 2): frequencies of Fourier features are t times normal ones over the
  /// lengthscales (Rahimi & Recht 2008). Of `key`, steps 0 and 2 are taken: 1, and 3 on, are free. `key.uniforms` lie between 0 and
  /// 1, ends excluded.
  static func frequencyScale(shape: Double, key: DrawKey, particle: Int) -> Double
}

extension RadialProfile {
  static var hasShape: Bool { false }
  static var isSeparable: Bool { false }
  static func shapeSlope(_ point: ProfilePoint, shape: Double) -> Double { 0 }
}

/// What values and slopes of a profile are made of at one distance.
struct ProfilePoint {
  /// a
  let exponent: Double
  /// e^a
  let decay: Double
  /// e^(a / shape); nothing of profiles without a shape.
  let root: Double
}

/// The profiles by name, as they stand in files.
package enum RadialProfileName: String, Hashable, Sendable, Codable, CaseIterable {
  case squaredExponential = "squared-exponential"
  case matern32 = "matern-3/2"
  case matern52 = "matern-5/2"
  case rationalQuadratic = "rational-quadratic"

  /// Work on the profile's type. Spelt out, because inner loops are then compiled for each profile.
  func run<Work: ProfileWork>(_ work: Work) -> Work.Result {
    switch self {
    case .squaredExponential: work(SquaredExponential.self)
    case .matern32: work(Matern32.self)
    case .matern52: work(Matern52.self)
    case .rationalQuadratic: work(RationalQuadratic.self)
    }
  }

  var profile: any RadialProfile.Type { run(TypeOfProfile()) }
}

/// What is compiled for each profile.
protocol ProfileWork {
  associatedtype Result
  func callAsFunction<Profile: RadialProfile>(_ profile: Profile.Type) -> Result
}

private struct TypeOfProfile: ProfileWork {
  func callAsFunction<Profile: RadialProfile>(_ profile: Profile.Type) -> any RadialProfile.Type {
    profile
  }
}
