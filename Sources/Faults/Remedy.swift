// SPDX-License-Identifier: Apache-2.0
// What may help, as a value: a library words it in terms of the field, a command in terms of its flags.

/// What a user may do about a fault.
package indirect enum Remedy: Hashable, Sendable {
  // Logs.
  /// Says which column has the stamps; a guess, if there is one.
  case timeColumn(guess: String?)
  /// Says what stamps count.
  case timeUnit
  /// Gives the columns' names, such as these.
  case header(example: String?)
  /// What to do with rows where a channel has no value: "drop" or "hold".
  case missing(String)
  /// Says that a channel is an angle of these units; none for radians.
  case angle(name: String, units: String?)

  // Models and searches.
  /// Another sampler, one of these.
  case samplers([String])
  /// Another sampler, or fewer inputs of the model.
  case fewerInputs
  /// Fewer points of a grid.
  case gridPoints
  /// Another device to compute on.
  case device(String)
  /// Says where to go.
  case goal

  // Work that went before.
  /// Learns the model (again).
  case fit
  /// Searches the policy (again).
  case optimize
  /// Writes a task file; from logs, if it is to be proposed.
  case newTask(fromLogs: Bool)
  /// Begins afresh; what there is is moved away.
  case afresh
  /// Begins a search afresh: its file is left aside.
  case searchAfresh
  /// Goes on with the changed task and the old data.
  case goOn
  /// Another output folder.
  case otherFolder
  /// The options that a loop began with.
  case loopOptions(seed: UInt64, spread: Double)
  /// Several particles at once.
  case particles

  /// What is the same for everybody.
  case text(String)
  /// One of several.
  case either([Remedy])

  /// For programs, the library for C and Python.
  package var words: String {
    switch self {
    case .timeColumn(let guess):
      guess.map { "set the time column to '\($0)'" } ?? "give the name of the time column"
    case .timeUnit: "give the unit of the time stamps, such as ms"
    case .header(let example):
      "give the columns' names as a header" + (example.map { ", such as \($0)" } ?? "")
    case .missing(let what): "\(Self.ofMissing(what)) (missing: \(what))"
    case .angle(let name, let units):
      "declare '\(name)' as an angle" + (units.map { " in \($0)" } ?? "")
    case .samplers(let names): "use the sampler \(Self.list(names))"
    case .fewerInputs:
      Self.samplers(Self.ofManyInputs).words + ", or fewer features or a shorter history"
    case .gridPoints: "use fewer grid points"
    case .device(let name): "use the device \(name)"
    case .goal: "give the goal"
    case .fit: "learn the model again"
    case .optimize: "search the policy again"
    case .newTask(let fromLogs):
      fromLogs ? "write a task file from the logs, then fit it" : "write a task file"
    case .afresh: "start from the beginning, which moves the folder away"
    case .searchAfresh: "delete the file to start a new search"
    case .goOn: "continue with the new task and the old episodes"
    case .otherFolder: "use another output folder"
    case .loopOptions(let seed, let spread): "use the seed \(seed) and the spread \(spread)"
    case .particles: "simulate several particles"
    case .text(let text): text
    case .either(let several): Self.list(several.map(\.words))
    }
  }

  /// What is done with rows where a value is missing.
  package static func ofMissing(_ what: String) -> String {
    what == "hold" ? "hold the last value" : "leave such rows out"
  }

  /// Samplers that take any number of inputs.
  package static let ofManyInputs = ["love", "sparse", "exact"]

  /// "a, b or c".
  package static func list(_ words: [String]) -> String {
    guard let last = words.last, words.count > 1 else { return words.first ?? "" }
    return words.dropLast().joined(separator: ", ") + " or " + last
  }
}
