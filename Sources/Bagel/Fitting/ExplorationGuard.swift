// SPDX-License-Identifier: Apache-2.0
// Keeps exploration inside the limits of states and quantities before there is a model. In: each row's states and the command that
// exploration wants. Out: that command, moved back as far as it takes.
//
// Of every limited quantity q a line of the rows so far says how its rate goes on (ridge regression, new at every row):
//
//   r_(k+1) = r_k + a r_k + b . v_k + s q_k + c    r in widths of the limits per look-ahead, q in widths from their middle, v in
//   v_k = v_(k-1) + g (u_k - v_(k-1))              halves of the actions' ranges from rest: the command u as a machine with a
//                                                  little lag feels it
//
// If q, run on so for the look-ahead with u held, comes nearer to a limit than a margin, u moves in tenths towards rest, and then
// towards the command that drives q inward: the end of an action's range where the sign of b is known. In the first rows, when nothing
// is known, small square waves replace the commands.

import LinearAlgebra
import MachineLogs
import Plants

/// Moves exploring commands back where a quantity would leave its limits.
struct ExplorationGuard {
  /// Rows whose command was moved back, and the quantities for which.
  private(set) var correctedRows = 0
  private(set) var names: [String] = []

  private var lines: [RateLine]
  private let limits: [ClosedRange<Double>]
  private let rest: [Double]
  /// Halves of the actions' ranges [A]; 1 for an action that cannot move.
  private let halves: [Double]
  private let probeRows: Int
  private let lookAhead: Int
  private var rows = 0

  /// Seconds and rows of the look-ahead, at least: within it a command must be able to turn a motion round.
  private static let (leastSeconds, leastRows) = (0.5, 5)
  private static let tenths = 10
  /// Seconds of probing, and its part of the actions' range.
  private static let (probeSeconds, wholeProbe) = (1.5, 0.15)
  private let probePart: Double

  /// - Parameters:
  ///   - quantities: with their limits.
  ///   - actions: limits [A].
  ///   - rest: the safe action [A].
  ///   - timeStep: seconds.
  ///   - part: of the commands that is left after episodes that ended at limits.
  init(
    _ quantities: [EpisodeRun.Limit], actions: [ClosedRange<Double>], rest: [Double],
    timeStep: Double, part: Double = 1
  ) {
    probePart = Self.wholeProbe * part
    let lookAhead = max(Self.leastRows, Int((Self.leastSeconds / timeStep).rounded()))
    (limits, self.rest) = (actions, rest)
    halves = actions.map {
      $0.upperBound > $0.lowerBound ? 0.5 * ($0.upperBound - $0.lowerBound) : 1
    }
    probeRows = quantities.isEmpty ? 0 : Int((Self.probeSeconds / timeStep).rounded())
    self.lookAhead = lookAhead
    lines = quantities.map { RateLine($0, actions: actions.count, lookAhead: lookAhead) }
  }

  /// The command [A] of a row.
  mutating func kept(_ wanted: [Double], states: [Double]) -> [Double] {
    for index in lines.indices { lines[index].take(states) }
    let probed = probing(wanted)
    var action = probed
    var targets = [rest]
    for line in lines where line.leaves(unit(action)) {
      if !names.contains(line.name) { names.append(line.name) }
      targets.append(inward(line))
      for target in [rest, inward(line)] {
        let from = action
        for tenth in 1...Self.tenths where line.leaves(unit(action)) {
          let part = Double(tenth) / Double(Self.tenths)
          action = zip(from, target).map { $0 + part * ($1 - $0) }
        }
      }
    }
    // What is good for one quantity may be bad for another: then the least bad.
    if targets.count > 2, lines.contains(where: { $0.leaves(unit(action)) }) {
      func worst(_ action: [Double]) -> Double {
        lines.map { $0.worstExcess(unit(action)) }.max() ?? 0
      }
      action = ([action] + targets).min { worst($0) < worst($1) } ?? action
    }
    if action != probed { correctedRows += 1 }
    return action
  }

  /// In the first rows of the first episode small square waves about rest take the place of commands: they tell soon what commands do,
  /// and lead nowhere. A slow command tells its sign when a machine without friction is under way already.
  private mutating func probing(_ wanted: [Double]) -> [Double] {
    defer { rows += 1 }
    guard rows < probeRows else { return wanted }
    return rest.indices.map { j in
      // Half a period is a quarter of the look-ahead at first, so that each wave ends where it began; no two actions have the same.
      let half = max(2, lookAhead / 2) * (j + 1)
      let sign = (rows + half / 2) / half % 2 == 0 ? 1.0 : -1
      let command = rest[j] + sign * probePart * halves[j]
      return min(max(command, limits[j].lowerBound), limits[j].upperBound)
    }
  }

  /// Learns from an episode that was driven before.
  mutating func learn(from episode: Episode) {
    begin()
    for (states, action) in zip(episode.states, episode.actions) {
      for index in lines.indices { lines[index].take(states) }
      sent(action)
    }
    rows += episode.count
  }

  /// An episode begins, where the machine stands now; what is known of its motion stays.
  mutating func begin() {
    for index in lines.indices { lines[index].begin() }
  }

  /// Hears the command that was sent [A].
  mutating func sent(_ action: [Double]) {
    let unit = unit(action)
    for index in lines.indices { lines[index].sent(unit) }
  }

  private func unit(_ action: [Double]) -> [Double] {
    action.indices.map { (action[$0] - rest[$0]) / halves[$0] }
  }

  private func inward(_ line: RateLine) -> [Double] {
    line.signs.enumerated().map { j, sign in
      if sign == 0 { return rest[j] }
      return sign * line.inward > 0 ? limits[j].upperBound : limits[j].lowerBound
    }
  }
}

/// How the rate of a limited quantity goes on.
private struct RateLine {
  let name: String
  private let limit: EpisodeRun.Limit
  private let lookAhead: Int
  /// Value and rate now; the rate is smoothed over about two rows, and not known at the first.
  private var value = Double.nan
  private var rate = 0.0
  private var hasRate = false
  /// v [A].
  private var felt: [Double]
  /// Features of the row before, whose next rate is not known yet.
  private var open: [Double]?
  /// Normal equations: sums of phi phi^T and of phi t, and of t^2, over so many rows.
  private var gram: Matrix
  private var moments: [Double]
  private var squares = 0.0
  private var rows = 0
  /// a, b [A], s, c: what is not surely other than nothing is 0, and a is -1 to 0 (no rate grows by itself for long).
  private var weights: [Double]

  private static let smoothing = 0.5
  /// g: rows that follow one another at once have the sign of an effect hidden by any lag.
  private static let feeling = 0.4
  private static let ridge = 0.1
  /// Parts of the width that are kept between a quantity and each limit.
  private static let margin = 0.1
  /// Standard errors from which on a command's effect is known.
  private static let surely = 3.0

  init(_ limit: EpisodeRun.Limit, actions: Int, lookAhead: Int) {
    (name, self.limit, self.lookAhead) = (limit.quantity.name, limit, lookAhead)
    let count = actions + 3
    gram = Self.ridge * Matrix.identity(count)
    moments = Array(repeating: 0, count: count)
    weights = moments
    felt = Array(repeating: 0, count: actions)
  }

  /// Widths of finite limits, else the value that limits it from one side.
  private var width: Double {
    let (lower, upper) = (limit.range.lowerBound, limit.range.upperBound)
    if lower.isFinite && upper.isFinite { return max(upper - lower, 1e-12) }
    return max(abs(lower.isFinite ? lower : upper), 1e-12)
  }

  private var middle: Double {
    let (lower, upper) = (limit.range.lowerBound, limit.range.upperBound)
    return lower.isFinite ? upper.isFinite ? 0.5 * (lower + upper) : lower : upper
  }

  /// Takes a row [S].
  mutating func take(_ states: [Double]) {
    let next = limit.quantity.value(states)
    defer { value = next }
    guard value.isFinite, next.isFinite else { return }
    let change = Double(lookAhead) * (next - value) / width
    let smoothed = hasRate ? rate + Self.smoothing * (change - rate) : change
    if let open {
      let target = smoothed - rate
      gram += Matrix.outer(open, open)
      for i in moments.indices { moments[i] += target * open[i] }
      squares += target * target
      rows += 1
      solve()
    }
    (rate, hasRate) = (smoothed, true)
  }

  /// Hears the command of the row, in halves of the ranges from rest [A].
  mutating func sent(_ unit: [Double]) {
    felt = Self.felt(felt, unit)
    open = hasRate ? features(value, rate, felt) : nil
  }

  mutating func begin() {
    (value, rate, hasRate, open) = (.nan, 0, false, nil)
    felt = felt.map { _ in 0 }
  }

  private static func felt(_ before: [Double], _ unit: [Double]) -> [Double] {
    zip(before, unit).map { $0 + feeling * ($1 - $0) }
  }

  private func features(_ value: Double, _ rate: Double, _ felt: [Double]) -> [Double] {
    [rate] + felt + [(value - middle) / width, 1]
  }

  private mutating func solve() {
    // The ridge keeps it positive definite.
    guard let factor = try? Cholesky(gram, what: "rate of \(name)") else { return }
    let found = factor.solve(moments)
    let explained = zip(found, moments).reduce(0) { $0 + $1.0 * $1.1 }
    guard rows > found.count else { return }
    let variance = max(squares - explained, 0) / Double(rows - found.count)
    let inverse = factor.solve(Matrix.identity(found.count))
    weights = found.enumerated().map { i, weight in
      if i == 0 { return min(max(weight, -1), 0) }
      return abs(weight) > Self.surely * (variance * inverse[i, i]).squareRoot() ? weight : 0
    }
  }

  /// Which way each command drives the quantity: -1, 1, or 0 where that is not known [A].
  var signs: [Double] {
    weights.dropFirst().dropLast(2).map { $0 == 0 ? 0 : $0 > 0 ? 1 : -1 }
  }

  /// 1 where the quantity should rise, -1 where it should fall.
  var inward: Double {
    let (lower, upper) = (limit.range.lowerBound, limit.range.upperBound)
    guard lower.isFinite else { return -1 }
    guard upper.isFinite else { return 1 }
    let ahead = value + rate * width
    return ahead > middle ? -1 : 1
  }

  /// How far a value is beyond the margin to a limit; negative inside.
  private func excess(_ value: Double) -> Double {
    Self.margin * width
      + max(limit.range.lowerBound - value, value - limit.range.upperBound)
  }

  /// Whether the sign of some command is known.
  var isKnown: Bool { signs.contains { $0 != 0 } }

  /// Whether it comes nearer to a limit than the margin within the look-ahead with a command held [A]. Where it is there already it has
  /// to come back, or to go no further while it is not known how it comes back.
  func leaves(_ unit: [Double]) -> Bool {
    let present = max(excess(value), 0)
    let ahead = excesses(unit)
    return ahead.contains { $0 > present } || isKnown && (ahead.last ?? 0) > 0
  }

  /// The largest excess within the look-ahead with a command held [A], in widths.
  func worstExcess(_ unit: [Double]) -> Double { (excesses(unit).max() ?? 0) / width }

  /// How far it is beyond the margin at each row of the look-ahead with a command held [A]; none before its value is known.
  private func excesses(_ unit: [Double]) -> [Double] {
    guard value.isFinite else { return [] }
    var (value, rate, felt) = (value, rate, felt)
    return (0..<lookAhead).map { _ in
      felt = Self.felt(felt, unit)
      rate += zip(weights, features(value, rate, felt)).reduce(0) { $0 + $1.0 * $1.1 }
      value += rate * width / Double(lookAhead)
      return excess(value)
    }
  }
}
