// SPDX-License-Identifier: Apache-2.0
// The machine in a task file: time step, states, actions, disturbances, logs, plant.

import Formulas
import Foundation
import MachineLogs
import Plants
import SafeText

extension ControlTask {
  mutating func readMachine(_ yaml: YAMLMapping, _ folder: String) throws {
    name = try required(yaml.name("name"), "name", yaml)
    timeStep = try required(yaml.positive("timeStep", 1e-6...1e5), "timeStep", yaml)
    timeColumn = try yaml.column("timeColumn")
    timeUnit = try yaml.choice("timeUnit", TimeUnit.self)
    for entry in try required(yaml.mappings("states"), "states", yaml) { try readState(entry) }
    try resolveRates(yaml)
    for entry in try required(yaml.mappings("actions"), "actions", yaml) { try readAction(entry) }
    try readDisturbances(yaml)
    try checkNames(yaml)
    logs = try readLogs(yaml, "logs", in: folder)
    if let means = try yaml.choice("done", DoneMeaning.self) { doneMeans = means }
    heldOutLogs = try readLogs(yaml, "heldOut", in: folder)
    if let missing = try yaml.choice("missing", MissingValues.self) {
      changeLayout { $0.setMissing(missing) }
    }
  }

  /// logs: [a.csv, {file: run.mcap, process: [python3, bag_to_csv.py, /joint_states]}, {file: b.csv, header: [t, x, u]}]
  private func readLogs(
    _ yaml: YAMLMapping, _ key: String, in folder: String
  ) throws -> [LogSource] {
    try (yaml.wordsOrMappings(key) ?? []).map { entry in
      switch entry {
      case .word(let path): return LogSource(resolved(path, in: folder))
      case .mapping(let entry):
        var source = LogSource(
          resolved(try required(entry.string("file"), "file", entry), in: folder))
        source.converter = try entry.strings("process") ?? []
        source.folder = folder
        source.header = try entry.strings("header")
        if entry.has("process"),
          source.converter.first?.isEmpty != false
            || source.converter.count == 1 && source.converter[0].contains(" ")
        {
          throw entry.error("process", "must be a list: [program, argument, ...]")
        }
        return source
      }
    }
  }

  /// A path of a task file in the file's folder.
  func resolved(_ path: String, in folder: String) -> String {
    path.hasPrefix("/") || folder == "." ? path : "\(folder)/\(path)"
  }

  private mutating func readState(_ entry: YAMLMapping) throws {
    let name = try channelName(entry)
    let filterTime = try entry.number("filterTime", 0...1e7)
    let base = try entry.string("rateOf")
    guard filterTime == nil || base != nil else {
      throw entry.error("filterTime", "is the time constant (s) of a derived rate; set rateOf too")
    }
    let source = base.map { Channel.Source.rate(of: $0, filterTime: filterTime ?? 0) } ?? .column
    let column = try entry.column("column")
    guard column == nil || base == nil else {
      throw entry.error(
        "column", "is for measured states; a derived rate is read from the column of its base")
    }
    var channel = Channel(
      name: name, units: try entry.units(), source: source,
      columnName: column == name ? nil : column)
    try readLogged(&channel, entry)
    let noise = try entry.number("noise", 0...1e9) ?? 0
    guard noise == 0 || source == .column else {
      throw entry.error(
        "noise", "is for measured states; a derived rate has the noise of its base")
    }
    states.append(StateChannel(channel, limits: try limits(entry, "limits"), noise: noise))
  }

  /// How logs hold a channel: `from:` (units), `missing:`.
  private func readLogged(_ channel: inout Channel, _ entry: YAMLMapping) throws {
    channel.missing = try entry.choice("missing", MissingValues.self)
    guard let from = try entry.string("from") else { return }
    guard channel.source == .column else {
      throw entry.error("from", "is for measured columns; a derived rate follows its base")
    }
    guard !channel.units.isEmpty else {
      throw entry.error("from", "is the unit in logs; give the task's unit too, such as units: rad")
    }
    channel.loggedUnits = from
    guard channel.conversion == nil else { return }
    let unknown = [from, channel.units].filter { !UnitConversion.knows($0) }
    throw entry.error(
      "from",
      unknown.isEmpty
        ? "is '\(shortened(from))', which cannot be converted to '\(shortened(channel.units))'"
        : "needs known units, such as deg, rad, mm, bar, mm/s, not '\(shortened(unknown[0]))'"
    )
  }

  private mutating func readAction(_ entry: YAMLMapping) throws {
    let name = try channelName(entry)
    let column = try entry.column("column")
    let limits = try required(limits(entry, "limits"), "limits", entry)
    var channel = Channel(
      name: name, units: try entry.units(), columnName: column == name ? nil : column)
    try readLogged(&channel, entry)
    let rateLimit = try entry.positive("rateLimit")
    let given = try entry.number("safe")
    guard let safe = given ?? (limits.contains(0) ? 0 : nil) else {
      throw entry.error(
        "safe", "is missing: 0 is outside the limits; give the action that leaves the machine safe")
    }
    guard limits.contains(safe) else {
      throw entry.error("safe", "must lie within the limits, but is \(safe)")
    }
    actions.append(ActionChannel(channel, limits: limits, rateLimit: rateLimit, safe: safe))
  }

  /// disturbances: {NAME: varying, NAME: constant, NAME: {units: kg, column: payload, constant: true}, ...}
  private mutating func readDisturbances(_ yaml: YAMLMapping) throws {
    guard let section = try yaml.mapping("disturbances") else { return }
    for name in section.keys {
      if let problem = problem(ofName: name) { throw section.error(name, problem) }
      if section.isMapping(name), let entry = try section.mapping(name) {
        let column = try entry.column("column")
        var channel = Channel(
          name: name, units: try entry.units(), columnName: column == name ? nil : column)
        try readLogged(&channel, entry)
        disturbances.append(
          Disturbance(channel, isConstant: try entry.bool("constant") ?? false))
      } else {
        let kind = try section.choice(name, DisturbanceKind.self)
        disturbances.append(
          Disturbance(Channel(name: name), isConstant: kind == .constant))
      }
      noteIfAmbiguous(name) { section.error(name, $0) }
    }
  }

  private enum DisturbanceKind: String, CaseIterable { case varying, constant }

  /// A state's or action's name; one that a formula would take for something else is remembered, for tasks with formulas.
  private mutating func channelName(_ entry: YAMLMapping) throws -> String {
    let name = try required(entry.name("name"), "name", entry)
    noteIfAmbiguous(name) { entry.error("name", $0) }
    return name
  }

  private mutating func noteIfAmbiguous(_ name: String, _ error: (String) -> LogError) {
    guard Formula.isAmbiguous(name), unfitForFormulas == nil else { return }
    unfitForFormulas = error(
      "'\(shortened(name))' has another meaning in a formula (a number, a function, pi, goal., previous.); give it "
        + "another name and `column: '\(shortened(name))'`, or use no formula")
  }

  /// `rateOf:` names a state; the rate is read from that state's column.
  private mutating func resolveRates(_ yaml: YAMLMapping) throws {
    for (index, channel) in layout.states.enumerated() {
      guard case .rate(let base, _) = channel.source else { continue }
      if let state = layout.states.first(where: { $0.name == base }) {
        states[index].channel.columnName = state.columnName
      } else if let state = layout.states.first(where: { $0.columnName == base }) {
        throw yaml.error(
          "states",
          "'\(shortened(channel.name))' has rateOf: '\(shortened(base))', a column; give its state: "
            + "rateOf: \(shortened(state.name))")
      }
    }
  }

  /// [lower, upper], or nil where the key is missing. Throws: `LogError`.
  func limits(_ entry: YAMLMapping, _ key: String) throws -> ClosedRange<Double>? {
    guard let limits = try entry.numbers(key) else { return nil }
    guard limits.count == 2, limits[0] < limits[1] else {
      throw entry.error(key, "must be [lower, upper] with lower < upper, not \(limits)")
    }
    return limits[0]...limits[1]
  }

  private func checkNames(_ yaml: YAMLMapping) throws {
    if layout.states.isEmpty { throw yaml.error("states", "must name at least one state") }
    if layout.actions.isEmpty { throw yaml.error("actions", "must name at least one action") }
    if let twice = Dictionary(grouping: channelNames, by: { $0 }).first(where: {
      $0.value.count > 1
    }
    ) {
      throw yaml.error(
        "states",
        "and actions\(layout.disturbances.isEmpty ? "" : " and disturbances"): two have the name '\(shortened(twice.key))'"
      )
    }
    for channel in layout.states {
      guard case .rate(let base, _) = channel.source else { continue }
      let isDerived = layout.states.contains { $0.name == base && $0.source != .column }
      if layout.exogenous.contains(where: { $0.name == base }) || isDerived || base == channel.name
      {
        throw yaml.error(
          "states",
          "'\(shortened(channel.name))' has rateOf: \(shortened(base)), which must be a measured state"
        )
      }
    }
  }

  /// A log with two columns of one name could not be read back.
  func checkColumns(_ yaml: YAMLMapping) throws {
    let counts = Dictionary(grouping: layout.writtenColumns, by: { $0 })
    guard let twice = counts.first(where: { $0.value.count > 1 })?.key else { return }
    throw yaml.error(
      "states",
      "'\(shortened(twice))' would occur twice in a log: time column, states, actions, disturbances and learnt reward "
        + "(`timeColumn:` gives the time another name)")
  }

  /// plant: a name, or {name: ..., parameters: {...}}, or {process: [...], timeout: ..., clock: ...}.
  mutating func readPlant(_ yaml: YAMLMapping, _ folder: String) throws {
    if yaml.isMapping("plant"), let entry = try yaml.mapping("plant") {
      if let command = try entry.strings("process") {
        guard command.first?.isEmpty == false, command.count > 1 || !command[0].contains(" ") else {
          throw entry.error("process", "must be a list: [program, argument, ...]")
        }
        var process = PlantChoice.Process(command: command, folder: folder)
        if let timeout = try entry.positive("timeout", 1e-3...1e5) { process.timeout = timeout }
        if let timeout = try entry.positive("resetTimeout", 1e-3...1e5) {
          process.resetTimeout = timeout
        }
        if let clock = try entry.choiceOrAutomatic("clock", PlantClock.self) {
          process.clock = clock
        }
        plant = .process(process)
        return
      }
      guard let name = try entry.string("name") else {
        throw entry.missing(
          "process",
          "or `name:` of a simulated plant: \(BuiltInPlants.names.joined(separator: ", "))")
      }
      plant = .simulated(name, parameters: try entry.namedNumbers("parameters") ?? [:])
    } else if let name = try yaml.string("plant") {
      plant = .simulated(name, parameters: [:])
    }
    guard case .simulated(let name, let parameters) = plant else { return }
    guard let made = BuiltInPlants.make(name) else {
      throw yaml.error(
        "plant",
        "must be one of \(BuiltInPlants.names.joined(separator: ", ")), not '\(shortened(name))', "
          + "or {process: [program, arguments]}")
    }
    let kind = type(of: made)
    if let wrong = parameters.first(where: { !(0...kind.largest($0.key)).contains($0.value) }) {
      throw yaml.error(
        "plant",
        "'\(shortened(wrong.key))' must be from 0 to \(kind.largest(wrong.key)), not \(wrong.value)"
      )
    }
    let known = kind.parameterNames
    if let unknown = parameters.keys.sorted().first(where: { !known.contains($0) }) {
      throw yaml.error(
        "plant",
        "'\(name)' has no parameter '\(shortened(unknown))'; it has \(known.joined(separator: ", "))"
      )
    }
  }
}
