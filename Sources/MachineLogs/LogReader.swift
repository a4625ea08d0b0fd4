// SPDX-License-Identifier: Apache-2.0
// Log files -> episodes: resampling, gaps, derived channels, and the checks that catch a log from which
// nothing can be learnt.

import Foundation

extension LogLayout {
  /// Stamps within this fraction of the time step of a regular grid are taken as the grid.
  static let regularTolerance = 0.05
  /// So are the rows of a real clock, which come a little late at every step and now and then more: interpolating them would
  /// mix neighbours. No spacing may differ from the time step by more than `jitterLimit` of it, the root of their mean square
  /// not by more than `regularTolerance`, their mean not by more than `meanTolerance`.
  static let jitterLimit = 0.25
  static let meanTolerance = 0.01
  /// A hole in the stamps longer than this many time steps (or three of the log's own) ends an episode.
  public static let longestGap = 3.0
  /// A log is not resampled to steps shorter than its own spacing divided by this.
  static let finestStep = 4.0

  /// The episodes of several files.
  ///
  /// - Parameters:
  ///   - paths: CSV files.
  ///   - needsExcitation: throw where a channel is constant over all the files (wanted of
  ///     training data, not of a short held-out log).
  /// - Throws: `LogError`.
  public func episodes(from paths: [String], needsExcitation: Bool = true) throws -> [Episode] {
    let episodes = try paths.flatMap { try self.episodes(in: LogFile(path: $0)) }
    if needsExcitation { try checkExcitation(episodes, paths) }
    return episodes
  }

  /// The episodes of one file: one, or more where the stamps have gaps.
  func episodes(in file: LogFile) throws -> [Episode] {
    let times = try file.times(timeColumn)
    var columns: [String: [Double]] = [:]
    for name in (states + actions).map(\.column) where columns[name] == nil {
      columns[name] = try file.column(name)
    }
    if let rewardColumn { columns[rewardColumn] = try file.column(rewardColumn, mayBeEmpty: true) }
    let least = 3
    guard times.count >= least else {
      throw LogError(
        file: file.path,
        "has \(counted(times.count, "row")) of data; "
          + "at least \(least) are needed")
    }
    let spacings = zip(times.dropFirst(), times).map { $0 - $1 }.sorted()
    let spacing = spacings[spacings.count / 2]
    guard timeStep > spacing / Self.finestStep else {
      throw LogError(
        file: file.path,
        "rows are \(format(spacing)) s apart; a time step of "
          + "\(format(timeStep)) s would invent what lies between them (are the stamps in seconds?)"
      )
    }
    let base = URL(fileURLWithPath: file.path).lastPathComponent
    let parts = stretches(of: times, longestGap: Self.longestGap * max(timeStep, spacing))
    var episodes = parts.enumerated().compactMap { index, range -> Episode? in
      let name = parts.count == 1 ? base : "\(base) (part \(index + 1))"
      return episode(
        name, times: Array(times[range]), columns: columns.mapValues { Array($0[range]) })
    }
    guard !episodes.isEmpty else {
      throw LogError(
        file: file.path,
        "no stretch of three time steps: rows are \(format(spacing)) s apart and the time step is "
          + "\(format(timeStep)) s")
    }
    episodes[0].notes = file.notes
    return episodes
  }

  /// Runs of rows without a gap.
  private func stretches(of times: [Double], longestGap: Double) -> [Range<Int>] {
    var result: [Range<Int>] = []
    var start = 0
    for index in 1..<times.count where times[index] - times[index - 1] > longestGap {
      result.append(start..<index)
      start = index
    }
    return result + [start..<times.count]
  }

  private func episode(
    _ name: String, times: [Double], columns: [String: [Double]]
  ) -> Episode? {
    guard times.count >= 2 else { return nil }
    let grid = Grid(times: times, timeStep: timeStep)
    let measured = measuredColumns.map { grid.interpolate(columns[$0] ?? []) }
    var signals = CausalSignals(self)
    let stateRows = (0..<grid.count).map { k in signals.next(measured.map { $0[k] }) }
    let actionColumns = actions.map { grid.average(columns[$0.column] ?? []) }
    let rewards = rewardColumn.map { grid.interpolate(columns[$0] ?? []) } ?? []
    guard grid.count - unknownRows >= 3 else { return nil }
    return Episode(
      name: name, timeStep: timeStep, states: stateRows,
      actions: (0..<grid.count).map { k in actionColumns.map { $0[k] } }, rewards: rewards
    ).dropFirst(unknownRows)
  }

  private func checkExcitation(_ episodes: [Episode], _ paths: [String]) throws {
    let place = paths.joined(separator: ", ")
    func isConstant(_ values: [Double]) -> Bool {
      values.allSatisfy { abs($0 - values[0]) <= 1e-12 * max(1, abs(values[0])) }
    }
    if let rewardColumn, isConstant(episodes.flatMap(\.rewards).filter(\.isFinite)) {
      throw LogError(
        file: place, column: rewardColumn,
        "is the reward and is constant or empty, so there is nothing to maximise; log episodes that differ in it"
      )
    }
    for (index, channel) in states.enumerated()
    where isConstant(episodes.flatMap { $0.states.map { $0[index] } }) {
      throw LogError(
        file: place, column: channel.name,
        "is constant, so nothing can be learnt about it; remove it from the states or log it moving"
      )
    }
    for (index, channel) in actions.enumerated()
    where isConstant(episodes.flatMap { $0.actions.map { $0[index] } }) {
      throw LogError(
        file: place, column: channel.name,
        "is never excited (always \(format(episodes[0].actions[0][index]))), so its effect cannot be "
          + "learnt; log the machine while it varies")
    }
  }
}

/// The regular grid onto which a stretch of samples is put.
private struct Grid {
  let times: [Double]
  let timeStep: Double
  let isRegular: Bool
  let count: Int

  init(times: [Double], timeStep: Double) {
    self.times = times
    self.timeStep = timeStep
    let isOnGrid = times.indices.allSatisfy {
      abs(times[$0] - times[0] - Double($0) * timeStep) <= LogLayout.regularTolerance * timeStep
    }
    isRegular = isOnGrid || Self.isJitter(times, timeStep)
    let duration = times[times.count - 1] - times[0]
    count = isRegular ? times.count : Int((duration / timeStep + 1e-9).rounded(.down)) + 1
  }

  /// Whether the rows are a real clock's at this time step.
  private static func isJitter(_ times: [Double], _ timeStep: Double) -> Bool {
    let excess = zip(times.dropFirst(), times).map { ($0 - $1) / timeStep - 1 }
    guard !excess.isEmpty else { return true }
    let count = Double(excess.count)
    return excess.allSatisfy { abs($0) <= LogLayout.jitterLimit }
      && (excess.reduce(0) { $0 + $1 * $1 } / count).squareRoot() <= LogLayout.regularTolerance
      && abs(excess.reduce(0, +)) / count <= LogLayout.meanTolerance
  }

  /// States: linear interpolation between samples [count].
  func interpolate(_ values: [Double]) -> [Double] {
    if isRegular { return values }
    var index = 0
    return (0..<count).map { k in
      let time = times[0] + Double(k) * timeStep
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

/// A number for messages: four significant digits.
func format(_ value: Double) -> String { String(format: "%.4g", value) }
