// SPDX-License-Identifier: Apache-2.0
// The exact posterior (paper, equations 2-3), n + n^2 multiply-adds a particle-step and output:
//
//   mean = h(x)^T beta + k(x, X) alpha,   variance = k(x, x) - ||L^-1 k(X, x)||^2
//
// The triangular factor, not (K + sn2 I)^-1: the same number of products (each half is skipped twice,
// forward and for the gradient) and an error of eps / sn instead of eps / sn^2, which single precision
// needs.

import GaussianProcesses
import LinearAlgebra
import Programs

/// Exact Gaussian-process inference inside the rollout.
public struct ExactSampler: MarginalSampler {
  public let name = SamplerName.exact
  public let group: ProcessGroup
  private let posterior: WeightedSumPosterior

  /// Inverts the Cholesky factors. O(n^3 / 3) an output. Throws: `UnsuitableSampler` for too many points.
  public init(_ group: ProcessGroup, noise: DrawnNoise = .latent) throws {
    self.group = group
    let sums = try group.processes.map { process in
      guard let exact = process.exact else {
        throw UnsuitableSampler(
          description:
            "\(process.x.rows) points are too many for --sampler exact (at most "
            + "\(GaussianProcess.largestExact)); use tabulated, kiss-gp or sparse")
      }
      return PosteriorSums(
        rows: process.x, weights: exact.alpha, root: exact.cholesky.inverseLower().transposed,
        isUpperTriangular: true)
    }
    posterior = WeightedSumPosterior(group, sums, noise: noise)
  }

  public var summary: String { "\(group.x.rows) points" }
  public var data: [String: [Double]] { posterior.data }
  public func moments(at x: Value) -> PosteriorMoments { posterior.moments(at: x) }
}
