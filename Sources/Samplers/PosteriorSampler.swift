// SPDX-License-Identifier: Apache-2.0
// Samplers: a learnt model's posterior -> a differentiable program of its draws, with shared data.
// In: standardised features x [D]. Out: a draw of the standardised increments [M] as program values. Each
// sampler is one file here: what it precomputes, and its program. How far it is from the exact posterior is
// measured on the compiled program itself (SamplerCertificate.swift).

import Draws
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
  var name: SamplerName { get }
  /// What it consists of, for people: "12 x 30 x 30 points", "rank 80 and 64".
  var summary: String { get }
  var draw: PosteriorDraw { get }
  /// Values of the shared arrays that the program reads.
  var data: [String: [Double]] { get }
  /// Adds the program of one draw of the standardised increments [M] at standardised features x [D].
  ///
  /// - Parameters:
  ///   - x: [D].
  ///   - draws: of the step, one an output.
  func increments(at x: Value, draws: DrawSlot) -> Value
  /// What every particle brings along for a whole rollout [B, F] (`RolloutProgram.functionDraw`); empty for
  /// marginal draws. Depends on (seed, iteration, particle) only.
  func functionDraws(_ particles: Int, key: DrawKey) -> [Double]
  /// What can be said of its errors, or nil.
  func certificate(at points: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate
}

/// A sampler of per-step marginals, known by its moments.
public protocol MarginalSampler: PosteriorSampler {
  var model: DynamicsModel { get }
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

extension MarginalSampler {
  public var draw: PosteriorDraw { .marginal }

  /// mean + deviation * normal draw (paper, equation 9).
  public func increments(at x: Value, draws: DrawSlot) -> Value {
    let moments = moments(at: x)
    return moments.mean + moments.deviation * x.builder.normal(draws)
  }

  public func functionDraws(_ particles: Int, key: DrawKey) -> [Double] { [] }
}

/// Why a sampler cannot serve a model.
public struct UnsuitableSampler: Error, CustomStringConvertible {
  public let description: String
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

/// "80 and 64"
func list(_ numbers: [Int]) -> String {
  numbers.map(String.init).joined(separator: " and ")
}
