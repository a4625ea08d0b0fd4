// SPDX-License-Identifier: Apache-2.0
// The columns of one log -> values that a machine cannot have measured: marks for missing values (-9999), faults of a sensor,
// angles that wrap without being declared as angles. What cannot be true is an error; what may be true is a finding, in words.
//
// All rules compare a column with itself, so they need no limits of a machine:
//   far value   it lies from all others by more than `farGap` times their whole range; an error if it is a usual mark, or by more
//               than `beyond` times their magnitude
//   jump        a change from one row to the next `jumpRatio` times as large as all but a few
//   wrap        a jump by a full turn, less what the angle moved meanwhile

import Faults
import Foundation
import SafeText

/// The checks of one log file.
struct ValueChecks {
  let file: LogFile
  let layout: LogLayout
  /// Rows farther apart, s, are no neighbours.
  let longestGap: Double

  /// Of the range of all others; a mean and a deviation with such a value in them describe nothing else.
  private static let farGap = 10.0
  /// Of the magnitude of all others: nothing moves so far.
  private static let beyond = 1_000.0
  /// At most this part of a column is far from the rest.
  private static let farPart = 0.2
  private static let jumpRatio = 8.0
  /// At most this part of the changes are jumps.
  private static let jumpPart = 0.02
  /// Fewer rows say nothing of what is usual.
  private static let fewestRows = 20

  /// What may be true but is odd, in words. Throws: `LogError` for what cannot be.
  func findings() throws -> [String] {
    guard file.lines.count >= Self.fewestRows else { return [] }
    let exogenous = Set(layout.exogenous.map(\.column))
    return try (layout.measuredColumns + exogenous.sorted()).flatMap { try farValues($0) }
      + layout.measuredColumns.flatMap { try jumps(of: $0) }
  }

  // MARK: values far from all others

  private func farValues(_ name: String) throws -> [String] {
    let values = file.column(name)
    for rest in rests(of: values) {
      let range = rest.upperBound - rest.lowerBound
      let far = values.indices.filter { !rest.contains(values[$0]) }
      // Beside a column that stands still, a few marks are marks.
      let isStill = range == 0
      let few = Int(Self.farPart * Double(values.count))
      guard let index = far.first,
        !isStill || far.count <= few && far.allSatisfy({ isMark(values[$0]) })
      else { continue }
      let gap = far.reduce(Double.infinity) {
        min($0, max(rest.lowerBound - values[$1], values[$1] - rest.upperBound))
      }
      guard gap > Self.farGap * range else { continue }
      let isOne = far.allSatisfy { values[$0] == values[index] }
      let what =
        "\(format(values[index])) here\(isOne ? "" : " and others like it"), in \(counted(far.count, "row")), while all "
        + (isStill
          ? "others are \(format(rest.lowerBound))"
          : "others lie from \(format(rest.lowerBound)) to \(format(rest.upperBound))")
      let magnitude = max(range, abs(rest.lowerBound), abs(rest.upperBound))
      if far.contains(where: { isMark(values[$0]) }) || gap > Self.beyond * magnitude {
        throw LogError(
          file: file.path, line: Int(file.lines[index]), column: name,
          "\(what): a mark for missing values, or a fault of the sensor; remove such rows")
      }
      return [
        "\(file.path):\(file.lines[index]), column '\(shortened(name))': \(what): if the machine did not reach them, remove "
          + "such rows"
      ]
    }
    return []
  }

  /// Where the others may lie: without the values beyond the widest gap in the lowest fifth, in the highest, in both; without the
  /// lowest value, however often it stands there, or the highest.
  private func rests(of values: [Double]) -> [ClosedRange<Double>] {
    guard let least = values.min(), let most = values.max() else { return [] }
    let above = values.reduce(most) { $1 > least ? min($0, $1) : $0 }
    let below = values.reduce(least) { $1 < most ? max($0, $1) : $0 }
    let ends = hasFarEnds(values, least, most) ? ends(of: values) : nil
    return [
      ends.map { ($0.low, $0.high) }, ends.map { ($0.low, most) }, ends.map { (least, $0.high) },
      (above, most), (least, below), (above, below),
    ]
    .compactMap(\.self).filter { $0.0 <= $0.1 }.map { $0.0...$0.1 }
  }

  /// Whether values at an end may be as far from the others as `farGap` says: only if the range of all is that many times, and
  /// once, the range of the middle ones. Sorting is for the few columns where it is.
  private func hasFarEnds(_ values: [Double], _ least: Double, _ most: Double) -> Bool {
    let range = most - least
    guard range > 0, range.isFinite else { return true }
    var counts = [Int](repeating: 0, count: Self.bins)
    for value in values {
      counts[min(Int((value - least) / range * Double(Self.bins)), Self.bins - 1)] += 1
    }
    let part = max(1, Int(Self.farPart * Double(values.count)))
    func bin(_ indices: some Sequence<Int>) -> Int {
      var sum = 0
      return indices.first { index in
        sum += counts[index]
        return sum > part
      } ?? 0
    }
    // From the upper edge of the one's bin to the lower edge of the other's.
    let middle = bin((0..<Self.bins).reversed()) - bin(0..<Self.bins) - 1
    return Double(Self.bins) > (Self.farGap + 1) * Double(middle)
  }

  private static let bins = 256

  /// The values inside the widest gap in the lowest fifth, and in the highest.
  private func ends(of values: [Double]) -> (low: Double, high: Double) {
    let most = max(1, Int(Self.farPart * Double(values.count)))
    let low: [Double] = largest(most + 1, of: values.lazy.map { (value: Double) in -value })
      .map { (value: Double) in -value }
    let high = largest(most + 1, of: values)
    func widest(_ sorted: [Double]) -> Int {
      func gap(_ index: Int) -> Double { abs(sorted[index] - sorted[index - 1]) }
      return (1..<sorted.count).max { gap($0) < gap($1) } ?? 1
    }
    return (low[widest(low)], high[widest(high)])
  }

  /// Numbers that programs write for a missing value: nines, the largest whole numbers, 1e30.
  private func isMark(_ value: Double) -> Bool {
    let size = abs(value)
    if size >= 1e29
      || [32767, 32768, 65535, 2_147_483_647, 2_147_483_648, 4_294_967_295].contains(size)
    {
      return true
    }
    let digits = format(size).filter { $0 != "." }
    return digits.count >= 3 && digits.allSatisfy { $0 == "9" }
      || [99_999, 999_999, 9_999_999].contains(size)
  }

  // MARK: jumps

  private typealias Change = (row: Int, size: Double)

  /// Changes from one row to the next where no hole lies between.
  private func changes(of values: [Double]) -> some Sequence<Change> {
    let times = file.times
    return (1..<values.count).lazy.filter { times[$0] - times[$0 - 1] <= longestGap }
      .map { (row: $0, size: values[$0] - values[$0 - 1]) }
  }

  private func jumps(of name: String) throws -> [String] {
    let values = file.column(name)
    let channel = layout.states.first { $0.source == .column && $0.column == name }
    if let wrap = wraps(values) { return try tell(wrap, name, channel) }
    if channel?.turn == nil, let wrap = wrapsOfRange(values) {
      return [
        "\(file.path):\(file.lines[wrap.row]), column '\(shortened(name))': jumps by nearly its whole range "
          + "(\(format(wrap.turn))) \(counted(wrap.count, "time")): an angle or a counter that wraps? Declare it as an "
          + "angle with its units (turns, gon, ...), or log it unwrapped"
      ]
    }
    // An angle that turns may jump by turns, which are taken out.
    func size(_ change: Change) -> Double { abs(shorterWay(change.size, turn: channel?.turn)) }
    let most = max(2, Int(Self.jumpPart * Double(values.count)))
    let sizes = largest(most + 1, of: changes(of: values).lazy.map(size))
    guard sizes.count > most,
      let count = (1...most).last(where: {
        sizes[$0] > 0 && sizes[$0 - 1] > Self.jumpRatio * sizes[$0]
      }),
      let first = changes(of: values).first(where: { size($0) > sizes[count] })
    else { return [] }
    return [
      "\(file.path):\(file.lines[first.row]), column '\(shortened(name))': jumps by \(format(shorterWay(first.size, turn: channel?.turn))) from one row "
        + "to the next, \(counted(count, "jump")) of this kind, while it moves by at most \(format(sizes[count])) otherwise: a fault "
        + "of the sensor?"
    ]
  }

  private struct Wrap {
    let turn: Double
    var count = 0
    var row = 0
  }

  /// The turn by which a column wraps; nil of one that does not.
  func turn(of name: String) -> Double? { wraps(file.column(name))?.turn }

  /// Changes by a whole turn, less a quarter turn at most, of values that stay within one.
  private func wraps(_ values: [Double]) -> Wrap? {
    let range = (values.max() ?? 0) - (values.min() ?? 0)
    for turn in [2 * Double.pi, 360, 400, 2_000 * Double.pi]
    where range > 0.75 * turn && range <= 1.01 * turn {
      if let wrap = wrap(values, turn: turn), goesRound(values, range / turn) { return wrap }
    }
    return nil
  }

  /// The same by a turn that is just the values' range: of a counter, or in an unusual unit.
  private func wrapsOfRange(_ values: [Double]) -> Wrap? {
    let range = (values.max() ?? 0) - (values.min() ?? 0)
    guard range > 0, let wrap = wrap(values, turn: range), wrap.count > 1, goesRound(values, 0)
    else { return nil }
    return wrap
  }

  private func wrap(_ values: [Double], turn: Double) -> Wrap? {
    var wrap = Wrap(turn: turn)
    let isWrapped = changes(of: values).allSatisfy { change in
      if abs(change.size) > 0.5 * turn {
        if wrap.count == 0 { wrap.row = change.row }
        wrap.count += 1
      }
      return abs(shorterWay(change.size, turn: turn)) < 0.25 * turn
    }
    return isWrapped && wrap.count > 0 ? wrap : nil
  }

  /// Whether values are all over their range, or end exactly at a turn: a switch between 0 and 6.2 V is no angle.
  private func goesRound(_ values: [Double], _ part: Double) -> Bool {
    guard part < 0.995, let low = values.min(), let high = values.max() else { return true }
    let bins = 8
    let used = Set(values.lazy.map { min(Int(Double(bins) * ($0 - low) / (high - low)), bins - 1) })
    return used.count > bins / 2
  }

  /// Nothing of an angle whose turn it is. Throws: `LogError` of one that has another turn or is not called an angle.
  private func tell(_ wrap: Wrap, _ name: String, _ channel: Channel?) throws(LogError) -> [String]
  {
    if let turn = channel?.turn, abs(turn - wrap.turn) < 1e-9 * turn { return [] }
    let units =
      wrap.turn == 360 ? "deg" : wrap.turn == 400 ? "gon" : wrap.turn > 400 ? "mrad" : "rad"
    let what =
      "jumps by a full turn (\(format(wrap.turn))) \(counted(wrap.count, "time"))"
    let state = shortened(channel?.name ?? name)
    throw LogError(
      file: file.path, line: Int(file.lines[wrap.row]), column: name,
      channel?.turn == nil
        ? "\(what): it is an angle that wraps"
        : "\(what), but its units are '\(shortened(channel?.units ?? ""))'",
      remedy: .either([
        .text("in a task, set model: {angles: [\(state)]} and units: \(units)"),
        .angle(name: state, units: units == "rad" ? nil : units),
      ]))
  }
}

/// The largest so many values, descending, in one pass and with memory for twice as many.
private func largest(_ count: Int, of values: some Sequence<Double>) -> [Double] {
  var kept: [Double] = []
  var least = -Double.infinity
  func prune() {
    kept.sort(by: >)
    kept.removeLast(max(0, kept.count - count))
    if kept.count == count, let last = kept.last { least = last }
  }
  for value in values where value > least || kept.count < count {
    kept.append(value)
    if kept.count >= 2 * count { prune() }
  }
  prune()
  return kept
}
