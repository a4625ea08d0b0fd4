// SPDX-License-Identifier: Apache-2.0
// The columns of one log -> what no machine can have measured: marks for missing values (-9999), faults of a sensor, angles
// that wrap without being called angles. What cannot be true is an error; what can be is a finding, in words.
//
// All rules compare a column with itself, so they need no limits of a machine:
//   far value   it lies from all others by more than `farGap` times their whole range
//   jump        a change from one row to the next `jumpRatio` times as large as all but a few
//   wrap        a jump by a full turn, less what the angle moved meanwhile

import Foundation

/// The checks of one log file.
struct ValueChecks {
  let file: LogFile
  let layout: LogLayout
  /// Rows farther apart, s, are no neighbours.
  let longestGap: Double

  /// Of the range of all others; a mean and a deviation with such a value in them describe nothing else.
  private static let farGap = 10.0
  /// Of commands, which may well be small for long and then large for once.
  private static let farCommandGap = 1_000.0
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
    let commands = Set(layout.actions.map(\.column))
    for name in layout.measuredColumns + commands.sorted() {
      try checkFarValues(name, gap: commands.contains(name) ? Self.farCommandGap : Self.farGap)
    }
    return try layout.measuredColumns.flatMap { try jumps(of: $0) }
  }

  // MARK: values far from all others

  private func checkFarValues(_ name: String, gap: Double) throws {
    let values = file.column(name)
    let sorted = values.sorted()
    let most = max(1, Int(Self.farPart * Double(sorted.count)))
    func gapBelow(_ index: Int) -> Double { sorted[index] - sorted[index - 1] }
    func widest(_ indices: Range<Int>) -> Int {
      indices.max { gapBelow($0) < gapBelow($1) } ?? indices.lowerBound
    }
    // In the lowest and in the highest fifth.
    let (low, high) = (widest(1..<most + 1), widest(sorted.count - most..<sorted.count))
    // The rest, where both sides are cut off, or only the one that is far.
    for (first, last) in [(low, high - 1), (low, sorted.count - 1), (0, high - 1)] {
      let range = sorted[last] - sorted[first]
      guard first < last, range > 0 else { continue }
      let (isLow, isHigh) = (first == low, last == high - 1)
      guard !isLow || gapBelow(low) > gap * range, !isHigh || gapBelow(high) > gap * range
      else { continue }
      let bounds = (isLow ? sorted[first] : -.infinity)...(isHigh ? sorted[last] : .infinity)
      let far = values.indices.filter { !bounds.contains(values[$0]) }
      guard let index = far.first else { continue }
      let isOne = far.allSatisfy { values[$0] == values[index] }
      throw LogError(
        file: file.path, line: Int(file.lines[index]), column: name,
        "\(format(values[index])) here\(isOne ? "" : " and others like it"), in \(counted(far.count, "row")), while all "
          + "others lie from \(format(sorted[first])) to \(format(sorted[last])): a mark for missing values, or a fault "
          + "of the sensor; remove such rows")
    }
  }

  // MARK: jumps

  private func jumps(of name: String) throws -> [String] {
    let (values, times) = (file.column(name), file.times)
    let changes = values.indices.dropFirst().filter { times[$0] - times[$0 - 1] <= longestGap }
      .map { (row: $0, size: values[$0] - values[$0 - 1]) }
    guard changes.count >= Self.fewestRows else { return [] }
    let channel = layout.states.first { $0.source == .column && $0.column == name }
    if let wrap = wraps(changes, values, channel) { return try tell(wrap, name, channel) }
    // An angle that turns may jump by turns, which are taken out.
    let sizes = changes.map { abs(shorterWay($0.size, turn: channel?.turn)) }
    let sorted = sizes.sorted(by: >)
    let most = max(2, Int(Self.jumpPart * Double(sorted.count)))
    guard
      let count = (1...most).last(where: {
        sorted[$0] > 0 && sorted[$0 - 1] > Self.jumpRatio * sorted[$0]
      })
    else { return [] }
    let usual = sorted[count]
    guard let first = zip(changes, sizes).first(where: { $1 > usual })?.0 else { return [] }
    return [
      "\(file.path):\(file.lines[first.row]), column '\(shortened(name))': jumps by \(format(first.size)) from one row to "
        + "the next, \(counted(count, "time")) so or more, while it moves by at most \(format(usual)) otherwise: a fault of the "
        + "sensor?"
    ]
  }

  private struct Wrap {
    let turn: Double
    let count: Int
    let row: Int
  }

  /// Changes by a whole turn, less a quarter turn at most, of values that stay within one.
  private func wraps(
    _ changes: [(row: Int, size: Double)], _ values: [Double], _ channel: Channel?
  ) -> Wrap? {
    let range = (values.max() ?? 0) - (values.min() ?? 0)
    for turn in [2 * Double.pi, 360] where range > 0.75 * turn && range <= 1.01 * turn {
      let jumps = changes.filter { abs($0.size) > 0.5 * turn }
      guard let first = jumps.first, jumps.allSatisfy({ abs($0.size) > 0.75 * turn }),
        changes.allSatisfy({ abs(shorterWay($0.size, turn: turn)) < 0.25 * turn })
      else { continue }
      return Wrap(turn: turn, count: jumps.count, row: first.row)
    }
    return nil
  }

  /// Nothing of an angle whose turn it is. Throws: `LogError` of one that has another turn or is not called an angle.
  private func tell(_ wrap: Wrap, _ name: String, _ channel: Channel?) throws -> [String] {
    if let turn = channel?.turn, abs(turn - wrap.turn) < 1e-9 * turn { return [] }
    let units = wrap.turn == 360 ? "deg" : "rad"
    let what =
      "jumps by a full turn (\(format(wrap.turn))) \(counted(wrap.count, "time"))"
    let state = shortened(channel?.name ?? name)
    throw LogError(
      file: file.path, line: Int(file.lines[wrap.row]), column: name,
      channel?.turn == nil
        ? "\(what): it is an angle that wraps. Say --angles \(state), or in a task model: {angles: [\(state)]} and "
          + "units: \(units)"
        : "\(what), but its units are '\(shortened(channel?.units ?? ""))'; say units: \(units)")
  }
}
