// SPDX-License-Identifier: Apache-2.0
// LOVE on the exact covariance (Pleiss, Gardner, Weinberger, Wilson 2018): the exact mean, and the variance
// through a Lanczos root S of (K + sn2 I)^-1; n + n r multiply-adds a particle-step and output.

import GaussianProcesses
import LinearAlgebra
import Programs

/// Exact means and Lanczos variances.
public struct LoveSampler: MarginalSampler {
  public let name = SamplerName.love
  public let model: DynamicsModel
  /// Columns of each output's root.
  public let ranks: [Int]
  private let posterior: WeightedSumPosterior

  /// - Parameters:
  ///   - box: where the rank is judged, with the data.
  ///   - rank: of every output, or until the tolerance is met.
  /// - Throws: `ExecutionError` beyond `GaussianProcess.largestExact` points, where K is not formed.
  public init(
    _ model: DynamicsModel, box: [ClosedRange<Double>], rank: RankChoice,
    noise: DrawnNoise = .latent
  ) throws {
    self.model = model
    let probes = Matrix(randomPoints(box, count: 64, seed: 3) + model.spreadInputs(64))
    let sums = try model.processes.map { process in
      let found = try process.lanczosConditioning(probes: probes, rank: rank)
      return PosteriorSums(rows: process.x, weights: found.alpha, root: found.root)
    }
    ranks = sums.map(\.root.columns)
    posterior = WeightedSumPosterior(model, sums, noise: noise)
  }

  public var summary: String { "rank " + list(ranks) }
  public var data: [String: [Double]] { posterior.data }
  public func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}

/// "80 and 64"
func list(_ numbers: [Int]) -> String {
  numbers.map(String.init).joined(separator: " and ")
}
