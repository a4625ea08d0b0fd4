// SPDX-License-Identifier: Apache-2.0
// Log files -> episodes: resampling, gaps, derived channels, and the checks that catch a log from which
// nothing can be learnt.

import Foundation

extension LogLayout {
  /// Stamps within this fraction of the time step of a regular grid are taken as the grid.
  static let regularTolerance = 0.05
  /// A hole in the stamps longer than this many time steps (or three of the log's own) ends an episode.
  static let longestGap = 3.0

  /// The episodes of several files.
  ///
  /// - Parameter needsExcitation: throw where a channel is constant over all the files (wanted of
  ///   training data, not of a short held-out log).
  /// - Throws: `LogError`.
  public func episodes(from paths: [String], needsExcitation: Bool = true) throws -> [Episode] {
    let episodes = try paths.flatMap { try self.episodes(in: LogFile(path: $0)) }
    if needsExcitation { try checkExcitation(episodes, paths) }
    return episodes
  }

  /// The episodes of one file: one, or more where the stamps have gaps.
  func episodes(in file: LogFile) throws -> [Episode] {
    let times = try file.times(timeColumn)
    let names = Array(Set((states + actions).map(\.column)))
    let columns = Dictionary(
      uniqueKeysWithValues: try names.map { ($0, try file.column($0)) })
    let least = 3
    guard times.count >= least else {
      throw LogError(
        file: file.path,
        "has \(times.count) row\(times.count == 1 ? "" : "s") of data; "
          + "at least \(least) are needed")
    }
    let base = URL(fileURLWithPath: file.path).lastPathComponent
    let parts = stretches(of: times)
    let episodes = parts.enumerated().compactMap { index, range -> Episode? in
      let name = parts.count == 1 ? base : "\(base) (part \(index + 1))"
      return episode(
        name, times: Array(times[range]), columns: columns.mapValues { Array($0[range]) })
    }
    guard !episodes.isEmpty else {
      let typical = (times.last.map { $0 - times[0] } ?? 0) / Double(times.count - 1)
      throw LogError(
        file: file.path,
        "no stretch of three time steps: rows are \(format(typical)) s apart and the time step is "
          + "\(format(timeStep)) s")
    }
    return episodes
  }

  /// Runs of rows without a gap.
  private func stretches(of times: [Double]) -> [Range<Int>] {
    let spacings = zip(times.dropFirst(), times).map { $0 - $1 }.sorted()
    let longest = Self.longestGap * max(timeStep, spacings[spacings.count / 2])
    var result: [Range<Int>] = []
    var start = 0
    for index in 1..<times.count where times[index] - times[index - 1] > longest {
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
    func values(_ channel: Channel, held: Bool) -> [Double] {
      let raw = grid.resample(columns[channel.column] ?? [], held: held)
      switch channel.source {
      case .column: return raw
      case .rate:  // no rate at the first row, which is dropped below
        return [0] + zip(raw.dropFirst(), raw).map { ($0 - $1) / timeStep }
      }
    }
    let stateColumns = states.map { values($0, held: false) }
    let actionColumns = actions.map { values($0, held: true) }
    let isDerived = states.contains { $0.source != .column }
    let rows = (isDerived ? 1 : 0)..<grid.count
    guard rows.count >= 3 else { return nil }
    return Episode(
      name: name, timeStep: timeStep, states: rows.map { k in stateColumns.map { $0[k] } },
      actions: rows.map { k in actionColumns.map { $0[k] } })
  }

  private func checkExcitation(_ episodes: [Episode], _ paths: [String]) throws {
    let place = paths.joined(separator: ", ")
    func isConstant(_ values: [Double]) -> Bool {
      values.allSatisfy { abs($0 - values[0]) <= 1e-12 * max(1, abs(values[0])) }
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
    isRegular = zip(times.dropFirst(), times).allSatisfy {
      abs($0 - $1 - timeStep) <= LogLayout.regularTolerance * timeStep
    }
    let duration = times[times.count - 1] - times[0]
    count = isRegular ? times.count : Int((duration / timeStep + 1e-9).rounded(.down)) + 1
  }

  /// Linear interpolation between samples, or the last sample at or before (`held`, for commands).
  func resample(_ values: [Double], held: Bool) -> [Double] {
    if isRegular { return values }
    var index = 0
    return (0..<count).map { k in
      let time = times[0] + Double(k) * timeStep
      while index + 2 < times.count && times[index + 1] <= time + 1e-6 * timeStep { index += 1 }
      let fraction = (time - times[index]) / (times[index + 1] - times[index])
      if held { return fraction >= 1 - 1e-6 ? values[index + 1] : values[index] }
      return values[index] + fraction * (values[index + 1] - values[index])
    }
  }
}

/// A number for messages: four significant digits.
func format(_ value: Double) -> String { String(format: "%.4g", value) }
