// SPDX-License-Identifier: Apache-2.0
// Logs of which nothing is said -> the text of a commented task that `bagel fit` takes at once: columns, units, time step, holes,
// roles, rates, angles. What is only a guess says so.

import Foundation
import MachineLogs
import SafeText

/// A task file for logs.
public struct TaskProposal {
  /// The file, as it is to be written.
  public private(set) var text = ""
  /// What was found, in sentences for people.
  public private(set) var findings: [String] = []

  private let name: String
  private let sources: [LogSource]
  private let folder: String
  private let surveys: [LogSurvey]
  private let roles: ChannelRoles
  private var layout: LogLayout
  /// s, the median of the first log.
  private let spacing: Double
  /// Measured states whose rate is a column too, and that column.
  private var measuredRates: [String: String] = [:]
  private var turns: [String: Double] = [:]

  /// - Parameters:
  ///   - name: of the task.
  ///   - sources: its logs; of several, the last ones are held out.
  ///   - folder: where the file is to be; its paths are relative to it.
  ///   - hints: time column, unit of time and time step, where the logs are not to tell; a time step of 0 is to be proposed.
  /// - Throws: `LogError`.
  public init(
    name: String, logs sources: [LogSource], hints: LogLayout, folder: String
  ) throws {
    (self.name, self.sources, self.folder) = (name, sources, folder)
    surveys = try sources.map { try LogSurvey(of: $0, hints: hints) }
    roles = ChannelRoles(of: surveys)
    guard !roles.states.isEmpty, !roles.actions.isEmpty else {
      let columns = surveys[0].columns.map { shortened($0.name) }.joined(separator: ", ")
      throw LogError(
        file: sources[0].name,
        "a state and an action are needed, two columns of numbers that move; it has "
          + (columns.isEmpty ? "none" : shortened(columns, to: 100)))
    }
    layout = hints
    let survey = surveys.max { $0.times.count < $1.times.count } ?? surveys[0]
    spacing = LogFile.spacing(of: survey.times.sorted())
    guard spacing > 0 else {
      throw LogError(file: sources[0].name, "has no two rows of different times")
    }
    for column in roles.states { layout.states.append(channel(column)) }
    for column in roles.actions { layout.actions.append(channel(column)) }
    if hints.timeStep == 0 { layout.timeStep = proposedTimeStep(survey) }
    if layout.timeColumn == nil, !LogLayout.usualTimeColumns.contains(survey.timeColumn) {
      layout.timeColumn = survey.timeColumn
    }
    try readAgain()
    write()
  }

  /// A column as a channel, with a name of its own that formulas take.
  private func channel(_ column: String) -> Channel {
    let short = Self.identifier(
      column, besides: Set((layout.states + layout.actions).map(\.name)))
    let columns = surveys.flatMap { $0.columns.filter { $0.name == column } }
    let units = columns.map(\.units).first { !$0.isEmpty && problem(ofName: $0) == nil }
    var channel = Channel(
      name: short, units: units ?? "", columnName: short == column ? nil : column)
    let missing = columns.map(\.missing).max() ?? 0
    // A few holes are losses; many are another clock.
    channel.missing = missing == 0 ? nil : missing < 0.2 ? .drop : .hold
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
    let rates = MeasuredRates(among: layout.states.map(\.column), in: files).rateOf
    for state in layout.states {
      guard let rate = rates[state.column] else { continue }
      measuredRates[state.name] = layout.states.first { $0.column == rate }?.name
    }
  }

  private static let angleUnits = ["rad", "deg", "gon", "mrad"]

  // MARK: guesses

  /// A tenth of the time in which the fastest state moves by its deviation, on the logs' own spacing: 60 steps a period of a
  /// swing. Where noise moves it, the spacing.
  private func proposedTimeStep(_ survey: LogSurvey) -> Double {
    let times = survey.columns.first { $0.name == roles.states[0] }.map { column in
      column.values.indices.filter { column.values[$0].isFinite }
    }
    guard let rows = times, rows.count > 10 else { return Self.rounded(spacing) }
    let slowest = roles.states.compactMap { name -> Double? in
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
    let step = spacing * (factors.last { $0 * spacing <= 0.1 * (slowest ?? 0) } ?? 1)
    let isRegular = rows.indices.dropFirst().allSatisfy {
      let rest = survey.times[rows[$0]] - survey.times[rows[$0 - 1]]
      return abs(rest - spacing) <= 0.05 * spacing
    }
    // Rows that come as they like are put onto a step that people can say.
    return isRegular ? Self.rounded(step) : Double(String(format: "%.1g", step)) ?? step
  }

  /// Three digits, which a clock's jitter does not reach.
  private static func rounded(_ seconds: Double) -> Double {
    Double(String(format: "%.3g", seconds)) ?? seconds
  }

  /// A name that formulas take, of a column's.
  static func identifier(_ column: String, besides taken: Set<String>) -> String {
    var bare = column
    if let bracket = column.firstIndex(where: { "[(".contains($0) }), bracket > column.startIndex,
      column.last.map({ "])".contains($0) }) == true, LogFile.unit(ofName: column) != nil,
      Int(LogFile.unit(ofName: column) ?? "") == nil
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
    if ["t", "time", "goal", "previous", "pi"].contains(name) { name += "_" }
    guard taken.contains(name) else { return name }
    return (2...).lazy.map { "\(name)_\($0)" }.first { !taken.contains($0) } ?? name
  }

  // MARK: text

  private mutating func write() {
    let (training, heldOut) = split()
    let held = heldOut.isEmpty ? "" : "; held out: \(counted(heldOut.count, "log"))"
    findings = [
      "\(counted(training.count, "log")) to learn from\(held)",
      "rows \(format(spacing)) s apart, time step \(format(layout.timeStep)) s",
      "states: \(layout.states.map(\.name).joined(separator: ", "))",
      "actions (\(roles.reason)): \(layout.actions.map(\.name).joined(separator: ", "))",
    ]
    findings += surveys[0].habits.map { "read: \($0)" }
    findings += roles.others.map { "left out: '\(shortened($0.name))' \($0.reason)" }
    text = """
      # A BAGEL task, proposed from \(counted(sources.count, "log")). What is a guess says CHECK.
      #   bagel fit \(name).yaml        learns the dynamics from the logs
      #   bagel new NAME              writes a task with every key there is
      name: \(Self.quoted(name))

      # Seconds between control decisions; the logs' rows are \(format(spacing)) s apart. CHECK: how often will your controller act?
      timeStep: \(layout.timeStep)
      \(layout.timeColumn.map { "timeColumn: \(Self.quoted($0))\n" } ?? "")\(layout.timeUnit.map { "timeUnit: \($0.rawValue)\n" } ?? "")
      # CHECK: is each of these a state of the machine, and is none missing? Ranges are those of the logs.
      states:
      \(stateLines().joined(separator: "\n"))

      # What a controller commands, \(roles.reason). CHECK: limits are what the logs have; `safe` is sent at every end.
      actions:
      \(actionLines().joined(separator: "\n"))

      """
    for other in roles.others {
      text += "# left out: \(Self.comment(other.name)) \(other.reason)\n"
    }
    text += "\nlogs:\n" + training.map(line).joined(separator: "\n") + "\n"
    text +=
      heldOut.isEmpty
      ? "# heldOut: [another_log.csv]   # what the model is judged by; it does not learn from it\n"
      : "# What the model is judged by; it does not learn from it.\nheldOut:\n"
        + heldOut.map(line).joined(separator: "\n") + "\n"
    if !turns.isEmpty {
      let names = layout.states.filter { turns[$0.name] != nil }.map { Self.quoted($0.name) }
      text +=
        "\n# Their values jump by a full turn: angles that turn round.\nmodel:\n  angles: [\(names.joined(separator: ", "))]\n"
    }
    text += "\n" + goalLines()
  }

  /// Logs that are called a test are held out; where none is, of several logs the last fifth, and one at least.
  private func split() -> ([LogSource], [LogSource]) {
    let words = ["test", "held", "valid", "eval"]
    let tests = sources.filter { source in
      let name = URL(fileURLWithPath: source.path).lastPathComponent.lowercased()
      return words.contains { name.contains($0) }
    }
    if !tests.isEmpty, tests.count < sources.count {
      return (sources.filter { !tests.contains($0) }, tests)
    }
    let held = sources.count > 1 ? max(1, sources.count / 5) : 0
    return (Array(sources.dropLast(held)), Array(sources.suffix(held)))
  }

  private func values(_ column: String) -> [Double] {
    surveys.flatMap { $0.columns.filter { $0.name == column }.flatMap(\.values) }
      .filter(\.isFinite)
  }

  private func range(_ column: String) -> ClosedRange<Double> {
    let values = values(column)
    return (values.min() ?? 0)...(values.max() ?? 0)
  }

  /// Three digits of it.
  private func median(_ column: String) -> Double {
    let values = values(column).sorted()
    return values.isEmpty ? 0 : Self.rounded(values[values.count / 2])
  }

  private func stateLines() -> [String] {
    layout.states.flatMap { state -> [String] in
      let range = range(state.column)
      var line = entry(state) + "}   # \(format(range.lowerBound)) to \(format(range.upperBound))"
      if let rate = measuredRates[state.name] { line += "; its rate is '\(Self.comment(rate))'" }
      if state.missing == .drop { line += "; rows without it are left out" }
      if state.missing == .hold { line += "; it has a clock of its own" }
      let isRate = measuredRates.values.contains(state.name)
      let rate = state.name + "_rate"
      guard measuredRates[state.name] == nil, !isRate,
        !layout.states.contains(where: { $0.name == rate })
      else { return [line] }
      let units = state.units.isEmpty ? "" : ", units: \(Self.quoted(state.units + "/s"))"
      return [
        line,
        "  - {name: \(Self.quoted(rate))\(units), rateOf: \(Self.quoted(state.name))}   # derived: no column is its rate",
      ]
    }
  }

  private func entry(_ channel: Channel) -> String {
    var line = "  - {name: \(Self.quoted(channel.name))"
    if let column = channel.columnName { line += ", column: \(Self.quoted(column))" }
    if !channel.units.isEmpty { line += ", units: \(Self.quoted(channel.units))" }
    if let missing = channel.missing { line += ", missing: \(missing.rawValue)" }
    return line
  }

  private func actionLines() -> [String] {
    layout.actions.map { action in
      let range = range(action.column)
      let (low, high) = (
        Self.outward(range.lowerBound, down: true), Self.outward(range.upperBound, down: false)
      )
      let isZeroInside = low <= 0 && high >= 0
      let safe = isZeroInside ? 0 : min(max(median(action.column), low), high)
      return entry(action) + ", limits: [\(low), \(high)], safe: \(safe)}"
        + (isZeroInside
          ? ""
          : "   # CHECK: 0 was never sent, this is the median; which command leaves the machine at rest?")
    }
  }

  /// Three digits, away from the values.
  private static func outward(_ value: Double, down: Bool) -> Double {
    guard value != 0 else { return 0 }
    let unit = pow(10, (log10(abs(value))).rounded(.down) - 2)
    let digits = (value / unit)
    let rounded =
      abs(digits - digits.rounded()) < 1e-9 ? digits.rounded() : digits.rounded(down ? .down : .up)
    return Double(String(format: "%.3g", rounded * unit)) ?? value
  }

  private func line(_ source: LogSource) -> String {
    let path = Self.quoted(relative(source.path))
    if source.converter.isEmpty && source.header == nil { return "  - \(path)" }
    var line = "  - {file: \(path)"
    if !source.converter.isEmpty {
      line += ", process: [\(source.converter.map(word).map(Self.quoted).joined(separator: ", "))]"
    }
    if let header = source.header {
      line += ", header: [\(header.map(Self.quoted).joined(separator: ", "))]"
    }
    return line + "}"
  }

  /// A word of a converter's command: a file is found from the task's folder.
  private func word(_ word: String) -> String {
    FileManager.default.fileExists(atPath: word) ? relative(word) : word
  }

  /// A path from the task's folder; absolute where it lies above it.
  private func relative(_ path: String) -> String {
    let full = URL(fileURLWithPath: path).standardizedFileURL.path
    let folder = URL(fileURLWithPath: folder).standardizedFileURL.path
    return full.hasPrefix(folder + "/") ? String(full.dropFirst(folder.count + 1)) : full
  }

  /// What a search wants beside the model, to be filled in.
  private func goalLines() -> String {
    let states = layout.states.flatMap { state -> [String] in
      let isRate = measuredRates.values.contains(state.name)
      return measuredRates[state.name] == nil && !isRate
        ? [state.name, state.name + "_rate"] : [state.name]
    }
    let zeros = states.map { _ in "0" }.joined(separator: ", ")
    let weights = states.indices.map { $0 == 0 ? "10" : "0.1" }.joined(separator: ", ")
    return """
      # For a controller, say what is wanted and remove the marks. In the order of the states: \(states.map(Self.comment).joined(separator: ", ")).
      # reward:
      #   - saturating: {weights: [\(weights)], width: 1}
      #   - actionChange: 0.1
      # start: [\(zeros)]
      # goal: [\(zeros)]
      # policy: {layers: [8, 8], goal: none}
      # optimise: {particles: 100, horizon: 150, starts: 5, iterations: 400, learningRate: 0.01}

      """
  }

  private static func comment(_ text: String) -> String {
    printable(text).replacingOccurrences(of: "\n", with: " ")
  }

  /// A YAML scalar that is read as this text.
  private static func quoted(_ text: String) -> String {
    let isPlain =
      text.wholeMatch(of: #/[A-Za-z_][A-Za-z0-9_.\/-]*/#) != nil
      && !["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"]
        .contains(text.lowercased())
    if isPlain { return text }
    let escaped = text.replacingOccurrences(of: "\\", with: "\\\\")
      .replacingOccurrences(of: "\"", with: "\\\"")
    return "\"\(escaped)\""
  }
}
