// SPDX-License-Identifier: Apache-2.0
// A sampler by name, with its measured errors; or the cheapest whose errors are within tolerance.

import GaussianProcesses
import LinearAlgebra

/// The samplers there are, the cheapest in a rollout first.
package enum SamplerName: String, Hashable, Sendable, Codable, CaseIterable {
  case tabulated
  case kissGP = "kiss-gp"
  case sparse
  case love
  case exact
  case pathwise
  case sparsePathwise = "sparse-pathwise"

  /// Most inputs of a Gaussian process that it takes; nil for any number.
  package var mostInputs: Int? {
    switch self {
    case .tabulated, .kissGP: 4
    case .sparse, .love, .exact, .pathwise, .sparsePathwise: nil
    }
  }
}

/// What to build.
package struct SamplerOptions: Hashable, Sendable, Codable {
  /// nil for the cheapest within the tolerance.
  package var name: SamplerName?
  package var noise = DrawnNoise.latent
  package var tolerance = SamplerTolerance()
  /// Columns of LOVE's root; nil for as many as the tolerance needs.
  package var rank: Int?
  /// Most points of the tabulated sampler's grid; four times as many are tried after that, where a sampler is chosen.
  package var tablePoints = 1 << 16
  /// KISS-GP's grid points along every axis; nil to follow the lengthscales.
  package var gridPoints: Int?
  /// Most inducing points of the sparse samplers.
  package var inducingPoints = 300
  /// Random Fourier features of the pathwise samplers.
  package var features = 256
  /// How many times wider than the posterior the sparse-pathwise sampler spreads functions about its mean, by output of the model [M]
  /// (`UnseenErrors`); empty for once.
  package var functionSpreads: [Double] = []

  package init() {}

  /// LOVE's own stopping rule asks for a third of the deviation's tolerance.
  var rankChoice: RankChoice {
    rank.map { .rank($0) } ?? .tolerance(tolerance.deviation / 3, largest: 400)
  }
}

/// A sampler and what was measured of it.
package struct MeasuredSampler: Sendable {
  package let sampler: any PosteriorSampler
  package var certificate: SamplerCertificate
  package let tolerance: SamplerTolerance
  /// Whether it was chosen, what was tried besides beyond the tolerance, and why others could not serve.
  package var wasChosen = false
  package var rejected: [SamplerCertificate] = []
  package var unsuitable: [String] = []

  /// Whether its moments are as good as is asked for.
  package var isWithinTolerance: Bool { certificate.isWithin(tolerance) }

  /// "tabulated, 12 x 30 x 30 points"
  package var description: String {
    sampler is GroupedSampler ? sampler.summary : "\(sampler.name.rawValue), \(sampler.summary)"
  }
}

extension DynamicsModel {
  /// Builds and measures a sampler of this model: the named one, or the cheapest whose moments are within the tolerance; the best
  /// there is where none is.
  ///
  /// - Parameters:
  ///   - options: which, and its tolerance or size.
  ///   - actionLimits: samplers cover all commands, not only those in the data.
  /// - Throws: `UnsuitableSampler`, `GridError`, `FactorizationError`, `ExecutionError`.
  package func sampler(
    _ options: SamplerOptions, actionLimits: [ClosedRange<Double>]
  ) throws -> MeasuredSampler {
    var candidates = SamplerCandidates(of: self, options, actionLimits: actionLimits)
    while let candidate = try candidates.next() {
      if options.name != nil || candidate.isWithinTolerance { return candidate }
    }
    return candidates.best
  }
}

extension MeasuredSampler {
  /// The samplers of a model's groups as one.
  init(joining parts: [MeasuredSampler], of groups: [ProcessGroup]) {
    let grouped = GroupedSampler(parts: zip(groups, parts).map { ($0, $1.sampler) })
    sampler = grouped
    certificate = SamplerCertificate(joining: parts.map(\.certificate), of: grouped)
    tolerance = parts[0].tolerance
    wasChosen = parts[0].wasChosen
    rejected = parts.flatMap(\.rejected)
    unsuitable = Set(parts.flatMap(\.unsuitable)).sorted()
  }
}
