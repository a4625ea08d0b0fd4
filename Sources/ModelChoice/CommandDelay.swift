// SPDX-License-Identifier: Apache-2.0
// How late commands act, by the data alone: cross-correlation of their changes with the states' changes of slope.

import MachineLogs

/// A correlation that was the largest over so many rows.
struct CommandDelay: Hashable {
  /// From a command's change to the change of slope that goes with it most, at least 1.
  var rows = 1
  var correlation = 0.0
  /// Below this, 99 % of correlations of white noise.
  var bound = 1.0

  /// Rows that are looked back.
  static let longest = 20

  /// Commands that stay go with everything, so changes are compared with changes of slope.
  ///
  /// - Parameters:
  ///   - states: [state][episode][row]
  ///   - commands: [command][episode][row]
  init(of states: [[[Double]]], after commands: [[[Double]]]) {
    let changes = commands.map { episodes in
      episodes.map { u in u.indices.map { k in k < 1 ? .nan : u[k] - u[k - 1] } }
    }
    for state in states {
      let bends = state.map { x in
        x.indices.map { k in k < 2 ? .nan : x[k] - 2 * x[k - 1] + x[k - 2] }
      }
      bound = 2.58 / Double(max(bends.joined().count, 1)).squareRoot()
      for command in changes {
        for lag in 1...Self.longest {
          let found = laggedCorrelation(bends, command, lag: lag)
          if abs(found) > abs(correlation) { (rows, correlation) = (lag, found) }
        }
      }
    }
  }
}

extension LogLayout {
  /// Of each measured state the command whose changes go most with its changes of slope.
  package func strongestCommands(in episodes: [Episode]) -> [Int] {
    let commands = actions.indices.map { j in [episodes.map { $0.actions.map { $0[j] } }] }
    return measured.map { i in
      let state = [episodes.map { $0.states.map { $0[i] } }]
      let strengths = commands.map { abs(CommandDelay(of: state, after: $0).correlation) }
      return strengths.indices.max { strengths[$0] < strengths[$1] } ?? 0
    }
  }

  /// Rows before each command acts on the measured state that it moves first; empty where no command is 2 rows late, or where
  /// episodes are too short to look back so far.
  func deadTimes(in episodes: [Episode]) -> [Int] {
    // A tenth of an episode may go before its first start.
    let long = episodes.filter { $0.count >= 10 * CommandDelay.longest }
    let rows = episodes.reduce(0) { $0 + $1.count }
    guard 2 * long.reduce(0, { $0 + $1.count }) > rows else { return [] }
    let times = actions.indices.map { j -> Int in
      let commands = [long.map { $0.actions.map { $0[j] } }]
      let delays = measured.map { i in
        CommandDelay(of: [long.map { $0.states.map { $0[i] } }], after: commands)
      }
      // The largest of twenty correlations of white noise is often above the bound.
      return delays.filter { abs($0.correlation) > 2 * $0.bound }.map { $0.rows - 1 }.min() ?? 0
    }
    return times.contains { $0 >= 2 } ? times : []
  }
}

/// The correlation of values [episode][row] with others so many rows before, where both are numbers.
func laggedCorrelation(_ values: [[Double]], _ others: [[Double]], lag: Int) -> Double {
  var (n, x, y, xx, xy, yy) = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
  for (a, b) in zip(values, others) {
    for k in stride(from: lag, to: a.count, by: 1) where a[k].isFinite && b[k - lag].isFinite {
      n += 1
      x += a[k]
      y += b[k - lag]
      xx += a[k] * a[k]
      xy += a[k] * b[k - lag]
      yy += b[k - lag] * b[k - lag]
    }
  }
  guard n > 2 else { return 0 }
  let scale = ((xx - x * x / n) * (yy - y * y / n)).squareRoot()
  return scale > 1e-12 * (xx * yy).squareRoot() ? (xy - x * y / n) / scale : 0
}
