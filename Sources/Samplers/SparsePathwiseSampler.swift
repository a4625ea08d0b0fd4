// SPDX-License-Identifier: Apache-2.0
// Pathwise conditioning through inducing points (Wilson et al. 2021, section 4.2): as PathwiseSampler, one function a particle for its
// whole rollout, but Matheron's rule moves the prior's draw over m inducing points P in place of n data:
//
//   f(x) = h(x)^T beta + sum_j w_j phi_j(x) + k(x, P) v
//   v = K_P^-1 (u - Phi_P w),   u ~ the posterior of the inducing values (LowRankPosterior)
//     = c + T z - K_P^-1 Phi_P w,   z ~ N(0, I), c and T its weights' mean and root
//
// F + m multiply-adds a particle-step and output, whatever n is, where `sparse` has m + m^2: what outputs that read many inputs of
// long logs need.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// One consistent function draw a particle, through inducing points.
public struct SparsePathwiseSampler: GroupSampler {
  public let name = SamplerName.sparsePathwise
  public let group: ProcessGroup
  private let function: FunctionDraw
  private let outputs: [Output]

  /// What draws of one output need.
  private struct Output: Sendable {
    let features: FourierFeatures
    let posterior: LowRankPosterior
    /// c [m]
    let mean: [Double]
    /// T beside -K_P^-1 Phi_P [m, m + F]: what z and w come to.
    let spread: Matrix

    var points: Int { mean.count }
  }

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - features: F of each output.
  ///   - inducingPoints: at most this many; fewer where fewer explain the data.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `UnsuitableSampler` for covariance functions that are not stationary, `FactorizationError`.
  public init(
    _ group: ProcessGroup, features: Int = 256, inducingPoints: Int,
    noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let outputs = try group.processes.enumerated().map { k, process -> Output in
      let fourier = try FourierFeatures(process, count: features, output: group.outputs[k])
      let posterior = try LowRankPosterior(
        process, tolerance: 1e-3, largestRank: inducingPoints)
      let prior = posterior.pivotWeights(of: fourier.values(posterior.pivots))
      return Output(
        features: fourier, posterior: posterior, mean: posterior.meanWeights,
        spread: posterior.weightRoot.beside(-1 * prior))
    }
    self.outputs = outputs
    function = FunctionDraw(
      group, outputs.map { ($0.features, $0.posterior.pivots) }, noise: noise)
  }

  public var data: [String: [Double]] { function.data }

  public var summary: String {
    "\(list(outputs.map(\.points))) inducing points, \(outputs[0].features.count) features"
  }

  public var functionLength: Int { function.length }

  public func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    function.increments(at: x, draws: draws, functionOffset: functionOffset)
  }

  public func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    function.draws(
      particles, key: key, normals: { outputs[$0].points + outputs[$0].features.count }
    ) { k, normals in
      // z, then w.
      let (output, m) = (outputs[k], outputs[k].points)
      var v = withOneBLASThread { normals.times(output.spread, transposingSecond: true) }
      for b in 0..<particles { for i in 0..<m { v[b, i] += output.mean[i] } }
      let w = normals.selecting(columns: m..<normals.columns)
      return (output.features.amplitude * w, v)
    }
  }

  /// The moments of the draws in closed form: their mean is the low-rank posterior's, their variance
  ///
  ///   ||phi(x) - Phi_P^T K_P^-1 k(P, x)||^2 + ||T^T k(P, x)||^2
  ///
  /// differs from it by what F features miss of the prior. With observed noise, what the calibration adds to the latent
  /// variance is left out.
  public func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
    try SamplerCertificate(self, sets: sets, noise: noise) { set in
      var mean = Matrix(rows: set.rows, columns: outputs.count)
      var deviation = mean
      for (k, output) in outputs.enumerated() {
        let process = group.processes[k]
        let (m, f) = (output.points, output.features.count)
        let own = output.posterior.predict(set).mean
        let covariance = process.hyperparameters.covariance.matrix(output.posterior.pivots, set)
        let parts = output.spread.times(covariance, transposingFirst: true)
        let features = output.features.values(set)
        let added =
          noise == .observed
          ? process.addedVariance(set, share: group.noiseShares[k]) : own.map { _ in 0 }
        for i in 0..<set.rows {
          var variance = added[i]
          for j in 0..<m { variance += parts[j, i] * parts[j, i] }
          for j in 0..<f {
            let left = features[i, j] + parts[m + j, i]
            variance += left * left
          }
          (mean[i, k], deviation[i, k]) = (own[i], variance.squareRoot())
        }
      }
      return (mean, deviation)
    }
  }
}
