// SPDX-License-Identifier: Apache-2.0
// A sparse Gaussian process (SGPR: Titsias 2009) with m inducing points, the pivots of the covariance
// (LowRankPosterior.swift). The deviation has a basis of its own (as in Cheng and Boots 2017): the first of the pivots, as few as
// serve. So it needs m + r + r^2 multiply-adds per particle-step and output (half of r^2 is skipped), whatever n is.

import GaussianProcesses
import LinearAlgebra
import Programs

/// The posterior through inducing points.
package struct SparseSampler: MarginalSampler {
  package let name = SamplerName.sparse
  package let group: ProcessGroup
  /// m and r of each output.
  package let inducingPoints: [Int]
  package let deviationPoints: [Int]
  private let posterior: WeightedSumPosterior

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - box: of the standardised inputs [D], where it must be good.
  ///   - inducingPoints: of the mean, at most this many; fewer where fewer explain the data.
  ///   - noise: whether draws contain the measurements' noise.
  ///   - tolerance: on what fewer points change in the deviation.
  /// - Throws: `FactorizationError`.
  package init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], inducingPoints: Int,
    noise: DrawnNoise = .latent, tolerance: SamplerTolerance = SamplerTolerance()
  ) throws {
    self.group = group
    let sums = try inParallel(group.processes.count) { k -> PosteriorSums in
      let process = group.processes[k]
      let whole = try LowRankPosterior(process, tolerance: 1e-3, largestRank: inducingPoints)
      let (weights, root) = try whole.weightedSums()
      let probes = DeviationProbes(
        process, variances: { whole.predict($0).variance }, group, box: box)
      guard let few = try probes.fewest(of: whole.rank, tolerance: tolerance.deviation) else {
        return PosteriorSums(
          rows: whole.pivots, weights: weights, root: root, isUpperTriangular: true)
      }
      return PosteriorSums(
        rows: whole.pivots, weights: weights, root: try few.weightedSums().root,
        isUpperTriangular: true, ownRows: few.pivots)
    }
    self.inducingPoints = sums.map(\.rows.rows)
    deviationPoints = sums.map { $0.ownRows?.rows ?? $0.rows.rows }
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  package var summary: String {
    let points = list(inducingPoints) + " inducing points"
    return deviationPoints == inducingPoints
      ? points : points + ", \(list(deviationPoints)) for the deviation"
  }
  package var data: [String: [Double]] { posterior.data }
  package func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
