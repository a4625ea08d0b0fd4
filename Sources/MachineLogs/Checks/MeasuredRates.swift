// SPDX-License-Identifier: Apache-2.0
// Which measured columns are the rates of which others, from the numbers: b is the rate of a if a's changes over some rows are
// b's integral over them. Names decide nothing: 'level' contains 'vel'.

/// Columns that hold each other's rates.
package struct MeasuredRates: Sendable {
  /// Column -> the column that is its rate.
  package private(set) var rateOf: [String: String] = [:]

  /// Rows over which changes are compared: with more of them, noise of a position drowns its change less.
  private static let windows = [1, 5, 20, 50]
  /// Part of the changes, the smaller ones, that are compared.
  private static let usualPart = 0.95
  /// Part of a change's variance that an integral explains.
  private static let explained = 0.9
  /// Slope of change against integral, where both are in the same units ...
  private static let slopes = 0.8...1.25
  /// ... and where they are not: degrees and radians, metres and millimetres, turns and radians, minutes and seconds.
  private static let unitFactors = [1, 180 / Double.pi, 1_000, 2 * Double.pi, 60, 360]

  /// - Parameters:
  ///   - columns: measured columns.
  ///   - files: logs that have them.
  ///   - mostRows: of a file that are enough to see it.
  package init(among columns: [String], in files: [LogFile], mostRows: Int = 20_000) {
    let logs = files.map { Log($0, columns, mostRows) }
    for column in columns {
      // One cannot be the rate of its own rate.
      rateOf[column] = columns.first {
        $0 != column && rateOf[$0] != column && Self.integrates($0, to: column, logs)
      }
    }
  }

  /// The first rows of a log, with the integral of each column.
  private struct Log {
    let values: [String: [Double]]
    let integrals: [String: [Double]]
    let count: Int

    init(_ file: LogFile, _ columns: [String], _ mostRows: Int) {
      let times = file.times
      let count = min(times.count, mostRows)
      self.count = count
      values = Dictionary(columns.map { ($0, file.column($0)) }) { first, _ in first }
      integrals = values.mapValues { values in
        var sum = 0.0
        return (0..<count).map { k in
          if k > 0 { sum += 0.5 * (times[k] - times[k - 1]) * (values[k] + values[k - 1]) }
          return sum
        }
      }
    }
  }

  private static func integrates(_ rate: String, to column: String, _ logs: [Log]) -> Bool {
    windows.contains { window in
      var (x, y): ([Double], [Double]) = ([], [])
      for log in logs {
        guard let position = log.values[column], let integral = log.integrals[rate] else {
          continue
        }
        for k in stride(from: window, to: log.count, by: 1) {
          x.append(integral[k] - integral[k - window])
          y.append(position[k] - position[k - window])
        }
      }
      return isTheSame(usual(x, y))
    }
  }

  /// Without the largest changes and integrals: a spike or a hole of the stamps is no motion.
  private static func usual(_ x: [Double], _ y: [Double]) -> [(Double, Double)] {
    func limit(_ values: [Double]) -> Double {
      let sizes = values.map(abs).sorted()
      return sizes.isEmpty ? 0 : sizes[Int(usualPart * Double(sizes.count - 1))]
    }
    let (mostX, mostY) = (limit(x), limit(y))
    return zip(x, y).filter { abs($0) <= mostX && abs($1) <= mostY }
  }

  /// Whether y = slope x + offset, with the slope of some pair of units.
  private static func isTheSame(_ pairs: [(Double, Double)]) -> Bool {
    guard pairs.count > 10 else { return false }
    let moments = PairMoments(pairs.map(\.0), pairs.map(\.1))
    let (xx, xy, yy) = (moments.xx, moments.xy, moments.yy)
    guard xx > 0, yy > 0, xy > 0, xy * xy > explained * xx * yy else { return false }
    let slope = xy / xx
    return unitFactors.contains { slopes.contains(slope / $0) || slopes.contains(slope * $0) }
  }
}
