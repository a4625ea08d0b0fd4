// SPDX-License-Identifier: Apache-2.0
// The posterior on a grid: mean (without its linear part) and standard deviation of every output,
// read by cubic convolution, 4^D grid points a read whatever n is. Our own; the certificate says how
// good it is. The deviation is tabulated, not the variance: 2-5 times less error (NumPy, 2,200 boom
// points). Points per axis follow from one-dimensional interpolation errors, axis by axis.

import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// Why a posterior cannot be tabulated.
public struct TabulationError: Error, CustomStringConvertible {
  public let description: String
}

/// Cubic interpolation in a table of the posterior.
public struct TabulatedSampler: PosteriorSampler {
  public var name: String { "tabulated" }
  public var draw: PosteriorDraw { .marginal }
  public let data: [String: [Double]]
  /// Grid points along each feature, without the two that only support the stencil.
  public let pointsPerAxis: [Int]
  /// The box inside which the table is read, standardised features.
  public let box: [ClosedRange<Double>]
  public private(set) var certificate: SamplerCertificate?
  private let model: DynamicsModel

  /// Grids larger than this are refused: 2^22 points of 4 outputs are 64 MB in single precision.
  static let largestGrid = 1 << 22
  /// Refinement stops at this many points: a table beyond the second-level cache costs more than it gains.
  static let largestRefinement = 1 << 15

  /// Chooses the grid, fills it, measures it, and refines it until the errors are within tolerance or
  /// two refinements have not been enough (then the certificate says so).
  ///
  /// - Parameter actionLimits: the table covers all commands, not only those in the data.
  /// - Throws: `TabulationError` for more than 4 features.
  public init(
    _ model: DynamicsModel, actionLimits: [ClosedRange<Double>], noise: DrawnNoise = .latent,
    meanTolerance: Double = SamplerCertificate.meanTolerance,
    deviationTolerance: Double = SamplerCertificate.deviationTolerance,
    certificatePoints: Int = 1_000
  ) throws {
    let d = model.form.features.count
    guard d <= 4 else {
      throw TabulationError(
        description:
          "\(d) model inputs are too many to tabulate (at most 4); use --sampler exact, or "
          + "fewer features or a shorter history")
    }
    let box = model.tableBox(actionLimits: actionLimits)
    let posteriors = try model.processes.map { try TabulatedPosterior($0) }
    var counts = GridChoice(
      posteriors: posteriors, data: model.processes[0].x, box: box, noise: noise,
      meanTolerance: meanTolerance,
      deviationTolerance: deviationTolerance
    ).pointsPerAxis()
    for attempt in 0...2 {
      var sampler = try TabulatedSampler(
        model, posteriors, box: box, pointsPerAxis: counts, noise: noise)
      let certificate = sampler.certificate(
        model, box: box, count: certificatePoints, noise: noise)
      sampler.certificate = certificate
      let isGood = certificate.isWithin(mean: meanTolerance, deviation: deviationTolerance)
      let refined = counts.map { Int((1.3 * Double($0)).rounded(.up)) }
      if isGood || attempt == 2 || refined.reduce(1, { $0 * ($1 + 2) }) > Self.largestRefinement {
        self = sampler
        return
      }
      counts = refined
    }
    preconditionFailure("unreachable: the loop returns on its last attempt")
  }

  /// A table with the given grid, unmeasured.
  init(
    _ model: DynamicsModel, _ posteriors: [TabulatedPosterior], box: [ClosedRange<Double>],
    pointsPerAxis: [Int], noise: DrawnNoise
  ) throws {
    self.model = model
    self.box = box
    self.pointsPerAxis = pointsPerAxis
    let counts = pointsPerAxis.map { $0 + 2 }
    let size = counts.reduce(1, *)
    guard size <= Self.largestGrid else {
      throw TabulationError(
        description: "a table of \(counts) = \(size) points is too large; use --sampler exact")
    }
    let axes = zip(box, pointsPerAxis).map { range, points -> (lower: Double, spacing: Double) in
      let spacing = (range.upperBound - range.lowerBound) / Double(points - 1)
      return (range.lowerBound - spacing, spacing)
    }
    var points = Matrix(rows: size, columns: counts.count)
    for index in 0..<size {
      var rest = index
      for axis in counts.indices.reversed() {
        points[index, axis] = axes[axis].lower + Double(rest % counts[axis]) * axes[axis].spacing
        rest /= counts[axis]
      }
    }
    let groups = (2 * model.processes.count + 3) / 4
    var table = [Double](repeating: 0, count: groups * size * 4)
    for (m, posterior) in posteriors.enumerated() {
      let moments = posterior.residualMoments(points, noise: noise)
      for (column, values) in [moments.mean, moments.deviation].enumerated() {
        let output = 2 * m + column
        let start = output / 4 * size * 4 + output % 4
        for (i, value) in values.enumerated() { table[start + 4 * i] = value }
      }
    }
    data = [
      "table": table,
      "geometry": zip(axes, counts).flatMap { [$0.lower, 1 / $0.spacing, Double($1)] },
      DynamicsModel.priorMeanArray: model.priorMeanData,
    ]
  }

  public func moments(at x: Value) -> PosteriorMoments {
    let m = model.processes.count
    let table = x.builder.apply(
      .interpolation(
        Interpolation(
          table: "table", geometry: "geometry", dimensions: pointsPerAxis.count, outputs: 2 * m)), x
    )
    let residuals = (0..<m).map { table[2 * $0] }
    let deviations = (0..<m).map { table[2 * $0 + 1] }
    return PosteriorMoments(
      mean: model.priorMean(at: x) + x.builder.concatenate(residuals),
      deviation: x.builder.concatenate(deviations))
  }
}

extension DynamicsModel {
  /// The data's bounds with a tenth of the range added at each end; present actions reach exactly their
  /// limits. Standardised.
  func tableBox(actionLimits: [ClosedRange<Double>]) -> [ClosedRange<Double>] {
    zip(form.features, featureBounds).enumerated().map { d, pair in
      let (feature, bounds) = pair
      let (mean, scale) = (featureStandardiser.mean[d], featureStandardiser.scale[d])
      func standardised(_ lower: Double, _ upper: Double) -> ClosedRange<Double> {
        (lower - mean) / scale...(upper - mean) / scale
      }
      switch feature {
      case .action(let j, _):
        return standardised(actionLimits[j].lowerBound, actionLimits[j].upperBound)
      case .sine, .cosine: return standardised(-1, 1)
      case .state:
        let margin = 0.1 * max(bounds.upperBound - bounds.lowerBound, scale)
        return standardised(bounds.lowerBound - margin, bounds.upperBound + margin)
      }
    }
  }
}

/// What a table holds of one output.
struct TabulatedPosterior {
  let process: GaussianProcess
  private let lowRank: LowRankPosterior

  init(_ process: GaussianProcess) throws {
    self.process = process
    lowRank = try LowRankPosterior(process)
  }

  /// Posterior mean less the prior mean, and the standard deviation a draw has, at points [m, D].
  func residualMoments(
    _ points: Matrix, noise: DrawnNoise
  ) -> (mean: [Double], deviation: [Double]) {
    let prediction = lowRank.predict(points)
    let prior = process.priorMean(points)
    let added = noise == .observed ? process.hyperparameters.noiseVariance : 0
    return (
      zip(prediction.mean, prior).map { $0 - $1 },
      prediction.variance.map { ($0 + added).squareRoot() }
    )
  }
}
