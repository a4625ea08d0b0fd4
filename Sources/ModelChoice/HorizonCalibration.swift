// SPDX-License-Identifier: Apache-2.0
// From a model's run to a distribution of the measured value, learnt from left-out blocks, for each state and horizon:
//
//   mean       y0 + b (p - y0) + c (m - y0)     p the run, y0 the last known value, m the training data's mean: a run that knows
//                                               nothing any more goes back to what is usual
//   quantiles  mean + w e, e the quantiles of the errors over w on the left-out blocks, taken with both signs (few errors make
//              lopsided tails by chance), w = sqrt(1 + d) for a run whose features have been d from the data (`DataSpread`): so
//              grows the error of least squares with the leverage of what it is asked
//
// and its score, the continuous ranked probability score (CRPS; Gneiting and Raftery 2007) of 21 quantiles: twice the mean of
// their pinball losses. Scores are cross-fitted: each block is scored by what the others teach.

import Foundation
import LinearAlgebra

/// A distribution's map for one state and horizon.
package struct HorizonCalibration: Hashable, Sendable {
  /// b and c.
  let ofRun: Double
  let ofMean: Double
  /// Quantiles of the absolute error over `width` at 2 p - 1 for the levels p above a half, ascending.
  private let errors: [Double]

  /// Standard errors of a gain that are taken off it.
  private static let doubt = 0.25
  /// Ten deviations from the data nothing is known any more, and nothing less further out.
  private static let farthest = 100.0
  /// Candidates of b and c with b + c at most 1, the run itself first.
  private static let shares: [(b: Double, c: Double)] = {
    let parts = [1, 0.75, 0.5, 0.25, 0]
    return parts.flatMap { b in parts.reversed().filter { b + $0 <= 1 }.map { (b, $0) } }
  }()

  /// The run is moved only as far as absolute errors, which CRPS is made of (squared ones would listen to the wildest rows alone),
  /// surely gain by it: a quarter of a standard error over the blocks, which left-out parts of nine training sets told best.
  ///
  /// - Parameters:
  ///   - records: at least one.
  ///   - mean: m.
  init(_ records: [HorizonRecord], mean: Double) {
    func errors(_ share: (b: Double, c: Double)) -> [Double] {
      records.map { r in
        abs(r.truth - r.last - share.b * (r.predicted - r.last) - share.c * (mean - r.last))
      }
    }
    /// Mean errors, one a block.
    func means(_ errors: [Double]) -> [Double] {
      var sums: [Int: (sum: Double, count: Double)] = [:]
      for (r, error) in zip(records, errors) {
        let known = sums[r.block] ?? (0, 0)
        sums[r.block] = (known.sum + error, known.count + 1)
      }
      return sums.sorted { $0.key < $1.key }.map { $0.value.sum / $0.value.count }
    }
    var best = Self.shares[0]
    var found = errors(best)
    let unmoved = means(found)
    var most = 0.0
    for share in Self.shares.dropFirst() {
      let tried = errors(share)
      let gains = zip(unmoved, means(tried)).map { $0 - $1 }
      let gain =
        gains.reduce(0, +) / Double(gains.count) - Self.doubt * standardError(gains)
      if gain > most { (best, found, most) = (share, tried, gain) }
    }
    (ofRun, ofMean) = (best.b, best.c)
    let sorted = zip(found, records).map { $0 / Self.width($1.novelty) }.sorted()
    self.errors = Horizons.levels.filter { $0 > 0.5 }.map { level in
      // Of new errors, not of these: with few of them the outer quantiles are the largest there is.
      let place = min(
        max((2 * level - 1) * Double(sorted.count + 1) - 1, 0), Double(sorted.count - 1))
      let below = Int(place)
      let above = min(below + 1, sorted.count - 1)
      return sorted[below] + (place - Double(below)) * (sorted[above] - sorted[below])
    }
  }

  /// Between two horizons' maps.
  init(_ a: HorizonCalibration, _ b: HorizonCalibration, fraction: Double) {
    func between(_ x: Double, _ y: Double) -> Double { x + fraction * (y - x) }
    ofRun = between(a.ofRun, b.ofRun)
    ofMean = between(a.ofMean, b.ofMean)
    errors = zip(a.errors, b.errors).map(between)
  }

  /// Further ahead than was judged: the errors go on growing as they did over the last two horizons, at most as those of a random
  /// walk (the root of the time).
  ///
  /// - Parameters:
  ///   - before: the last horizon's map but one.
  ///   - ratio: of the last horizon to the one before.
  ///   - further: of the time ahead to the last horizon.
  func growing(since before: HorizonCalibration, ratio: Double, further: Double)
    -> HorizonCalibration
  {
    let (a, b) = (before.errors.last ?? 0, errors.last ?? 0)
    let growth = a > 0 && b > 0 ? min(max(log(b / a) / log(ratio), 0), 0.5) : 0
    return HorizonCalibration(
      ofRun: ofRun, ofMean: ofMean, errors: errors.map { $0 * pow(further, growth) })
  }

  private init(ofRun: Double, ofMean: Double, errors: [Double]) {
    (self.ofRun, self.ofMean, self.errors) = (ofRun, ofMean, errors)
  }

  /// The predicted mean.
  func mean(last: Double, predicted: Double, usual: Double) -> Double {
    last + ofRun * (predicted - last) + ofMean * (usual - last)
  }

  /// At `Horizons.levels`, about the mean of a run that has been so far from the data.
  func quantiles(about mean: Double, novelty: Double) -> [Double] {
    let width = Self.width(novelty)
    return errors.reversed().map { mean - width * $0 } + [mean] + errors.map { mean + width * $0 }
  }

  private static func width(_ novelty: Double) -> Double {
    (1 + min(novelty, farthest)).squareRoot()
  }
}

extension HorizonRuns {
  /// Sums of CRPS of a state at a horizon, cross-fitted: one a block, 0 where a block has no start.
  ///
  /// - Parameter usual: the training data's mean of the state.
  func scores(steps: Int, state: Int, usual: Double, blocks: Int) -> [Double] {
    let records = self[steps, state]
    return (0..<blocks).map { block in
      let own = records.filter { $0.block == block }
      let others = records.filter { $0.block != block }
      if own.isEmpty { return 0 }
      let map = HorizonCalibration(others.isEmpty ? records : others, mean: usual)
      return own.reduce(0) { sum, r in
        let mean = map.mean(last: r.last, predicted: r.predicted, usual: usual)
        return sum + crps(map.quantiles(about: mean, novelty: r.novelty), r.truth)
      }
    }
  }
}

/// CRPS of quantiles at `Horizons.levels` where the truth is y.
package func crps(_ quantiles: [Double], _ y: Double) -> Double {
  let losses = zip(Horizons.levels, quantiles).map { p, q in (p - (y < q ? 1 : 0)) * (y - q) }
  return 2 * losses.reduce(0, +) / Double(losses.count)
}

/// Mean distance between members of two ensembles of as many, members of the same index left out: in one ensemble each is at no distance
/// from itself, and in two they have the same draws. The CRPS of an ensemble x is mean |x - y| - meanDistance(x, x) / 2, whatever
/// its size (Ferro 2014).
package func meanDistance(_ x: [Double], _ y: [Double]) -> Double {
  var sum = 0.0
  for i in x.indices {
    for j in y.indices where j != i { sum += abs(x[i] - y[j]) }
  }
  return sum / Double(x.count * (x.count - 1))
}
