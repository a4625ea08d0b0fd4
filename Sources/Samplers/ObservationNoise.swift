// SPDX-License-Identifier: Apache-2.0
// From the latent variance to that of a draw, as a program: nothing to add for latent draws; for observed ones
// f(x) (latent + s^2 c(x) sn2), the share s that `ProcessNoise` has (else 1), the noise profile c and the calibration f of the
// process (LocalNoise.swift).

import GaussianProcesses
import LinearAlgebra
import Programs

/// The variances of draws of a group's outputs.
struct ObservationNoise: Sendable {
  let noise: DrawnNoise
  private let group: ProcessGroup
  private(set) var data: [String: [Double]] = [:]
  /// Of each output.
  private var profiles: [NoiseFactor] = []
  private var calibrations: [NoiseFactor] = []

  init(_ group: ProcessGroup, _ noise: DrawnNoise) {
    (self.group, self.noise) = (group, noise)
    for (k, process) in group.processes.enumerated() {
      data[group.array("variance_floor", k)] = [process.varianceFloor]
      guard noise == .observed else { continue }
      let share = group.noiseShares[k]
      data[group.array("noise", k)] = [share * share * process.hyperparameters.noiseVariance]
      profiles.append(NoiseFactor(process.noiseProfile, name: group.array("noise_profile", k)))
      calibrations.append(NoiseFactor(process.calibration, name: group.array("calibration", k)))
    }
    for factor in profiles + calibrations { data.merge(factor.data) { $1 } }
  }

  /// The deviation of a draw of output k at x from its latent variance, which is raised to the floor first.
  func deviation(_ variance: Value, output k: Int, at x: Value) -> Value {
    let latent = maximum(variance, x.builder.shared(group.array("variance_floor", k), length: 1))
    guard noise == .observed else { return sqrt(latent) }
    return sqrt(calibrations[k].value(at: x) * (latent + noiseVariance(output: k, at: x)))
  }

  /// The deviation that observations add to a known latent value.
  func addedDeviation(output k: Int, at x: Value) -> Value {
    sqrt(calibrations[k].value(at: x) * noiseVariance(output: k, at: x))
  }

  private func noiseVariance(output k: Int, at x: Value) -> Value {
    profiles[k].value(at: x) * x.builder.shared(group.array("noise", k), length: 1)
  }
}

/// A local factor as a program over its own shared arrays.
private struct NoiseFactor: Sendable {
  let data: [String: [Double]]
  private let name: String
  /// 0 where the factor is the same everywhere.
  private let rows: Int

  init(_ local: LocalNoise?, name: String) {
    self.name = name
    guard let local, let bandwidth = local.bandwidth else {
      data = [name: [local?.constantFactor ?? 1]]
      rows = 0
      return
    }
    data = [
      name: [-0.5 / (bandwidth * bandwidth)], name + "_inputs": local.inputs.values,
      name + "_squares": local.squares.flatMap { [$0, 1] },
    ]
    rows = local.inputs.rows
  }

  func value(at x: Value) -> Value {
    if rows == 0 { return x.builder.shared(name, length: 1) }
    let sum = WeightedSum(
      dimensions: x.length,
      rows: SharedMatrix(array: name + "_inputs", rows: rows, columns: x.length),
      weights: SharedMatrix(array: name + "_squares", rows: rows, columns: 2)
    ) { x, row in exp(x.builder.shared(name, length: 1) * dot(x - row, x - row)) }
    let sums = x.builder.apply(.weightedSum(sum), x)
    let prior = LocalNoise.priorWeight
    return (prior + sums[0]) / (prior - 2 + sums[1])
  }
}

extension GaussianProcess {
  /// What a draw's variance is raised to: single precision knows k - ||S^T k||^2 no better.
  var varianceFloor: Double { 1e-8 * signalDeviation * signalDeviation }
}
