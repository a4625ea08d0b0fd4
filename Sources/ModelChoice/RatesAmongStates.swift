// SPDX-License-Identifier: Apache-2.0
// Which measured states are the rates of others, by the numbers.

import MachineLogs

extension LogLayout {
  /// Measured states that hold the rates of others, in the same units: over twenty rows the change of one is the trapezoidal
  /// integral of the other.
  func measuredRates(in episodes: [Episode]) -> [Int: Int] {
    let bases = states.compactMap { if case .rate(let base, _) = $0.source { base } else { nil } }
    // A position whose rate is derived is what that rate follows from.
    let measured = states.indices.filter {
      states[$0].source == .column && states[$0].turn == nil && !bases.contains(states[$0].name)
    }
    var rates: [Int: Int] = [:]
    let window = 20
    for position in measured {
      // No chains: a rate that is integrated itself would not be known in time.
      for rate in measured
      where rate != position && rates[position] == nil && rates[rate] == nil
        && !rates.values.contains(position)
      {
        var (xx, xy, yy) = (0.0, 0.0, 0.0)
        for episode in episodes {
          for k in stride(from: window, to: episode.count, by: window) {
            let rows = k - window...k
            let values = rows.map { episode.states[$0][rate] }
            let integral =
              timeStep * (values.reduce(0, +) - 0.5 * (values[0] + values[window]))
            let change = episode.states[k][position] - episode.states[k - window][position]
            xx += integral * integral
            xy += integral * change
            yy += change * change
          }
        }
        guard xx > 0, yy > 0 else { continue }
        if (0.9...1.1).contains(xy / xx) && xy * xy > 0.95 * xx * yy { rates[position] = rate }
      }
    }
    return rates
  }
}
