// SPDX-License-Identifier: Apache-2.0
// A function of the posterior that a particle keeps for its whole rollout, as the pathwise samplers draw it: features of the prior
// and an update over rows Z (Matheron's rule),
//
//   f(x) = h(x)^T beta + sum_j w_j phi_j(x) + k(x, Z) v
//
// with the particle's own w and v. What v is, the samplers say.

import Draws
import GaussianProcesses
import LinearAlgebra
import Programs

/// The functions of a group of outputs: their features and rows as program and shared data.
struct FunctionDraw: Sendable {
  private let group: ProcessGroup
  private let noise: ObservationNoise
  private let outputs: [(features: FourierFeatures, rows: Int)]
  let data: [String: [Double]]

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - outputs: of each its features, and Z [m, D].
  ///   - noise: whether draws contain the measurements' noise.
  init(
    _ group: ProcessGroup, _ outputs: [(features: FourierFeatures, rows: Matrix)],
    noise: DrawnNoise
  ) {
    (self.group, self.noise) = (group, ObservationNoise(group, noise))
    self.outputs = outputs.map { ($0.features, $0.rows.rows) }
    var data = group.priorMeanData
    for (k, output) in outputs.enumerated() {
      data[group.array("inputs", k)] = output.rows.values
      data[group.array("frequencies", k)] = output.features.frequencies.values
      data[group.array("covariance", k)] =
        group.processes[k].hyperparameters.covariance.expressionData
    }
    self.data = SharedArrays.joined([data, self.noise.data])
  }

  /// Weights of all outputs: of each w, then v.
  var length: Int { outputs.reduce(0) { $0 + $1.features.count + $1.rows } }

  /// As of a sampler.
  func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    var offset = functionOffset
    func weights(_ count: Int) -> SharedMatrix {
      defer { offset += count }
      return SharedMatrix(
        array: RolloutProgram.functionDraw, offset: offset, rows: count, columns: 1)
    }
    let functions = outputs.enumerated().map { k, output -> Value in
      let prior = output.features.sum(
        at: x, array: group.array("frequencies", k), weights: weights(output.features.count))
      let covariance = group.processes[k].hyperparameters.covariance
      let update = WeightedSum(
        dimensions: group.dimensions,
        rows: SharedMatrix(
          array: group.array("inputs", k), rows: output.rows, columns: group.dimensions),
        weights: weights(output.rows)
      ) { x, row in covariance.expression(x, row, array: group.array("covariance", k)) }
      return prior + x.builder.apply(.weightedSum(update), x)
    }
    let latent = group.priorMean(at: x) + x.builder.concatenate(functions)
    if noise.noise == .latent { return latent }
    let added = outputs.indices.map { noise.addedDeviation(output: $0, at: x) }
    return latent + x.builder.concatenate(added) * draws
  }

  /// Weights of particles [B, length].
  ///
  /// - Parameters:
  ///   - particles: B
  ///   - key: of the draws.
  ///   - normals: how many of each output are drawn a particle.
  ///   - weights: of an output, from its normals [B, count]: amplitude w [B, F] and v [B, m].
  func draws(
    _ particles: Int, key: DrawKey, normals: (_ output: Int) -> Int,
    weights: (_ output: Int, _ normals: Matrix) -> (features: Matrix, rows: Matrix)
  ) -> [Double] {
    var draws = [Double](repeating: 0, count: particles * length)
    var offset = 0
    for (k, output) in outputs.enumerated() {
      let own = FourierFeatures.normals(
        particles, count: normals(k), output: group.outputs[k], key: key)
      let (w, v) = weights(k, own)
      let (f, m) = (output.features.count, output.rows)
      for b in 0..<particles {
        let start = b * length + offset
        for j in 0..<f { draws[start + j] = w[b, j] }
        for i in 0..<m { draws[start + f + i] = v[b, i] }
      }
      offset += f + m
    }
    return draws
  }
}
