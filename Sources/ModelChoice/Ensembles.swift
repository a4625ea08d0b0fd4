// SPDX-License-Identifier: Apache-2.0
// How good ensembles of particles are: their fair CRPS (Ferro 2014), and how much too narrow their bands.

import Foundation
import LinearAlgebra

/// Scores of ensembles by horizon, state and block.
struct Ensembles {
  private let horizons: [Int]
  private let states: Int
  private let blocks: Int
  /// [horizon][state][block]
  private var cells: [[[Cell]]]
  /// Errors over the ensemble's deviation [horizon][state].
  private var ratios: [[[Double]]]

  private struct Cell {
    var score = 0.0
    var count = 0
  }

  /// Starts that a cell must have to count.
  private static let fewest = Horizons.fewestKnown
  /// And starts at which a quantile of 95 % is told.
  private static let fewestOfQuantile = 40

  init(horizons: [Int], states: Int, blocks: Int) {
    (self.horizons, self.states, self.blocks) = (horizons, states, blocks)
    cells = horizons.map { _ in
      (0..<states).map { _ in (0..<blocks).map { _ in Cell() } }
    }
    ratios = horizons.map { _ in (0..<states).map { _ in [] } }
  }

  mutating func add(_ x: [Double], truth: Double, horizon: Int, state: Int, block: Int) {
    let count = Double(x.count)
    let mean = x.reduce(0, +) / count
    let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (count - 1)
    let distance = x.reduce(0) { $0 + abs($1 - truth) } / count
    cells[horizon][state][block].score += distance - 0.5 * meanDistance(x, x)
    cells[horizon][state][block].count += 1
    ratios[horizon][state].append(
      abs(truth - mean) / max((variance * (1 + 1 / count)).squareRoot(), 1e-300))
  }

  /// Mean logarithm of the CRPS over another's, over states and horizons, and its standard error over the blocks; nil where fewer
  /// than two blocks can judge.
  func score(over other: Ensembles) -> (mean: Double, standardError: Double)? {
    let all = (0..<blocks).compactMap { block -> Double? in
      var logarithms: [Double] = []
      for horizon in horizons.indices {
        for state in 0..<states {
          let (own, theirs) = (cells[horizon][state][block], other.cells[horizon][state][block])
          guard own.count >= Self.fewest, theirs.score > 0, own.score > 0 else { continue }
          logarithms.append(log(own.score / theirs.score))
        }
      }
      return logarithms.isEmpty ? nil : logarithms.reduce(0, +) / Double(logarithms.count)
    }
    guard all.count > 1 else { return nil }
    return (all.reduce(0, +) / Double(all.count), standardError(all))
  }

  /// The 95 % quantile of the errors over that of Student's t of an ensemble's deviation (7 degrees of freedom); NaN where there are
  /// few.
  var bandFactors: [(steps: Int, factors: [Double])] {
    let expected = 2.365
    return horizons.indices.map { horizon in
      (
        horizons[horizon],
        (0..<states).map { state in
          let sorted = ratios[horizon][state].sorted()
          guard sorted.count >= Self.fewestOfQuantile else { return .nan }
          return sorted[sorted.count * 95 / 100] / expected
        }
      )
    }
  }
}
