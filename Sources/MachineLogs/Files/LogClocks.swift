// SPDX-License-Identifier: Apache-2.0
// Columns as they were read -> rows of one clock, in seconds that go forward. Signals with clocks of their own are put onto
// that of the fastest state, causally: what a controller could have known at a row's stamp.

import Faults
import Foundation
import SafeText

extension LogFile {
  // MARK: the unit of stamps

  /// Turns stamps into seconds, where something says that they are none.
  ///
  /// - Parameters:
  ///   - layout: may say the unit.
  ///   - stated: in the row of units; nil for none.
  ///   - isConverted: whether a program wrote them, which writes seconds unless it says otherwise.
  mutating func setTimeUnit(_ layout: LogLayout, stated: TimeUnit?, isConverted: Bool) {
    let times = self.times
    guard times.count > 1 else { return }
    let spacing = Self.spacing(of: times)
    func isPossible(_ seconds: Double) -> Bool {
      layout.timeStep > seconds / LogLayout.finestStep
    }
    // Most logs are at most four times as coarse as their time step, and at most thirty times as fine.
    func isUsual(_ seconds: Double) -> Bool {
      layout.timeStep == LogLayout.unknownTimeStep
        ? LogLayout.usualSpacings.contains(seconds)
        : isPossible(seconds) && 30 * seconds > layout.timeStep
    }
    let said =
      layout.timeUnit ?? stated ?? TimeUnit(ofName: timeColumn)
      ?? (isConverted ? .seconds : nil)
    if said == nil, let seconds = TimeUnit.secondsOfClockDigits(times, spacing: spacing) {
      habits.append(
        "time ('\(shortened(timeColumn))') as digits of hours, minutes and seconds (101559, 101600)"
      )
      return replace(timeColumn, seconds)
    }
    guard
      let unit = said
        ?? .inferred(
          first: times[0], spacing: spacing, isPossible: isPossible, isUsual: isUsual)
    else { return }
    guard unit != .seconds else { return }
    habits.append(
      "time ('\(shortened(timeColumn))') in \(unit.rawValue)"
        + (said == nil ? ", by its spacing" : ""))
    replace(timeColumn, times.map { $0 * unit.length })
  }

  /// The median of as many differences as are enough; of those that go forward.
  package static func spacing(of times: [Double]) -> Double {
    let stride = max(1, times.count / 100_000)
    let spacings = Swift.stride(from: 1, to: times.count, by: stride)
      .map { times[$0] - times[$0 - 1] }.filter { $0 > 0 }.sorted()
    return spacings.isEmpty ? 0 : spacings[spacings.count / 2]
  }

  // MARK: one clock

  /// Puts signals with clocks of their own onto one. Throws: `LogError` for a clock that goes back.
  mutating func giveOneClock(_ layout: LogLayout, isConverted: Bool) throws {
    let names = layout.ownClocks
    let wanted = (isConverted ? LogColumns.wanted(by: layout) : names)
      .filter { $0 != layout.rewardColumn }
    // A table without a hole has one clock.
    guard wanted.contains(where: { column($0).contains(where: \.isNaN) }) else { return }
    let commands = Set(layout.actions.map(\.column))
    let signals = try wanted.map { try signal($0) }
    guard let first = signals.first else { return }
    // A table whose columns all have the same clock is as it should be.
    let isTable = signals.allSatisfy { $0.rows == first.rows }
    if isTable && first.rows.count == lines.count { return }
    let measured = Set(layout.measuredColumns)
    let states = signals.filter { measured.contains($0.name) && $0.rows.count > 1 }
    let others = isConverted ? nil : clockOfOthers(names, layout)
    guard
      let base = others
        ?? states.min(by: { ($0.spacing, $0.name) < ($1.spacing, $1.name) })
    else { return }
    var kept = [Bool](repeating: true, count: base.rows.count)
    var columns: [String: [Double]] = [timeColumn: base.times]
    for signal in signals where signal.rows != base.rows {
      let isCommand = commands.contains(signal.name)
      let values = isCommand ? signal.means(between: base.times) : signal.latest(at: base.times)
      for row in values.indices where values[row].isNaN { kept[row] = false }
      columns[signal.name] = values
      habits.append(
        "'\(shortened(signal.name))' (every \(format(signal.spacing)) s) onto the rows of '\(shortened(base.name))' (every "
          + "\(format(base.spacing)) s): "
          + (isCommand ? "its mean between two rows" : "its last value before each row"))
    }
    for name in columnNames where columns[name] == nil {
      let values = column(name)
      columns[name] = base.rows.map { values[$0] }
    }
    let left = kept.indices.filter { kept[$0] }
    if left.count < kept.count {
      habits.append(
        "\(counted(kept.count - left.count, "row")) left out in which a signal has no value yet, or one older than three of its sampling intervals"
      )
    }
    guard !left.isEmpty else {
      throw LogError(file: path, "its signals have no time in common")
    }
    for (name, values) in columns { replace(name, left.map { values[$0] }) }
    keepLines(left.map { base.rows[$0] })
  }

  /// Leaves out rows in which a channel that says so has no value. Throws: `LogError` where none is left.
  mutating func dropIncompleteRows(_ layout: LogLayout) throws(LogError) {
    let dropping = Set(
      (layout.states + layout.exogenous).filter { $0.missing == .drop && $0.source == .column }
        .map(\.column))
    let columns = dropping.map(column)
    guard columns.contains(where: { $0.contains(where: \.isNaN) }) else { return }
    let left = lines.indices.filter { row in columns.allSatisfy { !$0[row].isNaN } }
    habits.append(
      "\(counted(lines.count - left.count, "row")) with missing values left out (missing: drop)")
    guard !left.isEmpty else {
      throw LogError(
        file: path,
        "has no row without a missing value; do its channels have their own clocks?",
        remedy: .missing("hold"))
    }
    for name in columnNames {
      let values = column(name)
      replace(name, left.map { values[$0] })
    }
    keepLines(left)
  }

  /// The columns that have no clock of their own, if there are any: a row has all of them.
  private func clockOfOthers(_ own: [String], _ layout: LogLayout) -> Signal? {
    let shared = LogColumns.wanted(by: layout)
      .filter { !own.contains($0) && $0 != layout.rewardColumn }
    return shared.first.map { Signal($0, rows: Array(lines.indices), times: times, column($0)) }
  }

  private func signal(_ name: String) throws -> Signal {
    let values = column(name)
    let rows = values.indices.filter { !values[$0].isNaN }
    guard !rows.isEmpty else {
      throw LogError(file: path, column: name, "has no value in any row")
    }
    let times = self.times
    try checkStamps(rows, of: name)
    return Signal(name, rows: rows, times: rows.map { times[$0] }, rows.map { values[$0] })
  }

  // MARK: stamps

  /// Throws: `LogError` for stamps that do not go forward.
  func checkStamps() throws { try checkStamps(Array(lines.indices), of: nil) }

  /// - Parameter signal: whose rows they are, where it has a clock of its own.
  private func checkStamps(_ rows: [Int], of signal: String?) throws {
    let times = self.times
    for (place, row) in rows.enumerated().dropFirst() {
      let (before, now) = (times[rows[place - 1]], times[row])
      guard now <= before else { continue }
      let spacing = place > 1 ? before - times[rows[place - 2]] : 1
      let of = signal.map { "of '\(shortened($0))' " } ?? ""
      let problem =
        now == before
        ? "two rows \(of)have the time stamp \(now); remove one, or write time stamps with more digits"
        : before - now > 100 * spacing
          ? "time \(of)starts again: \(now) after \(before); two logs in one file? Split it"
          : "time \(of)goes backward: \(now) after \(before)"
      throw LogError(file: path, line: Int(lines[row]), column: timeColumn, problem)
    }
  }
}

/// The samples of one column.
private struct Signal {
  let name: String
  /// Rows of the file, and what stands there.
  let rows: [Int]
  let times: [Double]
  let values: [Double]
  /// s, the median.
  let spacing: Double
  /// Whether samples come at that spacing, nine in ten of them; others come when something happens.
  let isPeriodic: Bool

  init(_ name: String, rows: [Int], times: [Double], _ values: [Double]) {
    (self.name, self.rows, self.times, self.values) = (name, rows, times, values)
    let spacing = LogFile.spacing(of: times)
    self.spacing = spacing
    let usual = zip(times.dropFirst(), times).count { abs($0 - $1 - spacing) <= 0.5 * spacing }
    isPeriodic = times.count > 10 && 10 * usual >= 9 * (times.count - 1)
  }

  /// The last value at or before each stamp; NaN before the first, and where it is older than a hole.
  func latest(at stamps: [Double]) -> [Double] {
    var next = 0
    let oldest = LogLayout.longestGap * max(spacing, 0)
    return stamps.map { stamp in
      while next < times.count, times[next] <= stamp { next += 1 }
      guard next > 0, rows.count == 1 || stamp - times[next - 1] <= oldest else { return .nan }
      return values[next - 1]
    }
  }

  /// What held on average from each stamp to the next; a command stands until another comes. NaN before the first, and in a hole of
  /// commands that come regularly: they were sent, and not logged.
  func means(between stamps: [Double]) -> [Double] {
    var next = 0
    let oldest = isPeriodic ? LogLayout.longestGap * spacing : .infinity
    return stamps.indices.map { row in
      let start = stamps[row]
      while next < times.count, times[next] <= start { next += 1 }
      guard next > 0, start - times[next - 1] <= oldest else { return .nan }
      guard row + 1 < stamps.count else { return values[next - 1] }
      let end = stamps[row + 1]
      var (total, from, index) = (0.0, start, next)
      while index < times.count, times[index] < end {
        total += values[index - 1] * (times[index] - from)
        (from, index) = (times[index], index + 1)
      }
      total += values[index - 1] * (end - from)
      return end > start ? total / (end - start) : values[next - 1]
    }
  }
}

extension LogLayout {
  /// s, of a log of which nothing is known: no spacing is too coarse for it ...
  static let unknownTimeStep = 1e12
  /// ... and rows of machines are so far apart. (Finer stamps of a date's size are days: rows up to 43 s apart.)
  static let usualSpacings = 5e-4...1e3

  /// What is done with missing values of every channel that does not say it.
  package mutating func setMissing(_ missing: MissingValues) {
    for index in states.indices where states[index].missing == nil {
      states[index].missing = missing
    }
    for index in actions.indices where actions[index].missing == nil {
      actions[index].missing = missing
    }
    for index in disturbances.indices where disturbances[index].channel.missing == nil {
      disturbances[index].channel.missing = missing
    }
  }

  /// Columns whose channels have a clock of their own.
  var ownClocks: [String] {
    var seen: Set<String> = []
    return (states + exogenous).filter { $0.missing == .hold && $0.source == .column }
      .map(\.column).filter { seen.insert($0).inserted }
  }
}
