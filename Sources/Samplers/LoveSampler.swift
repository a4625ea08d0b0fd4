// SPDX-License-Identifier: Apache-2.0
// LOVE on the exact covariance (Pleiss, Gardner, Weinberger, Wilson 2018): the exact mean, and the variance
// through a Lanczos root S of (K + sn2 I)^-1; n + n r multiply-adds per particle-step and output.

import GaussianProcesses
import LinearAlgebra
import Programs

/// Exact means and Lanczos variances.
package struct LoveSampler: MarginalSampler {
  package let name = SamplerName.love
  package let group: ProcessGroup
  /// Columns of each output's root.
  package let ranks: [Int]
  /// Solves for the mean that ended above their tolerance (beyond `GaussianProcess.largestExact` points).
  package let unconvergedSolves: Int
  private let posterior: WeightedSumPosterior

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - box: where the rank is judged, with the data.
  ///   - rank: of every output, or until the tolerance is met.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `ExecutionError`, `FactorizationError`: beyond `GaussianProcess.largestExact` points K is not formed but
  ///   multiplied in row blocks, by a compiled kernel.
  package init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], rank: RankChoice,
    noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let probes = Matrix(randomPoints(box, count: 64, seed: 3) + group.spreadInputs(64))
    let found = try group.processes.map {
      try $0.lanczosConditioning(probes: probes, rank: rank)
    }
    unconvergedSolves = found.count { !$0.hasConverged }
    let sums = zip(group.processes, found).map {
      PosteriorSums(rows: $0.x, weights: $1.alpha, root: $1.root)
    }
    ranks = sums.map(\.root.columns)
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  package var summary: String {
    let ending = unconvergedSolves > 0 ? ", \(unconvergedSolves) solves not converged" : ""
    return "rank " + list(ranks) + ending
  }
  package var data: [String: [Double]] { posterior.data }
  package func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
