// SPDX-License-Identifier: Apache-2.0
// Episodes -> what cannot be learnt from them, and remedies, in words: channels that move together, commands that
// follow from the states, commands of few levels, commands that act late, rates drowned in noise. All by linear least
// squares, in milliseconds, and only reported: the model is not changed.

import Foundation
import LinearAlgebra
import MachineLogs
import SafeText

/// The findings of training data.
package struct DataFindings {
  private let episodes: [Episode]
  private let layout: LogLayout
  private let form: ModelForm
  private let hasChosenHistories: Bool
  /// Numbers of the states that are measured.
  private let measured: [Int]

  /// Correlation from which two channels cannot be told apart.
  private static let together = 0.999
  /// Part of a command's variance that the states explain, from which it follows from them.
  private static let follows = 0.99
  /// Rows that are enough to see it.
  private static let mostRows = 20_000
  /// Regressions that are tried, over all commands: some seconds with a dozen of them.
  private static let mostTrials = 120
  /// Latest command that is tried, in rows.
  private static let latest = 20
  /// An error smaller by this factor is worth a word.
  private static let better = 0.8
  /// Noise of a derived rate, in its deviations, from which a filter is proposed, and what the filter leaves of it.
  private static let fewestRates = 100
  private static let noisyRate = 0.2
  private static let quietRate = 0.05

  /// - Parameters:
  ///   - episodes: to learn from.
  ///   - layout: of their channels.
  ///   - form: of a model without a choice.
  ///   - hasChosenHistories: whether the model's rows have been chosen by what predicts best: then nothing is advised about them.
  package init(
    _ episodes: [Episode], layout: LogLayout, form: ModelForm, hasChosenHistories: Bool = false
  ) {
    (self.episodes, self.layout, self.form) = (episodes, layout, form)
    self.hasChosenHistories = hasChosenHistories
    measured = layout.measured
  }

  /// What a model of the data cannot know, one sentence each.
  package var warnings: [String] { pairs + feedback + heldDisturbances }

  /// What may help it, one sentence each.
  package var advice: [String] { lateCommands + noisyRates }

  // MARK: channels that go together

  private var pairs: [String] {
    let channels =
      measured.map { i in (layout.states[i].name, { (e: Episode, k: Int) in e.states[k][i] }) }
      + layout.exogenous.enumerated().map { j, channel in
        (channel.name, { (e: Episode, k: Int) in e.exogenous(at: k)[j] })
      }
    let rows = spreadRows(lag: 0, ahead: 0)
    let table = standardised(rows.map { e, k in channels.map { $0.1(episodes[e], k) } })
    guard table.rows > channels.count + 2 else { return [] }
    let isExogenous = channels.indices.map { $0 >= measured.count }
    return channels.indices.flatMap { a in
      channels.indices.dropFirst(a + 1).compactMap { b -> String? in
        let correlation = dot(table.column(a), table.column(b)) / Double(table.rows)
        // A command that follows from one state is feedback, below.
        guard abs(correlation) > Self.together, isExogenous[a] == isExogenous[b] else { return nil }
        return "'\(channels[a].0)' and '\(channels[b].0)' move together (correlation "
          + String(format: "%.4f", correlation)
          + "): their effects cannot be separated; log them moving separately, or leave one out"
      }
    }
  }

  /// Commands that a controller computed from the states.
  private var feedback: [String] {
    let rows = spreadRows(lag: 0, ahead: 0)
    let states = layout.states.count + layout.disturbances.count
    let table = standardised(
      rows.map { e, k in
        episodes[e].states[k] + episodes[e].disturbances(at: k) + episodes[e].actions[k]
      })
    guard table.rows > 10 * states else { return [] }
    let moments = SecondMoments(table)
    let inputs = Array(0..<states)
    return layout.actions.indices.compactMap { j in
      let coefficients = moments.regression(of: [states + j], on: inputs)[0]
      let explained =
        1 - moments.meanSquaredError(coefficients, of: states + j, on: inputs)
      // A command that does not move follows from nothing.
      guard explained > Self.follows, dot(table.column(states + j), table.column(states + j)) > 0
      else { return nil }
      let from = layout.disturbances.isEmpty ? "" : " and disturbances"
      return "'\(layout.actions[j].name)' follows from the states\(from) ("
        + String(format: "%.2f", 100 * explained)
        + " % of it): a controller drove, or it is logged late; its effect cannot be separated from theirs. Log other commands too"
    }
  }

  // MARK: disturbances

  /// Part of a disturbance's range by which one that is called constant may vary within an episode.
  private static let steady = 0.05

  /// What is called constant over an episode: always the same, or not constant.
  private var heldDisturbances: [String] {
    layout.disturbances.enumerated().filter(\.element.isConstant).compactMap {
      w, disturbance -> String? in
      let ranges = episodes.map { episode -> (low: Double, high: Double) in
        let values = episode.disturbances.map { $0[w] }
        return (values.min() ?? 0, values.max() ?? 0)
      }
      let (low, high) = (ranges.map(\.low).min() ?? 0, ranges.map(\.high).max() ?? 0)
      let name = disturbance.channel.name
      if high - low <= 1e-9 * max(abs(low), abs(high)) {
        return "'\(name)' is \(format(low)) in all logs: the effect of other values is not learnt"
      }
      guard
        let moved = ranges.indices.max(by: {
          ranges[$0].high - ranges[$0].low < ranges[$1].high - ranges[$1].low
        }), ranges[moved].high - ranges[moved].low > Self.steady * (high - low)
      else { return nil }
      return
        "'\(name)' is declared constant but goes from \(format(ranges[moved].low)) to \(format(ranges[moved].high)) in "
        + "\(shortened(episodes[moved].name)); rollouts keep its value of one row (declare it as varying instead)"
    }
  }

  // MARK: commands that act late

  /// Errors one step ahead of linear models, each command one to `latest` rows later, and with two rows of history more; by
  /// five blocks, each left out in turn.
  private var lateCommands: [String] {
    guard form.actionDelay == 0, form.longestLag == 0, form.filters.isEmpty else { return [] }
    let (actions, outputs) = (layout.actions.count, form.outputCount)
    // What is known whenever commands act.
    let present = form.features.indices.filter { form.features[$0].actions.isEmpty }
    let states = present.count
    let longest = (episodes.map(\.count).max() ?? 0) / 10
    let latest = min(Self.latest, longest, Self.mostTrials / layout.actions.count)
    guard latest >= 2 else { return [] }
    let rows = spreadRows(lag: latest, ahead: 1)
    let features = episodes.map { EpisodeFeatures(form, $0) }
    // Features of present states and disturbances; commands of 0 ... latest rows ago; states 1 and 2 rows ago; increments.
    let table = standardised(
      rows.map { e, k -> [Double] in
        let episode = episodes[e]
        let known = features[e][k]
        var row = present.map { known[$0] }
        for lag in 0...latest { row += episode.actions[k - lag] }
        for lag in 1...2 { row += episode.states[k - lag] }
        for state in form.outputStates {
          row.append(episode.states[k + 1][state] - episode.states[k][state])
        }
        return row
      })
    let blocks = 5
    guard table.rows >= 20 * (states + 3 * actions + 2 * layout.states.count) else {
      return []
    }
    let whole = SecondMoments(table)
    let parts = (0..<blocks).map { block in
      SecondMoments(
        table.selecting(
          rows: Array(block * table.rows / blocks..<(block + 1) * table.rows / blocks)))
    }
    let rests = parts.map { whole - $0 }
    let firstOutput = table.columns - outputs
    /// Root mean square over outputs, in deviations of theirs.
    func error(_ inputs: [Int]) -> Double {
      let targets = Array(firstOutput..<table.columns)
      let squares = zip(parts, rests).flatMap { part, rest in
        zip(targets, rest.regression(of: targets, on: inputs)).map {
          part.meanSquaredError($1, of: $0, on: inputs)
        }
      }
      return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }
    func column(_ action: Int, _ lag: Int) -> Int { states + lag * actions + action }
    let now = error(Array(0..<states) + (0..<actions).map { column($0, 0) })
    var late = Array(repeating: 0, count: actions)
    var best = now
    for action in 0..<actions {
      for lag in 1...latest {
        var trial = late
        trial[action] = lag
        let value = error(Array(0..<states) + (0..<actions).map { column($0, trial[$0]) })
        if value < best { (late, best) = (trial, value) }
      }
    }
    var sentences: [String] = []
    if best < Self.better * now, let least = late.min(), let most = late.max() {
      let names = (0..<actions).filter { late[$0] > 0 }.map {
        "'\(layout.actions[$0].name)' by about \(counted(late[$0], "row"))"
      }
      let model = [
        least > 0 ? "actionDelay: \(least)" : nil,
        most > least ? "actionHistory: \(most - least)" : nil,
      ].compactMap { $0 }
      sentences.append(
        "commands act with a delay: \(names.joined(separator: ", ")) (linear error one step ahead \(format(best / now)) times that with "
          + "the present commands): in a task "
          + (hasChosenHistories ? "" : "model: {\(model.joined(separator: ", "))}, and ")
          + "policy: {actionHistory: \(most)}"
      )
    }
    if hasChosenHistories { return sentences }
    let window = (0..<actions).flatMap { action in
      (late[action]...min(late[action] + 2, latest)).map { column(action, $0) }
    }
    let earlier = Array(column(0, latest + 1)..<firstOutput)
    let remembered = error(Array(0..<states) + window + earlier)
    if remembered < Self.better * best {
      sentences.append(
        "two earlier rows improve predictions (linear error one step ahead \(format(remembered / best)) times that without them): "
          + "in a task try model: {stateHistory: 2, actionHistory: 2}")
    }
    return sentences
  }

  // MARK: noise

  /// Derived rates in which the noise of their position is large. White noise of deviation s has differences of order p with
  /// variance s^2 (2p over p); motion adds to it, least at some order.
  private var noisyRates: [String] {
    layout.states.enumerated().compactMap { i, channel in
      guard case .rate(let base, let filterTime) = channel.source, filterTime == 0,
        let position = layout.states.firstIndex(where: { $0.name == base })
      else { return nil }
      let rates = episodes.flatMap { $0.states.map { $0[i] } }
      guard rates.count >= Self.fewestRates else { return nil }
      let deviation = Standardiser(fitting: rates.map { [$0] }).scale[0]
      let noise = (2...4).compactMap { noiseDeviation(position, order: $0) }.min() ?? 0
      let ofRate = 2.0.squareRoot() * noise / layout.timeStep
      guard ofRate > Self.noisyRate * deviation else { return nil }
      let unit = channel.units.isEmpty ? "" : " " + channel.units
      return
        "'\(channel.name)', derived from '\(base)', is noise to \(Int((100 * min(ofRate / deviation, 1)).rounded())) % "
        + "(\(format(ofRate))\(unit) of \(format(deviation))): in a task, set filterTime: "
        + "\(format(filter(ofRate / deviation))) beside rateOf, in s"
    }
  }

  private func noiseDeviation(_ state: Int, order: Int) -> Double? {
    var squares = 0.0
    var count = 0
    for episode in episodes where episode.count > order {
      var differences = episode.states.map { $0[state] }
      for _ in 0..<order { differences = zip(differences.dropFirst(), differences).map { $0 - $1 } }
      squares += differences.reduce(0) { $0 + $1 * $1 }
      count += differences.count
    }
    guard count > 0 else { return nil }
    let ways = (1...order).reduce(1.0) { $0 * Double(order + $1) / Double($1) }
    return (squares / Double(count) / ways).squareRoot()
  }

  /// Time constant, s, after which a rate's noise is `quietRate` of its deviation, ten time steps at most. Of differences of
  /// white noise the filter with gain a leaves the part a / sqrt(2 - a).
  private func filter(_ noise: Double) -> Double {
    var gain = 1.0
    while noise * gain / (2 - gain).squareRoot() > Self.quietRate && gain > 0.1 { gain *= 0.95 }
    return -layout.timeStep / log(1 - min(gain, 0.999))
  }

  // MARK: rows

  /// (episode, row), evenly spread over all, with so many rows before and after.
  private func spreadRows(lag: Int, ahead: Int) -> [(Int, Int)] {
    let all = episodes.indices.flatMap { e in
      stride(from: lag, to: episodes[e].count - ahead, by: 1).map { (e, $0) }
    }
    return evenlySpreadRows(count: all.count, wanted: Self.mostRows).map { all[$0] }
  }

  private func standardised(_ rows: [[Double]]) -> Matrix {
    guard !rows.isEmpty else { return Matrix(rows: 0, columns: 0) }
    let standardiser = Standardiser(fitting: rows)
    return Matrix(rows.map(standardiser.standardise))
  }
}
