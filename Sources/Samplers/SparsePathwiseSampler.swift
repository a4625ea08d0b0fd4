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
  public let data: [String: [Double]]
  public let group: ProcessGroup
  private let noise: ObservationNoise
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
    var length: Int { features.count + points }
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
    var data = group.priorMeanData
    var outputs: [Output] = []
    for (k, process) in group.processes.enumerated() {
      let fourier = try FourierFeatures(process, count: features, output: group.outputs[k])
      let posterior = try LowRankPosterior(
        process, tolerance: 1e-3, largestRank: inducingPoints)
      let prior = posterior.pivotWeights(of: fourier.values(posterior.pivots))
      outputs.append(
        Output(
          features: fourier, posterior: posterior, mean: posterior.meanWeights,
          spread: posterior.weightRoot.beside(-1 * prior)))
      data[group.array("inputs", k)] = posterior.pivots.values
      data[group.array("frequencies", k)] = fourier.frequencies.values
      data[group.array("covariance", k)] = process.hyperparameters.covariance.expressionData
    }
    self.outputs = outputs
    self.noise = ObservationNoise(group, noise)
    self.data = SharedArrays.joined([data, self.noise.data])
  }

  public var summary: String {
    "\(list(outputs.map(\.points))) inducing points, \(outputs[0].features.count) features"
  }

  public var functionLength: Int { outputs.reduce(0) { $0 + $1.length } }

  public func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    var offset = functionOffset
    let functions = outputs.enumerated().map { k, output -> Value in
      func weights(_ count: Int) -> SharedMatrix {
        defer { offset += count }
        return SharedMatrix(
          array: RolloutProgram.functionDraw, offset: offset, rows: count, columns: 1)
      }
      let prior = output.features.sum(
        at: x, array: group.array("frequencies", k), weights: weights(output.features.count))
      let covariance = group.processes[k].hyperparameters.covariance
      let update = WeightedSum(
        dimensions: group.dimensions,
        rows: SharedMatrix(
          array: group.array("inputs", k), rows: output.points, columns: group.dimensions),
        weights: weights(output.points)
      ) { x, row in covariance.expression(x, row, array: group.array("covariance", k)) }
      return prior + x.builder.apply(.weightedSum(update), x)
    }
    let latent = group.priorMean(at: x) + x.builder.concatenate(functions)
    if noise.noise == .latent { return latent }
    let added = outputs.indices.map { noise.addedDeviation(output: $0, at: x) }
    return latent + x.builder.concatenate(added) * draws
  }

  public func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    let length = functionLength
    var draws = [Double](repeating: 0, count: particles * length)
    var offset = 0
    for (k, output) in outputs.enumerated() {
      let (m, f) = (output.points, output.features.count)
      // z, then w.
      let normals = FourierFeatures.normals(
        particles, count: m + f, output: group.outputs[k], key: key)
      let v = withOneBLASThread { normals.times(output.spread, transposingSecond: true) }
      for b in 0..<particles {
        let start = b * length + offset
        for j in 0..<f { draws[start + j] = output.features.amplitude * normals[b, m + j] }
        for i in 0..<m { draws[start + f + i] = output.mean[i] + v[b, i] }
      }
      offset += output.length
    }
    return draws
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
