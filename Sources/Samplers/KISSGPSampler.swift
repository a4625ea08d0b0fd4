// SPDX-License-Identifier: Apache-2.0
// KISS-GP with LOVE on a grid (Wilson & Nickisch 2015; Pleiss 2018, section 3.3): everything that depends on the
// data is cached at the grid's points, so a read costs 4^D (1 + r) multiply-adds whatever n is.
//
//   mean = h(x)^T beta + w(x)^T m,    m = K_UU W^T (W K_UU W^T + sn2 I)^-1 (y - H beta)
//   variance = w(x)^T K_UU w(x) - ||R^T w(x)||^2,   R = K_UU W^T S

import Faults
import GaussianProcesses
import LinearAlgebra
import Programs

/// Interpolation in a grid of inducing points.
package struct KISSGPSampler: MarginalSampler {
  package let name = SamplerName.kissGP
  package let group: ProcessGroup
  package let data: [String: [Double]]
  package let grid: RegularGrid
  package let ranks: [Int]
  /// Solves for the mean that ended above their tolerance.
  package let unconvergedSolves: Int
  private let noise: ObservationNoise

  /// - Parameters:
  ///   - group: whose posterior is drawn from.
  ///   - box: covered by the grid, beside the training data. Bounds come from the model file, not from the
  ///     points asked for, so a prediction never depends on its neighbours.
  ///   - pointsPerAxis: nil to choose them from the lengthscales.
  ///   - rank: of the LOVE root, or until the tolerance is met.
  ///   - noise: whether draws contain the measurements' noise.
  /// - Throws: `GridError` for more than 4 inputs or other covariance functions than squared exponentials.
  package init(
    _ group: ProcessGroup, box: [ClosedRange<Double>], pointsPerAxis: Int? = nil,
    rank: RankChoice, noise: DrawnNoise = .latent
  ) throws {
    self.group = group
    let box = group.boxWithData(box)
    let wanted = try group.gridPoints(box)
    let points = pointsPerAxis.map { points in box.map { _ in points } } ?? wanted
    guard points.reduce(1, { $0 * ($1 + 2) }) <= RegularGrid.largestSize else {
      throw GridError(
        "\(points.map(String.init).joined(separator: " x ")) grid points are too many",
        remedy: .gridPoints)
    }
    grid = RegularGrid(box: box, pointsPerAxis: points)
    let probes = Matrix(randomPoints(box, count: 64, seed: 3) + group.spreadInputs(64))
    let (trainingWeights, probeWeights) = (
      GridWeights(grid, group.x), GridWeights(grid, probes)
    )
    let caches = try group.processes.map {
      try GridConditioning($0, trainingWeights, probes: probeWeights, rank: rank)
    }
    ranks = caches.map(\.rank)
    unconvergedSolves = caches.count { !$0.hasConverged }
    var data = [
      group.array("geometry"): grid.geometry,
      group.array("grid_mean"): Interpolation.sideBySide(caches.map(\.mean)),
    ]
    for (k, cache) in caches.enumerated() {
      data[group.array("toeplitz", k)] = cache.toeplitz
      data[group.array("grid_root", k)] = cache.paddedRoot(block: GridVariance.columnBlock)
    }
    self.noise = ObservationNoise(group, noise)
    self.data = SharedArrays.joined([data, group.priorMeanData, self.noise.data])
  }

  package var summary: String {
    let points = grid.counts.map { String($0 - 2) }.joined(separator: " x ")
    let ending = unconvergedSolves > 0 ? ", \(unconvergedSolves) solves not converged" : ""
    return "\(points) points, rank \(list(ranks))\(ending)"
  }

  package func moments(at x: Value) -> PosteriorMoments {
    let builder = x.builder
    let d = grid.dimensions
    let mean = builder.apply(
      .interpolation(
        Interpolation(
          table: group.array("grid_mean"), geometry: group.array("geometry"), dimensions: d,
          outputs: group.processes.count)),
      x)
    let deviations = ranks.enumerated().map { k, rank -> Value in
      let block = GridVariance.columnBlock
      let variance = builder.apply(
        .gridVariance(
          GridVariance(
            root: group.array("grid_root", k), toeplitz: group.array("toeplitz", k),
            geometry: group.array("geometry"), dimensions: d,
            rank: (rank + block - 1) / block * block)), x)
      return noise.deviation(variance, output: k, at: x)
    }
    return PosteriorMoments(
      mean: group.priorMean(at: x) + mean, deviation: builder.concatenate(deviations))
  }
}

extension ProcessGroup {
  /// Most points of KISS-GP's grid: with a root of rank 100 they fill 13 MB an output.
  private static let largestGrid = 1 << 15

  /// A box that also holds all training inputs (commands beyond the task's limits).
  fileprivate func boxWithData(_ box: [ClosedRange<Double>]) -> [ClosedRange<Double>] {
    box.enumerated().map { axis, range in
      let column = x.column(axis)
      return min(range.lowerBound, column.min() ?? 0)...max(range.upperBound, column.max() ?? 0)
    }
  }

  /// Grid points along each axis for KISS-GP: a quarter of the shortest lengthscale apart, within a budget.
  ///
  /// Throws: `GridError`.
  fileprivate func gridPoints(_ box: [ClosedRange<Double>]) throws -> [Int] {
    let lengthscales = try processes.map {
      try $0.hyperparameters.covariance.gridStationary(inputs: box.count).lengthscales
    }
    let wanted = box.enumerated().map { axis, range in
      let shortest = lengthscales.map { $0[axis] }.min() ?? 1
      let count = (range.upperBound - range.lowerBound) / (0.25 * shortest)
      return min(max(Int(count.rounded(.up)) + 1, 8), 100)
    }
    return withinBudget(wanted, budget: Self.largestGrid, least: 6)
  }
}
