// SPDX-License-Identifier: Apache-2.0
// Pathwise conditioning (Wilson et al. 2021): every particle draws one function of the posterior and keeps it for
// its whole rollout. Random Fourier features draw from the prior (FourierFeatures.swift), Matheron's rule makes
// it a draw of the posterior:
//
//   f(x) = h(x)^T beta + sum_j w_j phi_j(x) + k(x, X) v
//   v = (K + sn2 C)^-1 (y - H beta - Phi w - e),       e ~ N(0, sn2 C)
//
// F + n multiply-adds a particle-step and output, F + n numbers a particle.

import Draws
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// One consistent function draw a particle.
public struct PathwiseSampler: GroupSampler {
  public let name = SamplerName.pathwise
  public let data: [String: [Double]]
  public let group: ProcessGroup
  private let noise: ObservationNoise
  private let outputs: [Output]

  /// What draws of one output need.
  private struct Output: Sendable {
    let fourier: FourierFeatures
    /// Phi [n, F]
    let features: Matrix
    let residuals: [Double]
    /// (K + sn2 C)^-1; the kernel reads v in single precision too
    let precision: SinglePrecisionOperator
    /// Of the noise of each row [n].
    let noiseDeviations: [Double]
  }

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - features: F of each output.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `UnsuitableSampler` for more than `GaussianProcess.largestExact` points and for covariance functions
  ///   that are not stationary.
  public init(
    _ group: ProcessGroup, features: Int = 256, noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    var outputs: [Output] = []
    var data = group.priorMeanData
    for (k, process) in group.processes.enumerated() {
      let fourier = try FourierFeatures(process, count: features, output: group.outputs[k])
      guard let exact = process.exact else {
        throw UnsuitableSampler(
          description:
            "\(process.x.rows) points are too many for pathwise draws (at most "
            + "\(GaussianProcess.largestExact)); use --sampler tabulated, kiss-gp or sparse")
      }
      outputs.append(
        Output(
          fourier: fourier, features: fourier.values(process.x),
          residuals: process.residuals,
          precision: SinglePrecisionOperator(
            lowerTriangle: exact.cholesky.inverseLowerTriangle()),
          noiseDeviations: process.noiseFactors.map {
            ($0 * process.hyperparameters.noiseVariance).squareRoot()
          }))
      data[group.array("inputs", k)] = process.x.values
      data[group.array("frequencies", k)] = fourier.frequencies.values
      data[group.array("covariance", k)] = process.hyperparameters.covariance.expressionData
    }
    self.outputs = outputs
    self.noise = ObservationNoise(group, noise)
    self.data = SharedArrays.joined([data, self.noise.data])
  }

  public var summary: String { "\(outputs[0].features.columns) features" }

  public var functionLength: Int {
    outputs.reduce(0) { $0 + $1.features.columns + $1.features.rows }
  }

  public func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    let builder = x.builder
    var offset = functionOffset
    let functions = outputs.enumerated().map { k, output -> Value in
      let (n, features) = (output.features.rows, output.features.columns)
      func weights(_ count: Int) -> SharedMatrix {
        defer { offset += count }
        return SharedMatrix(
          array: RolloutProgram.functionDraw, offset: offset, rows: count, columns: 1)
      }
      let d = group.dimensions
      let prior = output.fourier.sum(
        at: x, array: group.array("frequencies", k), weights: weights(features))
      let covariance = group.processes[k].hyperparameters.covariance
      let update = WeightedSum(
        dimensions: d, rows: SharedMatrix(array: group.array("inputs", k), rows: n, columns: d),
        weights: weights(n)
      ) { x, row in covariance.expression(x, row, array: group.array("covariance", k)) }
      return prior + builder.apply(.weightedSum(update), x)
    }
    let latent = group.priorMean(at: x) + builder.concatenate(functions)
    if noise.noise == .latent { return latent }
    let added = outputs.indices.map { noise.addedDeviation(output: $0, at: x) }
    return latent + builder.concatenate(added) * draws
  }

  public func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    let length = functionLength
    var draws = [Double](repeating: 0, count: particles * length)
    var offset = 0
    for (k, output) in outputs.enumerated() {
      let (n, f) = (output.features.rows, output.features.columns)
      let normals = FourierFeatures.normals(
        particles, count: f + n, output: group.outputs[k], key: key)
      // y - H beta - Phi w - e, a column a particle.
      var targets = withOneBLASThread {
        output.features.times(normals.selecting(columns: 0..<f), transposingSecond: true)
      }
      targets.values.withUnsafeMutableBufferPointer { targets in
        for i in 0..<n {
          for b in 0..<particles {
            let e = output.noiseDeviations[i] * normals.values[b * (f + n) + f + i]
            targets[i * particles + b] = output.residuals[i] - targets[i * particles + b] - e
          }
        }
      }
      let v = output.precision.times(targets)
      for b in 0..<particles {
        let start = b * length + offset
        for j in 0..<f {
          draws[start + j] = output.fourier.amplitude * normals.values[b * (f + n) + j]
        }
        for i in 0..<n { draws[start + f + i] = v.values[i * particles + b] }
      }
      offset += f + n
    }
    return draws
  }

  /// The moments of the draws in closed form: their mean is the exact posterior's, their variance
  ///
  ///   ||phi(x) - Phi^T a||^2 + sn2 a^T C a,   a = (K + sn2 C)^-1 k(X, x)
  ///
  /// differs from it by what F features miss of the prior. With observed noise, what the calibration adds to the latent
  /// variance is left out.
  public func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
    try SamplerCertificate(self, sets: sets, noise: noise) { set in
      var (mean, deviation) = (
        Matrix(rows: set.rows, columns: outputs.count),
        Matrix(rows: set.rows, columns: outputs.count)
      )
      for (m, output) in outputs.enumerated() {
        let process = group.processes[m]
        let exact = process.predict(set).mean
        let a = output.precision.times(process.hyperparameters.covariance.matrix(process.x, set))
        var left = output.fourier.values(set).transposed
        let explained = output.features.times(a, transposingFirst: true)
        for i in left.values.indices { left.values[i] -= explained.values[i] }
        let weighted = a.scalingRows(by: output.noiseDeviations)
        let (features, data) = (columnDots(left, left), columnDots(weighted, weighted))
        let latent = zip(features, data).map(+)
        let added =
          noise == .observed
          ? process.addedVariance(set, share: group.noiseShares[m]) : latent.map { _ in 0 }
        for i in 0..<set.rows {
          mean[i, m] = exact[i]
          deviation[i, m] = (latent[i] + added[i]).squareRoot()
        }
      }
      return (mean, deviation)
    }
  }
}
