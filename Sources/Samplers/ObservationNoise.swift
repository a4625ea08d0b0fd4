// SPDX-License-Identifier: Apache-2.0
// From the latent variance to that of a draw, as a program: nothing to add for latent draws, for observed ones the
// noise and its local factor (LocalNoise.swift).

import GaussianProcesses
import LinearAlgebra
import Programs

/// The variances of draws of a model's outputs.
struct ObservationNoise: Sendable {
  let noise: DrawnNoise
  let data: [String: [Double]]
  /// Rows of each output's local noise; nil where the noise is the same everywhere.
  private let localRows: [Int?]

  init(_ model: DynamicsModel, _ noise: DrawnNoise) {
    self.noise = noise
    var data: [String: [Double]] = [:]
    var localRows: [Int?] = []
    for (m, process) in model.processes.enumerated() {
      data["variance_floor_\(m)"] = [process.varianceFloor]
      guard noise == .observed else { continue }
      data["noise_\(m)"] = [process.hyperparameters.noiseVariance]
      guard let local = process.localNoise, let bandwidth = local.bandwidth else {
        let anywhere = process.x.selecting(rows: [0])
        data["noise_factor_\(m)"] = process.localNoise?.factors(anywhere) ?? [1]
        localRows.append(nil)
        continue
      }
      data["noise_inputs_\(m)"] = local.inputs.values
      data["noise_squares_\(m)"] = local.squares.flatMap { [$0, 1] }
      data["noise_scale_\(m)"] = [-0.5 / (bandwidth * bandwidth)]
      localRows.append(local.inputs.rows)
    }
    (self.data, self.localRows) = (data, localRows)
  }

  /// The deviation of a draw of output m at x from its latent variance, which is raised to the floor first.
  func deviation(_ variance: Value, output m: Int, at x: Value) -> Value {
    let builder = x.builder
    let latent = maximum(variance, builder.shared("variance_floor_\(m)", length: 1))
    guard noise == .observed else { return sqrt(latent) }
    return sqrt(factor(output: m, at: x) * (latent + builder.shared("noise_\(m)", length: 1)))
  }

  /// The deviation that observations add to a known latent value.
  func addedDeviation(output m: Int, at x: Value) -> Value {
    sqrt(factor(output: m, at: x) * x.builder.shared("noise_\(m)", length: 1))
  }

  /// c(x)
  private func factor(output m: Int, at x: Value) -> Value {
    let builder = x.builder
    guard let rows = localRows[m] else { return builder.shared("noise_factor_\(m)", length: 1) }
    let sum = WeightedSum(
      dimensions: x.length,
      rows: SharedMatrix(array: "noise_inputs_\(m)", rows: rows, columns: x.length),
      weights: SharedMatrix(array: "noise_squares_\(m)", rows: rows, columns: 2)
    ) { x, row in
      exp(x.builder.shared("noise_scale_\(m)", length: 1) * dot(x - row, x - row))
    }
    let sums = builder.apply(.weightedSum(sum), x)
    let prior = LocalNoise.priorWeight
    return (prior + sums[0]) / (prior - 2 + sums[1])
  }
}

extension GaussianProcess {
  /// What a draw's variance is raised to: single precision knows k - ||S^T k||^2 no better.
  var varianceFloor: Double { 1e-8 * signalDeviation * signalDeviation }
}
