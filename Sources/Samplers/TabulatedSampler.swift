// SPDX-License-Identifier: Apache-2.0
// The posterior on a grid: mean (without its linear part) and standard deviation of every output, as cubic
// splines: 4^D grid points a read whatever n is. Our own; the certificate says how good it is. The deviation
// is tabulated, not the variance: 2-5 times less error (NumPy, 2,200 boom points). Points per axis follow from
// one-dimensional interpolation errors, axis by axis.

import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// Cubic splines through a table of the posterior.
package struct TabulatedSampler: MarginalSampler {
  package let name = SamplerName.tabulated
  package let group: ProcessGroup
  package let data: [String: [Double]]
  /// Grid points along each feature inside the box.
  package let pointsPerAxis: [Int]
  /// Where values are needed: the box and the support of splines beyond it.
  let grid: RegularGrid

  /// Fills a table.
  ///
  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - box: inside which the table is read, standardised features.
  ///   - largestTable: most grid points. Filling takes its time; reading does not depend on it (0.57 ms an iteration
  ///     of Experiment 1 with 28,000 points and with 200,000; `bagel benchmark iteration`).
  ///   - noise: whether draws contain the measurements' noise.
  ///   - tolerance: on the moments, which the grid's spacing is chosen for.
  /// - Throws: `UnsuitableSampler` for more than 4 features, `FactorizationError`.
  package init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], largestTable: Int = 1 << 16,
    noise: DrawnNoise = .latent, tolerance: SamplerTolerance = SamplerTolerance()
  ) throws {
    let d = box.count
    guard d <= SamplerName.tabulated.mostInputs ?? .max else {
      throw UnsuitableSampler(
        "\(d) model inputs are too many to tabulate (at most 4)",
        remedy: .fewerInputs)
    }
    self.group = group
    let posteriors = try inParallel(group.processes.count) {
      try TabulatedPosterior(group.processes[$0], noiseShare: group.noiseShares[$0])
    }
    pointsPerAxis = GridChoice(
      posteriors: posteriors, data: group.x, box: box, noise: noise,
      tolerance: tolerance, budget: largestTable
    ).pointsPerAxis()
    let grid = RegularGrid(
      box: box, pointsPerAxis: pointsPerAxis, margin: SplineTable.support)
    self.grid = grid
    let points = grid.points
    let columns = posteriors.flatMap { posterior -> [[Double]] in
      let moments = posterior.residualMoments(points, noise: noise)
      return [moments.mean, moments.deviation].map {
        SplineTable.coefficients(of: $0, counts: grid.counts)
      }
    }
    let own = [
      group.array("table"): Interpolation.sideBySide(columns),
      group.array("geometry"): RegularGrid(box: box, pointsPerAxis: pointsPerAxis).geometry,
      // A spline may swing below zero beside a pit.
      group.array("deviation_floor"): group.processes.map { $0.varianceFloor.squareRoot() },
    ]
    data = SharedArrays.joined([own, group.priorMeanData])
  }

  /// The shared array that holds the table.
  var tableName: String { group.array("table") }

  /// Coefficients of an output's mean without its linear part, a grid point each.
  func meanCoefficients(output k: Int) -> [Double] {
    Interpolation.column(2 * k, of: data[tableName] ?? [], columns: 2 * group.processes.count)
  }

  package var summary: String {
    pointsPerAxis.map(String.init).joined(separator: " x ") + " points"
  }

  package func moments(at x: Value) -> PosteriorMoments {
    let m = group.processes.count
    let table = x.builder.apply(
      .interpolation(
        Interpolation(
          table: tableName, geometry: group.array("geometry"),
          dimensions: pointsPerAxis.count, outputs: 2 * m,
          basis: .cubicSpline)), x)
    let residuals = (0..<m).map { table[2 * $0] }
    let deviations = (0..<m).map { table[2 * $0 + 1] }
    return PosteriorMoments(
      mean: group.priorMean(at: x) + x.builder.concatenate(residuals),
      deviation: maximum(
        x.builder.concatenate(deviations),
        x.builder.shared(group.array("deviation_floor"), length: m)))
  }
}

/// What a table holds of one output.
struct TabulatedPosterior {
  let process: GaussianProcess
  let noiseShare: Double
  private let lowRank: LowRankPosterior

  init(_ process: GaussianProcess, noiseShare: Double) throws {
    (self.process, self.noiseShare) = (process, noiseShare)
    lowRank = try LowRankPosterior(process)
  }

  /// Posterior mean less the prior mean, and the standard deviation a draw has, at points [m, D].
  func residualMoments(
    _ points: Matrix, noise: DrawnNoise
  ) -> (mean: [Double], deviation: [Double]) {
    let prediction = lowRank.predict(points)
    let prior = process.priorMean(points)
    let variance =
      noise == .observed
      ? process.observedVariance(points, latent: prediction.variance, share: noiseShare)
      : prediction.variance
    return (
      zip(prediction.mean, prior).map { $0 - $1 },
      variance.map { $0.squareRoot() }
    )
  }
}
