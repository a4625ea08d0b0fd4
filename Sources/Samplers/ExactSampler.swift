// SPDX-License-Identifier: Apache-2.0
// The exact posterior (paper, equations 2-3), n + n^2 multiply-adds per particle-step and output:
//
//   mean = h(x)^T beta + k(x, X) alpha,   variance = k(x, x) - ||L^-1 k(X, x)||^2
//
// The triangular factor, not (K + sn2 I)^-1: the same number of products (each half is skipped twice,
// forward and for the gradient) and an error of eps / sn instead of eps / sn^2, which single precision
// needs. A model of more data than `GaussianProcess.largestExact` is itself a posterior through inducing points: of that one the same
// sums are taken over its points.

import GaussianProcesses
import LinearAlgebra
import Programs

/// The model's own posterior inside the rollout.
package struct ExactSampler: MarginalSampler {
  package let name = SamplerName.exact
  package let group: ProcessGroup
  package let summary: String
  /// By how much the deviation is off where it goes through few points (RMS, in predictive deviations).
  package let deviationError: Double
  private let posterior: WeightedSumPosterior

  /// Inverts the Cholesky factors. O(n^3 / 3) an output. Throws: `FactorizationError`.
  package init(_ group: ProcessGroup, noise: DrawnNoise = .latent) throws {
    self.group = group
    deviationError = 0
    let sums = try group.processes.map(Self.sums)
    let inducing = group.processes.compactMap(\.lowRank?.rank)
    summary =
      inducing.isEmpty
      ? "\(group.x.rows) points"
      : "\(list(inducing)) inducing points of \(group.x.rows) points"
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  /// The exact mean, and the deviation through few inducing points: n multiply-adds in place of n^2 / 2. For code that leaves, whose
  /// data are to stay small.
  ///
  /// - Parameters:
  ///   - group: whose posterior it is.
  ///   - box: of the standardised inputs [D], where the deviation must be good.
  ///   - deviationTolerance: on what the points change in the deviation (RMS, in predictive deviations).
  ///   - noise: whether draws contain the noise.
  /// - Throws: `FactorizationError`.
  package init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], deviationTolerance: Double,
    noise: DrawnNoise
  ) throws {
    self.group = group
    var errors: [Double] = []
    let sums = try group.processes.map { process -> PosteriorSums in
      if process.isNoise {
        // One row that counts for nothing.
        return PosteriorSums(
          rows: process.x.selecting(rows: [0]), weights: [0], root: Matrix(rows: 1, columns: 1),
          ownRows: process.x.selecting(rows: [0]))
      }
      var sums = try Self.sums(of: process)
      let probes = DeviationProbes(
        process, variances: { process.predict($0).variance }, group, box: box)
      let few = try probes.fewest(of: sums.rows.rows, tolerance: deviationTolerance)
      errors.append(few.map(probes.error) ?? 0)
      sums.ownRows = few?.pivots ?? sums.rows
      if let few { sums.root = try few.weightedSums().root }
      return sums
    }
    deviationError = errors.max() ?? 0
    summary =
      "\(list(sums.map(\.rows.rows))) points, \(list(sums.map { $0.ownRows?.rows ?? 0 })) for the deviation"
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  private static func sums(of process: GaussianProcess) throws -> PosteriorSums {
    if let lowRank = process.lowRank {
      let (weights, root) = try lowRank.weightedSums()
      return PosteriorSums(
        rows: lowRank.pivots, weights: weights, root: root, isUpperTriangular: true)
    }
    guard let exact = process.exact else {
      preconditionFailure("a process is conditioned on its data or on inducing points")
    }
    return PosteriorSums(
      rows: process.x, weights: exact.alpha, root: exact.cholesky.inverseLower().transposed,
      isUpperTriangular: true)
  }

  package var data: [String: [Double]] { posterior.data }
  package func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
