// SPDX-License-Identifier: Apache-2.0
// The samplers that can be used for a model, built and measured on demand, the cheapest first. Each group of outputs has
// its own candidates: it uses the first one whose moments are within the tolerance.

import Faults
import GaussianProcesses
import LinearAlgebra

/// Samplers of a model, one after another.
package struct SamplerCandidates {
  private let groups: [ProcessGroup]
  /// Whether one group reads all inputs, so that its sampler is the model's.
  private let isWhole: Bool
  private var candidates: [GroupCandidates]
  /// Which groups the last `next` went on in.
  private var built: [Int] = []

  /// - Parameters:
  ///   - model: whose posterior is drawn from.
  ///   - options: one sampler by name, or all; their tolerance or size.
  ///   - actionLimits: samplers cover all commands, not only those in the data.
  package init(
    of model: DynamicsModel, _ options: SamplerOptions, actionLimits: [ClosedRange<Double>]
  ) {
    var options = options
    // What moves the machine was learnt: draws have it, whatever the task says of noise.
    if model.processNoise != nil { options.noise = .observed }
    let box = model.samplerBox(actionLimits: actionLimits)
    groups = model.groups
    isWhole = groups.count == 1 && groups[0].dimensions == box.count
    candidates = groups.map { group in
      GroupCandidates(group, options, box: group.inputs.map { box[$0] })
    }
  }

  /// The next: every group whose moments are not within the tolerance goes on; nil where none can.
  ///
  /// Throws: `UnsuitableSampler` where nothing can serve a group; with a name also `GridError`, `FactorizationError`;
  /// `ExecutionError`.
  package mutating func next() throws -> MeasuredSampler? {
    built = []
    for index in candidates.indices where candidates[index].present?.isWithinTolerance != true {
      if try candidates[index].buildNext() { built.append(index) }
    }
    guard !built.isEmpty else { return nil }
    return joined(candidates.compactMap(\.present))
  }

  /// Notes what searches through the present one come to.
  package mutating func note(_ outcome: SamplerOutcome) {
    for index in candidates.indices { candidates[index].note(outcome) }
  }

  /// Notes why outcomes are not asked.
  package mutating func note(_ reason: String) {
    for index in candidates.indices { candidates[index].note(reason) }
  }

  /// Takes back what `next` built last: groups keep what they had before.
  ///
  /// - Parameter reason: why it cannot serve.
  package mutating func refuse(because reason: String) {
    for index in built { candidates[index].refuse(because: reason) }
    built = []
  }

  /// Of what was tried: of each group the one within the tolerance, else that with the smallest excess. Not before `next`.
  package var best: MeasuredSampler {
    var best = joined(candidates.map(\.best))
    // What was judged together need not be what is best apart.
    if candidates.count > 1 { best.certificate.outcome = nil }
    return best
  }

  private func joined(_ parts: [MeasuredSampler]) -> MeasuredSampler {
    isWhole ? parts[0] : MeasuredSampler(joining: parts, of: groups)
  }
}

/// The samplers of one group of outputs.
private struct GroupCandidates {
  private let group: ProcessGroup
  /// Of the standardised inputs [D].
  private let box: [ClosedRange<Double>]
  private let isNamed: Bool
  private var left: [(name: SamplerName, options: SamplerOptions)]
  private var tried: [MeasuredSampler] = []
  /// How many there were before the last `buildNext`.
  private var triedBefore = 0
  private var unsuitable: [String] = []

  /// Points of the box, and as many of the data, at which samplers are measured.
  private static let certificatePoints = 1_000

  init(_ group: ProcessGroup, _ options: SamplerOptions, box: [ClosedRange<Double>]) {
    (self.group, self.box, isNamed) = (group, box, options.name != nil)
    if let name = options.name {
      left = [(name, options)]
    } else {
      var larger = options
      larger.tablePoints *= 4
      left =
        [(.tabulated, options), (.tabulated, larger)]
        + [.kissGP, .sparse].map { ($0, options) }
      // LOVE's sums go over all data: over more of them than a model that is itself a sum over inducing points.
      if group.processes.contains(where: { $0.exact != nil }) { left.append((.love, options)) }
      left.append((.exact, options))
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

  mutating func note(_ reason: String) { unsuitable.append(reason) }

  /// The first of all stays: something has to serve.
  mutating func refuse(because reason: String) {
    guard tried.count > 1 else { return }
    for sampler in tried[max(triedBefore, 1)...] {
      unsuitable.append("\(sampler.description): \(reason)")
    }
    tried.removeSubrange(max(triedBefore, 1)...)
  }

  mutating func note(_ outcome: SamplerOutcome) {
    guard let last = tried.indices.last, !tried[last].isWithinTolerance else { return }
    tried[last].certificate.outcome = outcome
  }

  /// Builds and measures the next that can be had, of tables the larger where the smaller's moments are beyond the tolerance; false
  /// where there is none.
  mutating func buildNext() throws -> Bool {
    let before = tried.count
    triedBefore = before
    while !left.isEmpty {
      // A smaller table that stands alone is judged before another sampler is built.
      if tried.count > before, left[0].name != tried.last?.sampler.name { return true }
      let (name, options) = left.removeFirst()
      do {
        let sampler = try measured(name, options)
        // The larger table of few inputs may be the smaller again.
        if sampler.sampler.summary == tried.last?.sampler.summary { continue }
        tried.append(sampler)
        if tried.last?.isWithinTolerance == true { return true }
      } catch  where isNamed {
        throw error
      } catch let error as UnsuitableSampler {
        unsuitable.append(error.statement)
      } catch let error as GridError {
        unsuitable.append(error.statement)
      } catch let error as FactorizationError {
        unsuitable.append(
          "\(name.rawValue): \(error.statement)")
      }
    }
    if tried.count > before { return true }
    guard !tried.isEmpty else {
      throw UnsuitableSampler(
        "no sampler can be used for this model: " + unsuitable.joined(separator: "; "))
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
      try SparseSampler(
        group, box: box, inducingPoints: options.inducingPoints, noise: options.noise,
        tolerance: options.tolerance)
    case .love: try LoveSampler(group, box: box, rank: options.rankChoice, noise: options.noise)
    case .exact: try ExactSampler(group, noise: options.noise)
    case .pathwise:
      try PathwiseSampler(group, features: options.features, noise: options.noise)
    case .sparsePathwise:
      try SparsePathwiseSampler(
        group, features: options.features, inducingPoints: options.inducingPoints,
        spreads: options.functionSpreads, noise: options.noise)
    }
  }
}
