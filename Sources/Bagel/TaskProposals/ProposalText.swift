// SPDX-License-Identifier: Apache-2.0
// A proposed task as text: YAML with the reasons beside it, with all names from the log quoted for YAML.

import Foundation
import LinearAlgebra
import MachineLogs
import SafeText

extension TaskProposal {
  /// What was found, in sentences for people.
  package var findings: [String] {
    let (training, heldOut) = split()
    let held = heldOut.isEmpty ? "" : "; held out: \(counted(heldOut.count, "log"))"
    return [
      "\(counted(training.count, "log")) to learn from\(held)",
      "rows \(format(spacing)) s apart, time step \(format(layout.timeStep)) s",
      "states: \(layout.states.map(\.name).joined(separator: ", "))",
      "actions (\(roles.reason)): \(layout.actions.map(\.name).joined(separator: ", "))",
    ] + surveys[0].habits.map { "read: \($0)" }
      + roles.others.map { "left out: '\(shortened($0.name))' \($0.reason)" }
  }

  /// The file, as it is to be written.
  package var text: String {
    let (training, heldOut) = split()
    var yaml = """
      # A BAGEL task, proposed from \(counted(sources.count, "log")). Guesses are marked CHECK.
      #   bagel fit \(name).yaml        learns the dynamics from the logs
      #   bagel new NAME              writes a task with every key
      name: \(Self.quoted(name))

      # Seconds between control decisions; the logs' rows are \(format(spacing)) s apart. CHECK: how often will your controller act?\(doubtOfUnit)
      timeStep: \(layout.timeStep)
      \(layout.timeColumn.map { "timeColumn: \(Self.quoted($0))\n" } ?? "")\(layout.timeUnit.map { "timeUnit: \($0.rawValue)\n" } ?? "")
      # CHECK: is each of these a state of the machine, and is none missing? Ranges are those of the logs.
      states:
      \(stateLines().joined(separator: "\n"))

      # What a controller commands, \(roles.reason). CHECK: limits are those of the logs; `safe` is sent at every end.
      actions:
      \(actionLines().joined(separator: "\n"))

      """
    for other in roles.others {
      yaml += "# left out: \(Self.comment(other.name)) \(other.reason)\n"
    }
    yaml += "\nlogs:\n" + training.map(line).joined(separator: "\n") + "\n"
    yaml +=
      heldOut.isEmpty
      ? "# heldOut: [another_log.csv]   # logs that judge the model; it does not learn from them\n"
      : "# Logs that judge the model; it does not learn from them.\nheldOut:\n"
        + heldOut.map(line).joined(separator: "\n") + "\n"
    if !turns.isEmpty {
      let names = layout.states.filter { turns[$0.name] != nil }.map { Self.quoted($0.name) }
      yaml +=
        "\n# Their values jump by a full turn: they are angles.\nmodel:\n  angles: [\(names.joined(separator: ", "))]\n"
    }
    return yaml + "\n" + goalLines()
  }

  /// Whole numbers that count nobody says what.
  private var doubtOfUnit: String {
    let times = surveys[0].times
    let isCounted = times.prefix(1_000).allSatisfy { $0 == $0.rounded() }
    guard isCounted, layout.timeUnit == nil, TimeUnit(ofName: surveys[0].timeColumn) == nil,
      !surveys[0].habits.contains(where: { $0.hasPrefix("time (") })
    else { return "" }
    return
      "\n# CHECK: are the time stamps seconds? If not, set timeUnit: ms (us, ns, min, h, d), and another timeStep."
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
      if state.missing == .hold { line += "; it has its own clock" }
      guard let rate = derivedRate(of: state) else { return [line] }
      let units = state.units.isEmpty ? "" : ", units: \(Self.quoted(state.units + "/s"))"
      return [
        line,
        "  - {name: \(Self.quoted(rate))\(units), rateOf: \(Self.quoted(state.name))}   # derived: no column contains the rate",
      ]
    }
  }

  /// The name of a state's rate, where it is to be derived: no column is it, and the state is none itself.
  private func derivedRate(of state: Channel) -> String? {
    let rate = state.name + "_rate"
    let isRate = measuredRates.values.contains(state.name)
    return measuredRates[state.name] == nil && !isRate
      && !(layout.states + layout.actions).contains { $0.name == rate } ? rate : nil
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
      # For a controller, describe the aim and remove the comment marks. Lists are in the order of the states: \(states.map(Self.comment).joined(separator: ", ")).
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
