// SPDX-License-Identifier: Apache-2.0
// How many grid points each axis needs. The error of cubic convolution along one axis is measured by
// itself: four values around a random point of the box, interpolated to the middle, against the
// value there. The fewest points whose error is under its share of the tolerance are taken.
// (Lengthscales alone mislead: the deviation's structure is finer than the mean's.)

import GaussianProcesses
import LinearAlgebra

struct GridChoice {
  let posteriors: [TabulatedPosterior]
  /// Training inputs [n, D].
  let data: Matrix
  let box: [ClosedRange<Double>]
  let noise: DrawnNoise
  let tolerance: SamplerTolerance
  /// Most points, the stencil's included.
  let budget: Int

  /// Counts tried, about a factor 1.3 apart.
  static let candidates = [6, 8, 10, 13, 17, 22, 28, 36, 47, 61, 79, 100]
  /// Random lines per axis, half through the box and half through the data.
  static let lines = 64

  /// Points along each axis, within the budget.
  func pointsPerAxis() -> [Int] {
    let wanted = box.indices.map { axis in
      // Error falls with the count: bisect the candidates.
      var (low, high) = (0, Self.candidates.count - 1)
      while low < high {
        let middle = (low + high) / 2
        if isGood(axis: axis, count: Self.candidates[middle]) {
          high = middle
        } else {
          low = middle + 1
        }
      }
      return Self.candidates[low]
    }
    return withinBudget(wanted, budget: budget, least: Self.candidates[0])
  }

  private func isGood(axis: Int, count: Int) -> Bool {
    let spacing = (box[axis].upperBound - box[axis].lowerBound) / Double(count - 1)
    let half = Self.lines / 2
    let bases =
      randomPoints(box, count: half, seed: 2)
      + evenlySpreadRows(count: data.rows, wanted: half).map(data.row)
    // Around each base: nodes at -1.5, -0.5, 0.5, 1.5 spacings and the middle.
    let offsets = [-1.5, -0.5, 0.5, 1.5, 0]
    let points = Matrix(
      bases.flatMap { base in
        offsets.map { offset in
          var point = base
          point[axis] += offset * spacing
          return point
        }
      })
    // Keys' weights at the middle of a cell: (-1, 9, 9, -1) / 16.
    func middleErrors(_ values: [Double]) -> [Double] {
      bases.indices.map { i in
        let v = values[5 * i..<5 * i + 5].map { $0 }
        return (9 * (v[1] + v[2]) - v[0] - v[3]) / 16 - v[4]
      }
    }
    // Splines err about a third as much as the convolution whose error is measured here.
    let share = 1.4 / Double(box.count).squareRoot()
    return posteriors.allSatisfy { posterior in
      let process = posterior.process
      let moments = posterior.residualMoments(points, noise: noise)
      let meanError = typical(middleErrors(moments.mean)) / process.signalScale
      // Of an observation, as in the certificate: what draws do not have of its noise.
      let missing = noise == .observed ? 1 - posterior.noiseShare * posterior.noiseShare : 1
      let noiseVariance = process.addedVariance(points).map { missing * $0 }
      let relative = zip(middleErrors(moments.deviation), bases.indices).map { error, i in
        let deviation = moments.deviation[5 * i + 4]
        return error / (deviation * deviation + noiseVariance[5 * i + 4]).squareRoot()
      }
      return meanError <= share * tolerance.mean
        && typical(relative) <= share * tolerance.deviation
    }
  }

  /// The error that nine points in ten do not exceed: isolated data make pits in the deviation that no
  /// affordable grid resolves, and that a root mean square would chase.
  private func typical(_ errors: [Double]) -> Double {
    errors.map(abs).sorted()[errors.count * 9 / 10]
  }
}
