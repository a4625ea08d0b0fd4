// SPDX-License-Identifier: Apache-2.0
// A sparse Gaussian process (SGPR: Titsias 2009) with m inducing points, the pivots of the covariance
// (LowRankPosterior.swift). The deviation has a basis of its own (as in Cheng and Boots 2017): the first of the pivots, as few as
// serve. So a particle-step and output takes m + r + r^2 multiply-adds (half of r^2 is skipped), whatever n is.

import GaussianProcesses
import LinearAlgebra
import Programs

/// The posterior through inducing points.
public struct SparseSampler: MarginalSampler {
  public let name = SamplerName.sparse
  public let group: ProcessGroup
  /// m and r of each output.
  public let inducingPoints: [Int]
  public let deviationPoints: [Int]
  private let posterior: WeightedSumPosterior

  /// Numbers of points that may serve the deviation.
  private static let fewer = [20, 30, 45, 70, 100, 150, 225, 340, 500]
  /// Points of the box, and of the data, at which they are judged.
  private static let probes = 256

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - box: of the standardised inputs [D], where it must be good.
  ///   - inducingPoints: of the mean, at most this many; fewer where fewer explain the data.
  ///   - noise: whether draws contain the measurements' noise.
  ///   - tolerance: on what fewer points change in the deviation.
  /// - Throws: `FactorizationError`.
  public init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], inducingPoints: Int,
    noise: DrawnNoise = .latent, tolerance: SamplerTolerance = SamplerTolerance()
  ) throws {
    self.group = group
    let sets = [
      Matrix(randomPoints(box, count: Self.probes, seed: 5)),
      Matrix(group.spreadInputs(Self.probes)),
    ]
    let sums = try inParallel(group.processes.count) { k -> PosteriorSums in
      let process = group.processes[k]
      let whole = try LowRankPosterior(process, tolerance: 1e-3, largestRank: inducingPoints)
      let (weights, root) = try whole.weightedSums()
      let few = try Self.fewest(whole, process, sets, tolerance.deviation)
      guard let few else {
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

  /// The posterior through the fewest points whose deviation is that of the whole one within the tolerance (RMS, in predictive
  /// deviations); nil where too few are left out to be worth rows of their own.
  private static func fewest(
    _ whole: LowRankPosterior, _ process: GaussianProcess, _ sets: [Matrix], _ tolerance: Double
  ) throws -> LowRankPosterior? {
    let variances = sets.map { whole.predict($0).variance }
    let observed = zip(sets, variances).map { process.observedVariance($0, latent: $1) }
    for count in fewer where 4 * count <= 3 * whole.rank {
      let few = try LowRankPosterior(process, tolerance: 1e-3, largestRank: count)
      let isEnough = sets.indices.allSatisfy { s in
        let own = few.predict(sets[s]).variance
        let squares = own.indices.reduce(0.0) { sum, i in
          let change = own[i].squareRoot() - variances[s][i].squareRoot()
          return sum + change * change / observed[s][i]
        }
        return squares <= tolerance * tolerance * Double(own.count)
      }
      if isEnough { return few }
    }
    return nil
  }

  public var summary: String {
    let points = list(inducingPoints) + " inducing points"
    return deviationPoints == inducingPoints
      ? points : points + ", \(list(deviationPoints)) for the deviation"
  }
  public var data: [String: [Double]] { posterior.data }
  public func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
