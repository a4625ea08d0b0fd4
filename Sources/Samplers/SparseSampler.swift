// SPDX-License-Identifier: Apache-2.0
// A sparse Gaussian process (SGPR: Titsias 2009) with m inducing points, the pivots of the covariance
// (LowRankPosterior.swift): m + m^2 multiply-adds a particle-step and output, whatever n is.

import GaussianProcesses
import LinearAlgebra
import Programs

/// The posterior through inducing points.
public struct SparseSampler: MarginalSampler {
  public let name = SamplerName.sparse
  public let group: ProcessGroup
  /// m of each output.
  public let inducingPoints: [Int]
  private let posterior: WeightedSumPosterior

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - inducingPoints: at most this many; fewer where fewer explain the data.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `FactorizationError`.
  public init(
    _ group: ProcessGroup, inducingPoints: Int, noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let sums = try group.processes.map { process in
      let lowRank = try LowRankPosterior(
        process, tolerance: 1e-3, largestRank: inducingPoints)
      let (weights, root) = try lowRank.weightedSums()
      return PosteriorSums(rows: lowRank.pivots, weights: weights, root: root)
    }
    self.inducingPoints = sums.map(\.rows.rows)
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  public var summary: String { list(inducingPoints) + " inducing points" }
  public var data: [String: [Double]] { posterior.data }
  public func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
