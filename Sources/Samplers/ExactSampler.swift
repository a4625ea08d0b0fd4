// SPDX-License-Identifier: Apache-2.0
// The exact posterior (paper, equations 2-3), n + n^2 multiply-adds a particle-step and output:
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
public struct ExactSampler: MarginalSampler {
  public let name = SamplerName.exact
  public let group: ProcessGroup
  public let summary: String
  private let posterior: WeightedSumPosterior

  /// Inverts the Cholesky factors. O(n^3 / 3) an output. Throws: `FactorizationError`.
  public init(_ group: ProcessGroup, noise: DrawnNoise = .latent) throws {
    self.group = group
    let sums = try group.processes.map { process -> PosteriorSums in
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
    let inducing = group.processes.compactMap(\.lowRank?.rank)
    summary =
      inducing.isEmpty
      ? "\(group.x.rows) points"
      : "\(list(inducing)) inducing points of \(group.x.rows) points"
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  public var data: [String: [Double]] { posterior.data }
  public func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
