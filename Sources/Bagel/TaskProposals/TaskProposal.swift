// SPDX-License-Identifier: Apache-2.0
// Logs without a description -> the text of a commented task that `bagel fit` can read at once: columns, units, time step, holes,
// roles, rates, angles. Guesses are marked.

import Formulas
import Foundation
import MachineLogs
import SafeText

/// A task file for logs.
package struct TaskProposal {
  let name: String
  let sources: [LogSource]
  let folder: String
  private let missing: MissingValues?
  let surveys: [LogSurvey]
  let roles: ChannelRoles
  private(set) var layout: LogLayout
  /// s, the median of the first log.
  let spacing: Double
  /// Measured states whose rate is a column too, and that column.
  private(set) var measuredRates: [String: String] = [:]
  private(set) var turns: [String: Double] = [:]

  /// - Parameters:
  ///   - name: of the task.
  ///   - sources: its logs; those that are called a test are held out, or else, of several, the last ones.
  ///   - missing: what is done with missing values; nil to propose it for each channel.
  ///   - folder: where the file is to be; its paths are relative to it.
  ///   - hints: time column, unit of time and time step, where the logs do not say them; 0 s: propose a time step.
  /// - Throws: `LogError`.
  package init(
    name: String, logs sources: [LogSource], hints: LogLayout, missing: MissingValues? = nil,
    folder: String
  ) throws {
    self.missing = missing
    (self.name, self.sources, self.folder) = (name, sources, folder)
    surveys = try sources.map { try LogSurvey(of: $0, hints: hints) }
    roles = ChannelRoles(of: surveys)
    guard !roles.states.isEmpty, !roles.actions.isEmpty else {
      let columns = surveys[0].columns.map { shortened($0.name) }.joined(separator: ", ")
      throw LogError(
        file: sources[0].name,
        "a state and an action are needed, that is two columns of numbers that change; it has "
          + (columns.isEmpty ? "none" : shortened(columns, to: 100))
          + (roles.others.first.map { "; '\(shortened($0.name))' \(shortened($0.reason))" } ?? ""))
    }
    layout = hints
    let survey = surveys.max { $0.times.count < $1.times.count } ?? surveys[0]
    // Of the first state's own rows: other signals may have other clocks.
    let state = roles.states[0]
    let column = survey.columns.first { $0.name == state }
    spacing = LogFile.spacing(
      of: zip(survey.times, column?.values ?? []).filter { $0.1.isFinite }.map(\.0))
    guard spacing > 0 else {
      throw LogError(file: sources[0].name, "has no two rows with different time stamps")
    }
    for column in roles.states { layout.states.append(channel(column)) }
    for column in roles.actions { layout.actions.append(channel(column)) }
    if hints.timeStep == 0 { layout.timeStep = proposedTimeStep(survey) }
    if layout.timeColumn == nil, !LogLayout.usualTimeColumns.contains(survey.timeColumn) {
      layout.timeColumn = survey.timeColumn
    }
    try readAgain()
  }

  /// A column as a channel, with a name of its own that formulas take.
  private func channel(_ column: String) -> Channel {
    let short = Self.identifier(
      column, besides: Set((layout.states + layout.actions).map(\.name)))
    let columns = surveys.flatMap { $0.columns.filter { $0.name == column } }
    let units = columns.map(\.units).first { !$0.isEmpty && problem(ofName: $0) == nil }
    var channel = Channel(
      name: short, units: units ?? "", columnName: short == column ? nil : column)
    // Rare and regular values are those of another clock, which a converter's signals have anyway; other holes are losses.
    if columns.contains(where: { $0.missing > 0 }), sources.contains(where: \.converter.isEmpty) {
      channel.missing = missing ?? (columns.contains(where: \.hasOwnClock) ? .hold : .drop)
    }
    return channel
  }

  /// Rates and angles, from the logs as a fit reads them.
  private mutating func readAgain() throws {
    let layout = self.layout
    let files = try sources.map { try LogFile($0, layout: layout) }
    for state in layout.states {
      let turn = files.lazy.compactMap { $0.wrappingTurn(of: state.column, layout) }.first
      guard let turn, let units = Self.angleUnits.first(where: { fullTurn(units: $0) == turn })
      else { continue }
      turns[state.name] = turn
      for index in layout.states.indices where layout.states[index].name == state.name {
        self.layout.states[index].units = units
        self.layout.states[index].turn = turn
      }
    }
    let rates = MeasuredRates(
      among: layout.states.map(\.column), in: files,
      mostRows: layout.states.count > 8 ? 2_000 : 20_000
    ).rateOf
    for state in layout.states {
      guard let rate = rates[state.column] else { continue }
      measuredRates[state.name] = layout.states.first { $0.column == rate }?.name
    }
  }

  private static let angleUnits = ["rad", "deg", "gon", "mrad"]

  // MARK: guesses

  /// The state that moves fastest sets it: a tenth of its deviation over its root mean square rate, 60 steps a period of a swing; the
  /// spacing at least.
  private func proposedTimeStep(_ survey: LogSurvey) -> Double {
    let known = survey.columns.first { $0.name == roles.states[0] }.map { column in
      column.values.indices.filter { column.values[$0].isFinite }
    }
    guard let rows = known, rows.count > 10 else { return Self.rounded(spacing) }
    let fastest = roles.states.compactMap { name -> Double? in
      guard let values = survey.columns.first(where: { $0.name == name })?.values else {
        return nil
      }
      let known = rows.filter { values[$0].isFinite }
      guard known.count > 10 else { return nil }
      let mean = known.reduce(0) { $0 + values[$1] } / Double(known.count)
      let spread = known.reduce(0) { $0 + (values[$1] - mean) * (values[$1] - mean) }
      let changes = zip(known.dropFirst(), known).compactMap { now, before -> Double? in
        let seconds = survey.times[now] - survey.times[before]
        return seconds > 0 ? (values[now] - values[before]) / seconds : nil
      }
      let rate = changes.reduce(0) { $0 + $1 * $1 }
      guard spread > 0, rate > 0 else { return nil }
      return (spread / Double(known.count) / (rate / Double(changes.count))).squareRoot()
    }.min()
    let factors = [1.0, 2, 5, 10, 20, 50, 100]
    let step = spacing * (factors.last { $0 * spacing <= 0.1 * (fastest ?? 0) } ?? 1)
    let isRegular = rows.indices.dropFirst().allSatisfy {
      let rest = survey.times[rows[$0]] - survey.times[rows[$0 - 1]]
      return abs(rest - spacing) <= 0.05 * spacing
    }
    // Rows that come as they like are put onto a step that people can say.
    return isRegular ? Self.rounded(step) : Double(String(format: "%.1g", step)) ?? step
  }

  /// Three digits, which a clock's jitter does not reach.
  static func rounded(_ seconds: Double) -> Double {
    Double(String(format: "%.3g", seconds)) ?? seconds
  }

  /// A name that formulas take, of a column's.
  static func identifier(_ column: String, besides taken: Set<String>) -> String {
    var bare = column
    if let bracket = column.firstIndex(where: { "[(".contains($0) }), bracket > column.startIndex,
      LogFile.unit(ofName: column) != nil
    {
      bare = column[..<bracket].trimmingCharacters(in: .whitespaces)
    }
    var name = ""
    for character in bare {
      if character.isLetter || character.isNumber {
        name.append(character)
      } else if !name.hasSuffix("_"), !name.isEmpty {
        name.append("_")
      }
    }
    while name.hasSuffix("_") { name.removeLast() }
    if name.isEmpty || name.first?.isNumber == true { name = "x" + name }
    if Formula.isAmbiguous(name) || ["t", "time"].contains(name) { name += "_" }
    guard taken.contains(name) else { return name }
    return (2...).lazy.map { "\(name)_\($0)" }.first { !taken.contains($0) } ?? name
  }
}
