// SPDX-License-Identifier: Apache-2.0
// Samplers: a learnt model's posterior -> a differentiable program of its moments, with shared data.
// In: standardised features x [D]. Out: mean [M] and standard deviation [M] of the standardised
// increments, as program values. Each sampler is one file here: what it precomputes, and its program.
// How far it is from the exact posterior is measured on the program itself (SamplerCertificate.swift).

import GaussianProcesses
import LinearAlgebra
import Programs

/// Which randomness a rollout's draw stands for.
public enum PosteriorDraw: String, Sendable, Codable {
  /// An independent draw each step from N(mean, sd^2) (paper, equation 9).
  case marginal
  /// One function a particle, kept for the whole rollout.
  case function
}

/// Whether the drawn next state includes the observation noise.
public enum DrawnNoise: String, Hashable, Sendable, Codable, CaseIterable {
  /// The latent function's variance only (paper, equations 3 and 9).
  case latent
  /// Plus the learnt noise variance.
  case observed
}

/// A posterior as a program.
public protocol PosteriorSampler: Sendable {
  /// The name on the command line.
  var name: String { get }
  var draw: PosteriorDraw { get }
  /// Values of the shared arrays that `moments` reads.
  var data: [String: [Double]] { get }
  /// Adds the program of the moments at standardised features x [D].
  func moments(at x: Value) -> PosteriorMoments
}

/// Moments of the standardised increments under construction.
public struct PosteriorMoments {
  /// [M]
  public let mean: Value
  /// [M], positive
  public let deviation: Value
}

extension DynamicsModel {
  /// h(x)^T beta of every output as a program [M]: the posterior's linear part stays exact and goes on
  /// outside any table. Reads the shared array "prior_mean".
  func priorMean(at x: Value) -> Value {
    let (m, d) = (processes.count, x.length)
    return x.builder.affine(
      SharedMatrix(array: Self.priorMeanArray, rows: m, columns: d),
      bias: SharedSlice(array: Self.priorMeanArray, offset: m * d), x)
  }

  static var priorMeanArray: String { "prior_mean" }

  /// Weights [M, D] and constants [M] of `priorMean`.
  var priorMeanData: [Double] {
    let d = form.features.count
    let coefficients = processes.map { process -> [Double] in
      switch process.hyperparameters.mean {
      case .zero: Array(repeating: 0, count: d + 1)
      case .constant: process.meanCoefficients + Array(repeating: 0, count: d)
      case .linear: process.meanCoefficients
      }
    }
    return coefficients.flatMap { $0.dropFirst() } + coefficients.map { $0[0] }
  }
}
