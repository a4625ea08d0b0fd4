// SPDX-License-Identifier: Apache-2.0
// Samplers: a learnt model's posterior -> a differentiable program of its draws, with shared data.
// In: standardised features x [D]. Out: a draw of the standardised increments [M] as program values. Each
// sampler is one file here: what it precomputes, and its program. It serves one group of outputs, which read the same inputs
// (D and M are those of the group); GroupedSampler ties those of a model together. How far it is from the exact posterior is measured on the compiled program
// itself (SamplerCertificate.swift).

import Draws
import Faults
import GaussianProcesses
import LinearAlgebra
import Programs

/// Whether the drawn next state includes the observation noise.
package enum DrawnNoise: String, Hashable, Sendable, Codable, CaseIterable {
  /// The latent function's variance only (paper, equations 3 and 9).
  case latent
  /// Plus the learnt noise variance.
  case observed
}

/// A posterior as a program: of a group of outputs, or of all of them.
package protocol PosteriorSampler: Sendable {
  var name: SamplerName { get }
  /// What it consists of, for people: "12 x 30 x 30 points", "rank 80 and 64".
  var summary: String { get }
  /// Values of the shared arrays that the program reads.
  var data: [String: [Double]] { get }
  /// Adds the program of one draw of the standardised increments [M] at standardised features x [D].
  ///
  /// - Parameters:
  ///   - x: [D].
  ///   - draws: standard normal, of the step [M].
  ///   - functionOffset: index of the sampler's first scalar in `RolloutProgram.functionDraw`.
  func increments(at x: Value, draws: Value, functionOffset: Int) -> Value
  /// F, how many scalars of `RolloutProgram.functionDraw` it reads. 0 where each step has an independent draw from N(mean, sd^2)
  /// (paper, equation 9).
  var functionLength: Int { get }
  /// What every particle brings along for a whole rollout [B, F]. Depends on (seed, iteration, particle) only.
  func functionDraws(_ particles: Int, key: DrawKey) -> [Double]
}

/// A sampler of one group of outputs, whose errors can be measured.
package protocol GroupSampler: PosteriorSampler {
  var group: ProcessGroup { get }
  /// Its errors at sets of points [.][points, D]. Throws: `ExecutionError`.
  func certificate(at points: [Matrix], noise: DrawnNoise) throws -> SamplerCertificate
}

/// A sampler of per-step marginals, known by its moments.
package protocol MarginalSampler: GroupSampler {
  /// Adds the program of the moments at standardised features x [D].
  func moments(at x: Value) -> PosteriorMoments
}

/// Moments of the standardised increments under construction.
package struct PosteriorMoments {
  /// [M]
  package let mean: Value
  /// [M], positive
  package let deviation: Value
}

extension MarginalSampler {
  package var functionLength: Int { 0 }

  /// mean + deviation * normal draw (paper, equation 9).
  package func increments(at x: Value, draws: Value, functionOffset: Int) -> Value {
    let moments = moments(at: x)
    return moments.mean + moments.deviation * draws
  }

  package func functionDraws(_ particles: Int, key: DrawKey) -> [Double] { [] }
}

/// Why a sampler cannot serve a group of outputs.
package struct UnsuitableSampler: Fault {
  package let statement: String
  package let remedy: Remedy?

  package init(_ statement: String, remedy: Remedy? = nil) {
    (self.statement, self.remedy) = (statement, remedy)
  }
}

extension ProcessGroup {
  /// h(x)^T beta of every output as a program [M]: the posterior's linear part stays exact and goes on
  /// outside any table. Reads `priorMeanData`.
  func priorMean(at x: Value) -> Value {
    let (m, d) = (processes.count, dimensions)
    return x.builder.affine(
      SharedMatrix(array: array("prior_mean"), rows: m, columns: d),
      bias: SharedSlice(array: array("prior_mean"), offset: m * d), x)
  }

  /// Weights [M, D] and constants [M] of `priorMean`, as shared array.
  var priorMeanData: [String: [Double]] {
    let lines = processes.map(\.priorMeanLine)
    return [array("prior_mean"): lines.flatMap(\.slopes) + lines.map(\.constant)]
  }
}

/// "80 and 64"
func list(_ numbers: [Int]) -> String {
  numbers.map(String.init).joined(separator: " and ")
}
