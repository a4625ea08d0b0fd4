// SPDX-License-Identifier: Apache-2.0
// The tests of one state. In: whitened innovations, row by row. Out: one statistic per departure, in units of log likelihood.

/// Tests of one state's innovations.
struct DepartureTests: Sendable {
  /// b: how far the mean of w may be off.
  private let slack: Double
  /// h of an offset.
  private let response: [Double]
  private let windowRows: Int
  private(set) var statistics = Departure.allCases.map { _ in 0.0 }
  /// Rows since each of Page's tests was zero.
  private(set) var rows = Departure.allCases.map { _ in 0 }
  /// w of the last rows, oldest first, and the deviation of each before it was divided by it.
  private var last: [(w: Double, deviation: Double)] = []

  /// Seconds of the window of a scatter.
  private static let windowSeconds = 1.0

  /// Rows of a second, and 4 at least.
  static func windowRows(_ timeStep: Double) -> Int {
    max(4, Int((windowSeconds / timeStep).rounded()))
  }

  init(slack: Double, response: [Double], timeStep: Double) {
    (self.slack, self.response) = (slack, response)
    windowRows = Self.windowRows(timeStep)
  }

  /// Takes one row.
  ///
  /// - Parameters:
  ///   - w: of the state.
  ///   - deviation: of the row, more than 1 after changes of commands (`Excitation.deviation`).
  ///   - commands: see `Departure.shift`.
  ///   - delay: see there.
  mutating func add(_ w: Double, deviation: Double, commands: Double, delay: Double) {
    last.append((w, deviation))
    if last.count > max(windowRows, response.count) { last.removeFirst() }
    for departure in Departure.allCases {
      let k = departure.rawValue
      rows[k] += 1
      switch departure {
      case .jump: statistics[k] = 0.5 * w * w
      case .scatter: statistics[k] = 0.5 * last.suffix(windowRows).reduce(0) { $0 + $1.w * $1.w }
      case .glitch:
        statistics[k] = matched([1, response.count > 1 ? response[1] - 1 : -1], from: 2)
      case .offset: statistics[k] = matched(response, from: min(2, response.count))
      case .higher, .lower, .weaker, .stronger, .later:
        guard let m = departure.shift(commands: commands, delay: delay) else { continue }
        statistics[k] = max(0, statistics[k] + m * w - 0.5 * m * m - abs(m) * slack)
        if statistics[k] == 0 { rows[k] = 0 }
      }
    }
  }

  /// The largest of (h w)^2 / (2 h h) over the rows since a beginning, whichever of the last rows that was.
  ///
  /// - Parameters:
  ///   - response: h, from the beginning on.
  ///   - fewest: rows since the beginning, at least.
  private func matched(_ response: [Double], from fewest: Int) -> Double {
    var best = 0.0
    for rows in fewest...response.count where rows <= last.count {
      var (product, square) = (0.0, 0.0)
      for (h, row) in zip(response, last.suffix(rows)) {
        let h = h / row.deviation
        (product, square) = (product + h * row.w, square + h * h)
      }
      best = max(best, 0.5 * product * product / square)
    }
    return best
  }

  /// Begins anew: after an alarm, or a stretch that is not judged.
  mutating func restart() {
    for k in statistics.indices { (statistics[k], rows[k]) = (0, 0) }
    last = []
  }
}
