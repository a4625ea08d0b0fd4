// SPDX-License-Identifier: Apache-2.0
// Reference values written by Tests/References/make_references.py (GPyTorch, NumPy).

import Bagel
import Foundation
import GaussianProcesses

struct References: Decodable {
  struct Case: Decodable {
    let name: String
    let parameters: [Double]
    let noiseVariance: Double
    let logMarginalLikelihood: Double
    let gradient: [Double]
    let mean: [Double]
    let variance: [Double]
  }

  struct LinearMean: Decodable {
    let coefficients: [Double]
    let logMarginalLikelihood: Double
    let mean: [Double]
  }

  struct VaryingNoise: Decodable {
    let factors: [Double]
    let mean: [Double]
    let variance: [Double]
    let logMarginalLikelihood: Double
  }

  struct BlockOut: Decodable {
    let errors: [Double]
    let variances: [Double]
  }

  struct KissGP: Decodable {
    let counts: [Int]
    let lower: [Double]
    let spacing: [Double]
    let x: [[Double]]
    let z: [[Double]]
    /// (grid point, weight) of each row of z.
    let weights: [[[Double]]]
    let mean: [Double]
    let variance: [Double]
  }

  struct Sparse: Decodable {
    let pivots: [Int]
    let mean: [Double]
    let variance: [Double]
  }

  /// Data, their largest likelihood, and where; log noise variance last.
  struct Fit: Decodable {
    let x: [Double]
    let y: [Double]
    let logMarginalLikelihood: Double
    let parameters: [Double]
  }

  let x: [[Double]]
  let y: [Double]
  let z: [[Double]]
  let cases: [Case]
  let linearMean: LinearMean
  let varyingNoise: VaryingNoise
  let blockOut: BlockOut
  let kiss: KissGP
  let sparse: Sparse
  let rationalQuadraticFit: Fit

  static func load() throws -> References {
    let url = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../References/gaussian_processes.json")
    return try JSONDecoder().decode(References.self, from: Data(contentsOf: url))
  }

  /// The hyperparameters of a case, without a mean.
  func hyperparameters(_ reference: Case) -> Hyperparameters {
    Hyperparameters(
      covariance: Self.covariance(reference.name, inputs: 3).with(parameters: reference.parameters),
      mean: .zero, noiseVariance: reference.noiseVariance, noiseFloor: 0)
  }

  /// Squared exponential, noise variance 0.05.
  var squaredExponential: Hyperparameters { hyperparameters(cases[0]) }

  static func covariance(_ name: String, inputs: Int) -> CovarianceFunction {
    let se = CovarianceFunction.stationary(
      StationaryCovariance(
        .squaredExponential, lengthscales: Array(repeating: 1, count: inputs), signalVariance: 1))
    let linear = CovarianceFunction.linear(
      LinearCovariance(variances: Array(repeating: 1, count: inputs)))
    switch name {
    case "linear": return linear
    case "sum": return se + linear
    case "product": return se * linear
    default:
      let profile = RadialProfileName(rawValue: name) ?? .squaredExponential
      return .stationary(
        StationaryCovariance(
          profile, lengthscales: Array(repeating: 1, count: inputs), signalVariance: 1))
    }
  }
}

/// The largest difference; infinite where the counts differ.
func distance(_ a: [Double], _ b: [Double]) -> Double {
  guard a.count == b.count else { return .infinity }
  return zip(a, b).map { abs($0 - $1) }.reduce(0) { $1.isNaN ? .infinity : max($0, $1) }
}
