// SPDX-License-Identifier: Apache-2.0
// Pathwise conditioning (Wilson et al. 2021): every particle draws one function of the posterior and keeps it for
// its whole rollout. Random Fourier features draw from the prior (FourierFeatures.swift), Matheron's rule makes
// it a draw of the posterior:
//
//   f(x) = h(x)^T beta + sum_j w_j phi_j(x) + k(x, X) v
//   v = (K + sn2 C)^-1 (y - H beta - Phi w - e),       e ~ N(0, sn2 C)
//
// F + n multiply-adds per particle-step and output, F + n numbers per particle.

import Draws
import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// One consistent function draw per particle.
package struct PathwiseSampler: GroupSampler {
  package let name = SamplerName.pathwise
  package let group: ProcessGroup
  private let function: FunctionDraw
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
  package init(
    _ group: ProcessGroup, features: Int = 256, noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let outputs = try group.processes.enumerated().map { k, process -> Output in
      let fourier = try FourierFeatures(process, count: features, output: group.outputs[k])
      guard let exact = process.exact else {
        throw UnsuitableSampler(
          "\(process.x.rows) points are too many for pathwise draws (at most "
            + "\(GaussianProcess.largestExact))",
          remedy: .samplers(["sparse-pathwise", "tabulated", "sparse"]))
      }
      return Output(
        fourier: fourier, features: fourier.values(process.x), residuals: process.residuals,
        precision: SinglePrecisionOperator(
          lowerTriangle: exact.cholesky.inverseLowerTriangle()),
        noiseDeviations: process.noiseFactors.map {
          ($0 * process.hyperparameters.noiseVariance).squareRoot()
        })
    }
    self.outputs = outputs
    function = FunctionDraw(
      group, zip(outputs, group.processes).map { ($0.fourier, $1.x) }, noise: noise)
  }

  package var data: [String: [Double]] { function.data }

  package var summary: String { "\(outputs[0].features.columns) features" }

  package var functionLength: Int { function.length }

  package func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    function.increments(at: x, draws: draws, functionOffset: functionOffset)
  }

  package func functionDraws(_ particles: Int, key: DrawKey) -> [Double] {
    function.draws(
      particles, key: key, normals: { outputs[$0].features.columns + outputs[$0].features.rows }
    ) { k, normals in
      // w, then e.
      let output = outputs[k]
      let (n, f) = (output.features.rows, output.features.columns)
      let w = normals.selecting(columns: 0..<f)
      // y - H beta - Phi w - e, a column per particle.
      var targets = withOneBLASThread { output.features.times(w, transposingSecond: true) }
      targets.values.withUnsafeMutableBufferPointer { targets in
        for i in 0..<n {
          for b in 0..<particles {
            let e = output.noiseDeviations[i] * normals.values[b * (f + n) + f + i]
            targets[i * particles + b] = output.residuals[i] - targets[i * particles + b] - e
          }
        }
      }
      return (output.fourier.amplitude * w, output.precision.times(targets).transposed)
    }
  }

  /// The moments of the draws in closed form: their mean is the exact posterior's, their variance
  ///
  ///   ||phi(x) - Phi^T a||^2 + sn2 a^T C a,   a = (K + sn2 C)^-1 k(X, x)
  ///
  /// differs from it by what F features miss of the prior. With observed noise, what the calibration adds to the latent
  /// variance is left out.
  package func certificate(at sets: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate {
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
