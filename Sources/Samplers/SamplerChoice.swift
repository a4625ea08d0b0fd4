// SPDX-License-Identifier: Apache-2.0
// A sampler by name, with its measured errors; or the cheapest whose errors are within tolerance.

import GaussianProcesses
import LinearAlgebra

/// The samplers there are, the cheapest in a rollout first.
public enum SamplerName: String, Hashable, Sendable, Codable, CaseIterable {
  case tabulated
  case kissGP = "kiss-gp"
  case sparse
  case love
  case exact
  case pathwise

  /// Most inputs of a Gaussian process that it takes; nil for any number.
  public var mostInputs: Int? {
    switch self {
    case .tabulated, .kissGP: 4
    case .sparse, .love, .exact, .pathwise: nil
    }
  }
}

/// What to build.
public struct SamplerOptions: Hashable, Sendable, Codable {
  /// nil for the cheapest within the tolerance.
  public var name: SamplerName?
  public var noise = DrawnNoise.latent
  public var tolerance = SamplerTolerance()
  /// Columns of LOVE's root; nil for as many as the tolerance needs.
  public var rank: Int?
  /// Most points of the tabulated sampler's grid; four times as many are tried after that, where a sampler is chosen.
  public var tablePoints = 1 << 16
  /// KISS-GP's grid points along every axis; nil to follow the lengthscales.
  public var gridPoints: Int?
  /// Most inducing points of the sparse sampler.
  public var inducingPoints = 300
  /// Random Fourier features of the pathwise sampler.
  public var features = 256

  public init() {}

  /// LOVE's own stopping rule asks for a third of the deviation's tolerance.
  var rankChoice: RankChoice {
    rank.map { .rank($0) } ?? .tolerance(tolerance.deviation / 3, largest: 400)
  }
}

/// A sampler and what was measured of it.
public struct MeasuredSampler: Sendable {
  public let sampler: any PosteriorSampler
  public let certificate: SamplerCertificate
  public let tolerance: SamplerTolerance
  /// Whether it was chosen by its errors, what was tried besides beyond the tolerance, and why others could not serve.
  public var wasChosen = false
  public var rejected: [SamplerCertificate] = []
  public var unsuitable: [String] = []

  public var isWithinTolerance: Bool { certificate.isWithin(tolerance) }

  /// "tabulated, 12 x 30 x 30 points"
  public var description: String {
    sampler is GroupedSampler ? sampler.summary : "\(sampler.name.rawValue), \(sampler.summary)"
  }
}

extension DynamicsModel {
  /// Builds and measures a sampler of this model.
  ///
  /// - Parameters:
  ///   - options: which, and its tolerance or size.
  ///   - actionLimits: samplers cover all commands, not only those in the data.
  /// - Throws: `UnsuitableSampler`, `GridError`, `FactorizationError`, `ExecutionError`.
  public func sampler(
    _ options: SamplerOptions, actionLimits: [ClosedRange<Double>]
  ) throws -> MeasuredSampler {
    let box = samplerBox(actionLimits: actionLimits)
    let groups = groups
    let parts = try groups.map { group in
      try group.sampler(options, box: group.inputs.map { box[$0] })
    }
    return groups.count == 1 && groups[0].dimensions == box.count
      ? parts[0] : MeasuredSampler(joining: parts, of: groups)
  }
}

extension MeasuredSampler {
  /// The samplers of a model's groups as one.
  fileprivate init(joining parts: [MeasuredSampler], of groups: [ProcessGroup]) {
    let grouped = GroupedSampler(parts: zip(groups, parts).map { ($0, $1.sampler) })
    sampler = grouped
    certificate = SamplerCertificate(joining: parts.map(\.certificate), of: grouped)
    tolerance = parts[0].tolerance
    wasChosen = parts[0].wasChosen
    rejected = parts.flatMap(\.rejected)
    unsuitable = Set(parts.flatMap(\.unsuitable)).sorted()
  }
}

extension ProcessGroup {
  /// Points of the box, and as many of the data, at which samplers are measured.
  private static let certificatePoints = 1_000

  /// Builds and measures a sampler of these outputs over a box of standardised inputs [D].
  fileprivate func sampler(
    _ options: SamplerOptions, box: [ClosedRange<Double>]
  ) throws -> MeasuredSampler {
    let count = min(Self.certificatePoints, max(x.rows, 1))
    let sets = [Matrix(randomPoints(box, count: count)), Matrix(spreadInputs(count))]
    func measured(_ name: SamplerName, _ options: SamplerOptions) throws -> MeasuredSampler {
      let sampler = try make(name, options, box)
      return MeasuredSampler(
        sampler: sampler, certificate: try sampler.certificate(at: sets, noise: options.noise),
        tolerance: options.tolerance)
    }
    if let name = options.name { return try measured(name, options) }
    var larger = options
    larger.tablePoints *= 4
    let candidates: [(SamplerName, SamplerOptions)] =
      [(.tabulated, options), (.tabulated, larger)]
      + [.kissGP, .sparse, .love, .exact].map { ($0, options) }
    var tried: [MeasuredSampler] = []
    var unsuitable: [String] = []
    for (name, options) in candidates where tried.last?.isWithinTolerance != true {
      do {
        tried.append(try measured(name, options))
      } catch let error as UnsuitableSampler {
        unsuitable.append("\(error)")
      } catch let error as GridError {
        unsuitable.append("\(error)")
      } catch let error as FactorizationError {
        unsuitable.append("\(name.rawValue): \(error)")
      }
    }
    // The last one if it is within tolerance, else the best there is.
    func excess(_ index: Int) -> Double {
      let worst = tried[index].certificate.worst
      return max(
        worst.mean / options.tolerance.mean, worst.deviation / options.tolerance.deviation)
    }
    guard let best = tried.indices.min(by: { excess($0) < excess($1) }) else {
      throw UnsuitableSampler(
        description: "no sampler can serve this model: " + unsuitable.joined(separator: "; "))
    }
    let index = tried[tried.count - 1].isWithinTolerance ? tried.count - 1 : best
    var chosen = tried[index]
    chosen.wasChosen = true
    chosen.rejected = tried.indices.filter { $0 != index }.map { tried[$0].certificate }
    chosen.unsuitable = Array(Set(unsuitable)).sorted()
    return chosen
  }

  private func make(
    _ name: SamplerName, _ options: SamplerOptions, _ box: [ClosedRange<Double>]
  ) throws -> any GroupSampler {
    switch name {
    case .tabulated:
      try TabulatedSampler(
        self, box: box, largestTable: options.tablePoints, noise: options.noise,
        tolerance: options.tolerance)
    case .kissGP:
      try KISSGPSampler(
        self, box: box, pointsPerAxis: options.gridPoints, rank: options.rankChoice,
        noise: options.noise)
    case .sparse:
      try SparseSampler(self, inducingPoints: options.inducingPoints, noise: options.noise)
    case .love: try LoveSampler(self, box: box, rank: options.rankChoice, noise: options.noise)
    case .exact: try ExactSampler(self, noise: options.noise)
    case .pathwise:
      try PathwiseSampler(self, features: options.features, noise: options.noise)
    }
  }
}
