// SPDX-License-Identifier: Apache-2.0
// Stamps and samples of one stretch of a log -> values on the time step's regular grid: as they stand where the stamps are
// those of a clock at that step, interpolated otherwise.

import Foundation

/// The regular grid onto which a stretch of samples is put.
struct SampleGrid {
  private let times: [Double]
  private let timeStep: Double
  /// Whether the samples are the grid's rows.
  let isRegular: Bool
  /// Rows of the grid.
  let count: Int

  /// Stamps within this fraction of the time step of a regular grid are taken as the grid.
  private static let regularTolerance = 0.05
  /// So are the rows of a real clock, which come a little late at every step and now and then more: interpolating them would
  /// mix neighbours. No spacing may differ from the time step by more than `jitterLimit` of it, the root of their mean square
  /// not by more than `regularTolerance`, their mean not by more than `meanTolerance`.
  private static let jitterLimit = 0.25
  private static let meanTolerance = 0.01

  init(times: [Double], timeStep: Double) {
    self.times = times
    self.timeStep = timeStep
    let isOnGrid = times.indices.allSatisfy {
      abs(times[$0] - times[0] - Double($0) * timeStep) <= Self.regularTolerance * timeStep
    }
    isRegular = isOnGrid || Self.isJitter(times, timeStep)
    let duration = times[times.count - 1] - times[0]
    count = isRegular ? times.count : Int((duration / timeStep + 1e-9).rounded(.down)) + 1
  }

  /// Whether the rows are a real clock's at this time step.
  private static func isJitter(_ times: [Double], _ timeStep: Double) -> Bool {
    let excess = zip(times.dropFirst(), times).lazy.map { ($0 - $1) / timeStep - 1 }
    let count = Double(max(times.count - 1, 1))
    return excess.allSatisfy { abs($0) <= jitterLimit }
      && (excess.reduce(0) { $0 + $1 * $1 } / count).squareRoot() <= regularTolerance
      && abs(excess.reduce(0, +)) / count <= meanTolerance
  }

  /// The stamp of row k of the grid, s.
  func time(_ k: Int) -> Double { isRegular ? times[k] : times[0] + Double(k) * timeStep }

  /// Seconds from the row before to row k of the grid; nil for the first.
  func elapsed(_ k: Int) -> Double? {
    guard k > 0 else { return nil }
    return isRegular ? times[k] - times[k - 1] : timeStep
  }

  /// Rows of the grid that lie in holes of the samples: one for each time step by which a spacing exceeds one and a half.
  var filled: Int {
    guard !isRegular else { return 0 }
    return zip(times.dropFirst(), times).reduce(0) {
      $0 + max(0, Int((($1.0 - $1.1) / timeStep - 0.5).rounded(.down)))
    }
  }

  /// States: linear interpolation between samples [count].
  func interpolate(_ values: [Double]) -> [Double] {
    if isRegular { return values }
    var index = 0
    return (0..<count).map { k in
      let time = time(k)
      while index + 2 < times.count && times[index + 1] <= time { index += 1 }
      let fraction = (time - times[index]) / (times[index + 1] - times[index])
      return values[index] + fraction * (values[index + 1] - values[index])
    }
  }

  /// Commands, which hold until the next sample: their mean over each time step [count]. (The command at the
  /// step's start would be the previous one wherever stamps come a little late.)
  func average(_ values: [Double]) -> [Double] {
    if isRegular { return values }
    var first = 0
    return (0..<count).map { k in
      let (start, end) = (times[0] + Double(k) * timeStep, times[0] + Double(k + 1) * timeStep)
      while first + 1 < times.count && times[first + 1] <= start { first += 1 }
      var total = 0.0
      var index = first
      var from = start
      while from < end {
        let until = index + 1 < times.count ? min(times[index + 1], end) : end
        total += values[index] * (until - from)
        (from, index) = (until, index + 1)
      }
      return total / timeStep
    }
  }
}
