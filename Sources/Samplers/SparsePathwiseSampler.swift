// SPDX-License-Identifier: Apache-2.0
// Pathwise conditioning through inducing points (Wilson et al. 2021, section 4.2): as PathwiseSampler, one function per particle for its
// whole rollout, but Matheron's rule moves the prior's draw over m inducing points P in place of n data:
//
//   f(x) = h(x)^T beta + sum_j w_j phi_j(x) + k(x, P) v
//   v = K_P^-1 (u - Phi_P w),   u ~ the posterior of the inducing values (LowRankPosterior)
//     = c + s (T z - K_P^-1 Phi_P w),   z ~ N(0, I), c and T its weights' mean and root; w is s times standard normal, with the spread
//                                       s = 1 of the posterior, or more where the posterior is known to be too sure
//
// F + m multiply-adds per particle-step and output, independent of n, where `sparse` has m + m^2: what outputs that read many inputs of
// long logs need.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// One consistent function draw per particle, through inducing points.
package struct SparsePathwiseSampler: GroupSampler {
  package let name = SamplerName.sparsePathwise
  package let group: ProcessGroup
  private let function: FunctionDraw
  private let outputs: [Output]

  /// What draws of one output need.
  private struct Output: Sendable {
    let features: FourierFeatures
    let posterior: LowRankPosterior
    /// c [m]
    let mean: [Double]
    /// s T beside -s K_P^-1 Phi_P [m, m + F]: what z and w come to.
    let roots: Matrix
    /// s
    let spread: Double

    var points: Int { mean.count }
  }

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - features: F of each output.
  ///   - inducingPoints: at most this many; fewer where fewer explain the data.
  ///   - spreads: s, by output of the model [M]; empty for 1.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `UnsuitableSampler` for covariance functions that are not stationary, `FactorizationError`.
  package init(
    _ group: ProcessGroup, features: Int = 256, inducingPoints: Int, spreads: [Double] = [],
    noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let outputs = try group.processes.enumerated().map { k, process -> Output in
      let fourier = try FourierFeatures(process, count: features, output: group.outputs[k])
      let posterior = try LowRankPosterior(
        process, tolerance: 1e-3, largestRank: inducingPoints)
      let prior = posterior.pivotWeights(of: fourier.values(posterior.pivots))
      let spread = spreads.isEmpty ? 1 : spreads[group.outputs[k]]
      return Output(
        features: fourier, posterior: posterior, mean: posterior.meanWeights,
        roots: spread * posterior.weightRoot.beside(-1 * prior), spread: spread)
    }
    self.outputs = outputs
    function = FunctionDraw(
      group, outputs.map { ($0.features, $0.posterior.pivots) }, noise: noise)
  }

  package var data: [String: [Double]] { function.data }

  package var summary: String {
    "\(list(outputs.map(\.points))) inducing points, \(outputs[0].features.count) features"
  }

  package var functionLength: Int { function.length }

  package func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    function.increments(at: x, draws: draws, functionOffset: functionOffset)
  }

  package func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    function.draws(
      particles, key: key, normals: { outputs[$0].points + outputs[$0].features.count }
    ) { k, normals in
      // z, then w.
      let (output, m) = (outputs[k], outputs[k].points)
      var v = withOneBLASThread { normals.times(output.roots, transposingSecond: true) }
      for b in 0..<particles { for i in 0..<m { v[b, i] += output.mean[i] } }
      let w = normals.selecting(columns: m..<normals.columns)
      return (output.spread * output.features.amplitude * w, v)
    }
  }

  /// What the functions of an output are off the posterior's mean at points, by their normals: [points, m + F].
  func deviations(output k: Int, at points: Matrix) -> Matrix {
    let (output, process) = (outputs[k], group.processes[k])
    var result = process.hyperparameters.covariance.matrix(points, output.posterior.pivots)
      .times(output.roots)
    let features = output.features.values(points)
    let m = output.points
    for i in 0..<points.rows {
      for j in 0..<features.columns { result[i, m + j] += output.spread * features[i, j] }
    }
    return result
  }

  /// Standard normals of functions of an output [functions, count].
  func normals(_ count: Int, output k: Int, functions: Int, key: DrawKey) -> Matrix {
    FourierFeatures.normals(functions, count: count, output: group.outputs[k], key: key)
  }

  /// The moments of the draws in closed form: their mean is the low-rank posterior's, their variance
  ///
  ///   ||phi(x) - Phi_P^T K_P^-1 k(P, x)||^2 + ||T^T k(P, x)||^2
  ///
  /// s^2 times both, differs from it by what F features miss of the prior. With observed noise, what the calibration adds to the latent
  /// variance is left out.
  package func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
    try SamplerCertificate(self, sets: sets, noise: noise) { set in
      var mean = Matrix(rows: set.rows, columns: outputs.count)
      var deviation = mean
      for (k, output) in outputs.enumerated() {
        let process = group.processes[k]
        let own = output.posterior.predict(set).mean
        let roots = deviations(output: k, at: set)
        let added =
          noise == .observed
          ? process.addedVariance(set, share: group.noiseShares[k]) : own.map { _ in 0 }
        for i in 0..<set.rows {
          var variance = added[i]
          for root in roots.row(i) { variance += root * root }
          (mean[i, k], deviation[i, k]) = (own[i], variance.squareRoot())
        }
      }
      return (mean, deviation)
    }
  }
}
