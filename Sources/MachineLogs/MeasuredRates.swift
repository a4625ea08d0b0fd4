// SPDX-License-Identifier: Apache-2.0
// Which measured columns are the rates of which others, from the numbers: b is the rate of a if a's changes over some rows are
// b's integral over them. Names decide nothing: 'level' contains 'vel'.

/// Columns that hold each other's rates.
public struct MeasuredRates: Sendable {
  /// Column -> the column that is its rate.
  public private(set) var rateOf: [String: String] = [:]

  /// Rows over which changes are compared: with more of them, noise of a position drowns its change less.
  private static let windows = [1, 5, 20, 50]
  /// Rows of a file that are enough to see it.
  private static let mostRows = 100_000
  /// Part of a change's variance that an integral explains.
  private static let explained = 0.9
  /// Slope of change against integral, where both are in the same units ...
  private static let slopes = 0.8...1.25
  /// ... and where they are not: degrees and radians, metres and millimetres, turns and radians, minutes and seconds.
  private static let unitFactors = [1, 180 / Double.pi, 1_000, 2 * Double.pi, 60, 360]

  /// - Parameters:
  ///   - columns: measured columns.
  ///   - files: logs that have them.
  public init(among columns: [String], in files: [LogFile]) {
    for column in columns {
      let others = columns.filter { $0 != column && rateOf[$0] == nil }
      rateOf[column] = others.first { Self.integrates($0, to: column, files) }
    }
  }

  private static func integrates(_ rate: String, to column: String, _ files: [LogFile]) -> Bool {
    windows.contains { window in
      var (x, y): ([Double], [Double]) = ([], [])
      for file in files {
        let (times, position, velocity) = (file.times, file.column(column), file.column(rate))
        let count = min(times.count, mostRows)
        guard count > window else { continue }
        var integral = [0.0]
        for k in 1..<count {
          let step = times[k] - times[k - 1]
          integral.append(integral[k - 1] + 0.5 * step * (velocity[k] + velocity[k - 1]))
        }
        for k in window..<count {
          x.append(integral[k] - integral[k - window])
          y.append(position[k] - position[k - window])
        }
      }
      return isTheSame(x, y)
    }
  }

  /// Whether y = slope x + offset, with the slope of some pair of units.
  private static func isTheSame(_ x: [Double], _ y: [Double]) -> Bool {
    let n = Double(x.count)
    guard n > 10 else { return false }
    let (meanX, meanY) = (x.reduce(0, +) / n, y.reduce(0, +) / n)
    var (xx, xy, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xx += (a - meanX) * (a - meanX)
      xy += (a - meanX) * (b - meanY)
      yy += (b - meanY) * (b - meanY)
    }
    guard xx > 0, yy > 0, xy > 0, xy * xy > explained * xx * yy else { return false }
    let slope = xy / xx
    return unitFactors.contains { slopes.contains(slope / $0) || slopes.contains(slope * $0) }
  }
}
