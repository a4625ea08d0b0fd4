// SPDX-License-Identifier: Apache-2.0
// Log files -> episodes: checks of the values (ValueChecks), holes, the time step's grid (SampleGrid), derived channels
// (CausalSignals).

import Faults
import Foundation

extension LogLayout {
  /// A hole in the stamps longer than this many time steps (or three of the log's own) ends an episode.
  package static let longestGap = 3.0
  /// A log is not resampled to steps shorter than its own spacing divided by this.
  static let finestStep = 4.0
  /// Most rows of all episodes together: no method here learns from more in the memory of a workstation.
  static let mostRows = 2_000_000

  /// The episodes of several logs.
  ///
  /// - Parameters:
  ///   - sources: of the logs.
  ///   - needsExcitation: throw where a channel is constant over all the files (wanted of
  ///     training data, not of a short held-out log).
  ///   - checksValues: look for what no sensor measures (wanted of what people bring, not of what BAGEL itself has logged).
  /// - Throws: `LogError`.
  package func episodes(
    from sources: [LogSource], needsExcitation: Bool = true, checksValues: Bool = true
  ) throws -> [Episode] {
    try episodes(
      in: sources.map { source in { try LogFile(source, layout: self) } }, needsExcitation,
      checksValues)
  }

  /// The episodes of several CSV files.
  ///
  /// Throws: `LogError`.
  package func episodes(
    from paths: [String], needsExcitation: Bool = true, checksValues: Bool = true
  ) throws -> [Episode] {
    try episodes(
      from: paths.map { LogSource($0) }, needsExcitation: needsExcitation,
      checksValues: checksValues)
  }

  /// The episodes of files that have been read.
  package func episodes(in files: [LogFile], needsExcitation: Bool = true) throws -> [Episode] {
    try episodes(in: files.map { file in { file } }, needsExcitation, true)
  }

  private func episodes(
    in files: [() throws -> LogFile], _ needsExcitation: Bool, _ checksValues: Bool
  ) throws -> [Episode] {
    var episodes: [Episode] = []
    var paths: [String] = []
    for read in files {
      let file = try read()
      paths.append(file.path)
      episodes += try self.episodes(in: file, checksValues)
      guard episodes.reduce(0, { $0 + $1.count }) <= Self.mostRows else {
        throw tooManyRows(file.path)
      }
    }
    if needsExcitation { try checkExcitation(episodes, paths) }
    return episodes
  }

  /// The episodes of one file: one, or more where the stamps have gaps.
  func episodes(in file: LogFile, _ checksValues: Bool) throws -> [Episode] {
    let times = file.times
    let least = 3 + unknownRows
    guard times.count >= least else {
      throw LogError(
        file: file.path,
        "has \(counted(times.count, "row")) of data; "
          + "at least \(least) are needed")
    }
    let spacing = LogFile.spacing(of: times)
    guard timeStep > spacing / Self.finestStep else {
      throw LogError(
        file: file.path,
        "rows are \(format(spacing)) s apart; a time step of "
          + "\(format(timeStep)) s would invent rows between them, if the time stamps are in seconds",
        remedy: .timeUnit)
    }
    let checks = ValueChecks(file: file, layout: self, longestGap: Self.longestGap * spacing)
    var notes = try file.notes + (checksValues ? checks.findings() : [])
    let base = URL(fileURLWithPath: file.path).lastPathComponent
    let parts = stretches(of: times, longestGap: Self.longestGap * max(timeStep, spacing))
    var episodes = try parts.enumerated().compactMap { index, range -> Episode? in
      let name = parts.count == 1 ? base : "\(base) (part \(index + 1))"
      return try episode(name, file, range)
    }
    guard !episodes.isEmpty else {
      throw LogError(
        file: file.path,
        "no stretch of three time steps: rows are \(format(spacing)) s apart and the time step is "
          + "\(format(timeStep)) s")
    }
    let short = parts.count - episodes.count
    if short > 0 {
      notes.append(
        "\(file.path): \(counted(short, "stretch")) between holes of the time stamps \(short == 1 ? "is" : "are") too short and left out"
      )
    }
    episodes[0].notes = notes
    return episodes
  }

  private func tooManyRows(_ path: String) -> LogError {
    LogError(
      file: path,
      "more than \(Self.mostRows) rows at a time step of \(format(timeStep)) s; use fewer logs or a longer time step"
    )
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
    _ name: String, _ file: LogFile, _ range: Range<Int>
  ) throws -> Episode? {
    guard range.count >= 2 else { return nil }
    func values(_ column: String) -> [Double] {
      let all = file.column(column)
      return range == all.indices ? all : Array(all[range])
    }
    let grid = SampleGrid(times: values(file.timeColumn), timeStep: timeStep)
    guard grid.count <= Self.mostRows else { throw tooManyRows(file.path) }
    guard grid.count - unknownRows >= 3 else { return nil }
    let measured = measuredColumns.map { column in
      // Between 359 degrees and 0 lies no 180.
      guard let turn = turn(ofColumn: column) else { return grid.interpolate(values(column)) }
      var unwrapping = Unwrapping(turn: turn)
      return grid.interpolate(values(column).map { unwrapping.next($0) })
    }
    var signals = CausalSignals(self)
    let stateRows = (0..<grid.count).map { k in
      signals.next(measured.map { $0[k] }, elapsed: grid.elapsed(k))
    }
    let actionColumns = actions.map { grid.average(values($0.column)) }
    let rewards = rewardColumn.map { grid.interpolate(values($0)) } ?? []
    var episode = Episode(
      name: name, timeStep: timeStep, states: stateRows,
      actions: (0..<grid.count).map { k in actionColumns.map { $0[k] } }, rewards: rewards)
    if !disturbances.isEmpty {
      // What a controller would see then.
      let columns = disturbances.map { grid.interpolate(values($0.channel.column)) }
      episode.disturbances = (0..<grid.count).map { k in columns.map { $0[k] } }
    }
    episode.times = (0..<grid.count).map(grid.time)
    episode = episode.dropFirst(unknownRows)
    episode.reading = Episode.Reading(
      file: file.path, rows: range.count, isResampled: !grid.isRegular, filled: grid.filled,
      habits: file.habits)
    return episode
  }

  /// Smaller than this fraction of its magnitude, the spread of a channel is rounding, not motion.
  package static let constantSpread = 1e-9

  /// Throws: `LogError` for a channel that does not move in any of the episodes.
  package func checkExcitation(_ episodes: [Episode], _ paths: [String]) throws(LogError) {
    let place = paths.count == 1 ? paths[0] : "\(paths[0]) and \(counted(paths.count - 1, "other"))"
    /// Whether the values do not move: their spread, if they do not.
    func isConstant(_ values: [Double]) -> Bool {
      guard let least = values.min(), let most = values.max() else { return true }
      return most - least <= Self.constantSpread * max(abs(least), abs(most))
    }
    if let rewardColumn, isConstant(episodes.flatMap(\.rewards).filter(\.isFinite)) {
      throw LogError(
        file: place, column: rewardColumn,
        "is the reward but is constant or empty, so there is nothing to maximise; log episodes with different rewards"
      )
    }
    for (index, channel) in states.enumerated()
    where isConstant(episodes.flatMap { $0.states.map { $0[index] } }) {
      throw LogError(
        file: place, column: channel.name,
        "is constant (\(format(episodes[0].states[0][index])), except for rounding), so nothing can be learnt about it; "
          + "remove it from the states, or log the machine while it changes"
      )
    }
    for (index, channel) in actions.enumerated()
    where isConstant(episodes.flatMap { $0.actions.map { $0[index] } }) {
      throw LogError(
        file: place, column: channel.name,
        "is never excited (always \(format(episodes[0].actions[0][index]))), so its effect cannot be "
          + "learnt; log the machine while it varies")
    }
    // One that is constant over an episode may be so over all that there are yet; DataFindings says what that means.
    for (index, disturbance) in disturbances.enumerated()
    where !disturbance.isConstant
      && isConstant(episodes.flatMap { $0.disturbances.map { $0[index] } })
    {
      throw LogError(
        file: place, column: disturbance.channel.name,
        "is a disturbance that never changes (always \(format(episodes[0].disturbances[0][index]))), so its effect cannot "
          + "be learnt; log the machine while it varies, or leave it out"
      )
    }
  }
}

/// A number for messages: four significant digits.
package func format(_ value: Double) -> String { String(format: "%.4g", value) }
