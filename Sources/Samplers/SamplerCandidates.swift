// SPDX-License-Identifier: Apache-2.0
// The samplers that may serve a model, built and measured as they are asked for, the cheapest first. Each group of outputs climbs
// a ladder of its own: it stays where moments are within the tolerance, else it goes on to the next.

import GaussianProcesses
import LinearAlgebra

/// Samplers of a model, one after another.
public struct SamplerCandidates {
  private let groups: [ProcessGroup]
  /// Whether one group reads all inputs, so that its sampler is the model's.
  private let isWhole: Bool
  private var ladders: [SamplerLadder]
  private var hasBegun = false

  /// - Parameters:
  ///   - model: whose posterior is drawn from.
  ///   - options: one sampler by name, or all; their tolerance or size.
  ///   - actionLimits: samplers cover all commands, not only those in the data.
  public init(
    of model: DynamicsModel, _ options: SamplerOptions, actionLimits: [ClosedRange<Double>]
  ) {
    var options = options
    // What moves the machine was learnt: draws have it, whatever the task says of noise.
    if model.processNoise != nil { options.noise = .observed }
    let box = model.samplerBox(actionLimits: actionLimits)
    groups = model.groups
    isWhole = groups.count == 1 && groups[0].dimensions == box.count
    ladders = groups.map { group in
      SamplerLadder(group, options, box: group.inputs.map { box[$0] })
    }
  }

  /// The next: every group whose moments are not within the tolerance goes on; nil where none can.
  ///
  /// Throws: `UnsuitableSampler` where nothing can serve a group; with a name also `GridError`, `FactorizationError`;
  /// `ExecutionError`.
  public mutating func next() throws -> MeasuredSampler? {
    var hasClimbed = false
    for index in ladders.indices where ladders[index].present?.isWithinTolerance != true {
      if try ladders[index].climb() { hasClimbed = true }
    }
    guard hasClimbed else { return nil }
    return joined(ladders.compactMap(\.present))
  }

  /// Notes what searches through the present one come to.
  public mutating func note(_ outcome: SamplerOutcome) {
    for index in ladders.indices { ladders[index].note(outcome) }
  }

  /// Of what was tried: of each group the one within the tolerance, else that with the smallest excess. Not before `next`.
  public var best: MeasuredSampler { joined(ladders.map(\.best)) }

  private func joined(_ parts: [MeasuredSampler]) -> MeasuredSampler {
    isWhole ? parts[0] : MeasuredSampler(joining: parts, of: groups)
  }
}

/// The samplers of one group of outputs.
private struct SamplerLadder {
  private let group: ProcessGroup
  /// Of the standardised inputs [D].
  private let box: [ClosedRange<Double>]
  private let isNamed: Bool
  private var above: [(name: SamplerName, options: SamplerOptions)]
  private var tried: [MeasuredSampler] = []
  private var unsuitable: [String] = []

  /// Points of the box, and as many of the data, at which samplers are measured.
  private static let certificatePoints = 1_000

  init(_ group: ProcessGroup, _ options: SamplerOptions, box: [ClosedRange<Double>]) {
    (self.group, self.box, isNamed) = (group, box, options.name != nil)
    if let name = options.name {
      above = [(name, options)]
    } else {
      var larger = options
      larger.tablePoints *= 4
      above =
        [(.tabulated, options), (.tabulated, larger)]
        + [.kissGP, .sparse, .love, .exact].map { ($0, options) }
    }
  }

  /// The last that was built, and why what came before it does not serve.
  var present: MeasuredSampler? { tried.last.map { described($0, index: tried.count - 1) } }

  /// The last one if it is within tolerance, else the best there is.
  var best: MeasuredSampler {
    func excess(_ index: Int) -> Double {
      let (worst, tolerance) = (tried[index].certificate.worst, tried[index].tolerance)
      return max(worst.mean / tolerance.mean, worst.deviation / tolerance.deviation)
    }
    guard let last = tried.last, let best = tried.indices.min(by: { excess($0) < excess($1) })
    else { preconditionFailure("no sampler was asked for") }
    let index = last.isWithinTolerance ? tried.count - 1 : best
    return described(tried[index], index: index)
  }

  private func described(_ sampler: MeasuredSampler, index: Int) -> MeasuredSampler {
    var sampler = sampler
    sampler.wasChosen = !isNamed
    sampler.rejected = tried.indices.filter { $0 != index }.map { tried[$0].certificate }
    sampler.unsuitable = Array(Set(unsuitable)).sorted()
    return sampler
  }

  mutating func note(_ outcome: SamplerOutcome) {
    guard let last = tried.indices.last, !tried[last].isWithinTolerance else { return }
    tried[last].certificate.outcome = outcome
  }

  /// Builds and measures the next that can be had, of tables the larger where the smaller's moments are beyond the tolerance; false
  /// where there is none.
  mutating func climb() throws -> Bool {
    while !above.isEmpty {
      let (name, options) = above.removeFirst()
      do {
        tried.append(try measured(name, options))
        if above.first?.name != name || tried.last?.isWithinTolerance == true { return true }
      } catch  where isNamed {
        throw error
      } catch let error as UnsuitableSampler {
        unsuitable.append("\(error)")
      } catch let error as GridError {
        unsuitable.append("\(error)")
      } catch let error as FactorizationError {
        unsuitable.append("\(name.rawValue): \(error)")
      }
    }
    guard !tried.isEmpty else {
      throw UnsuitableSampler(
        description: "no sampler can serve this model: " + unsuitable.joined(separator: "; "))
    }
    return false
  }

  private func measured(_ name: SamplerName, _ options: SamplerOptions) throws -> MeasuredSampler {
    let count = min(Self.certificatePoints, max(group.x.rows, 1))
    let sets = [Matrix(randomPoints(box, count: count)), Matrix(group.spreadInputs(count))]
    let sampler = try made(name, options)
    return MeasuredSampler(
      sampler: sampler, certificate: try sampler.certificate(at: sets, noise: options.noise),
      tolerance: options.tolerance)
  }

  private func made(
    _ name: SamplerName, _ options: SamplerOptions
  ) throws -> any GroupSampler {
    switch name {
    case .tabulated:
      try TabulatedSampler(
        group, box: box, largestTable: options.tablePoints, noise: options.noise,
        tolerance: options.tolerance)
    case .kissGP:
      try KISSGPSampler(
        group, box: box, pointsPerAxis: options.gridPoints, rank: options.rankChoice,
        noise: options.noise)
    case .sparse:
      try SparseSampler(group, inducingPoints: options.inducingPoints, noise: options.noise)
    case .love: try LoveSampler(group, box: box, rank: options.rankChoice, noise: options.noise)
    case .exact: try ExactSampler(group, noise: options.noise)
    case .pathwise:
      try PathwiseSampler(group, features: options.features, noise: options.noise)
    }
  }
}
