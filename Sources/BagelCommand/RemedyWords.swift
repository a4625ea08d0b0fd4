// SPDX-License-Identifier: Apache-2.0
// What may help, in the words of this command: its flags and its verbs.

import Faults

extension Remedy {
  /// For a terminal.
  var flagWords: String {
    switch self {
    case .timeColumn(let guess):
      "say --time-column\(guess.map { " '\($0)'" } ?? " NAME") (in a task: timeColumn)"
    case .timeUnit: "say the unit of the stamps, such as --time-unit ms"
    case .header(let example): "give names with --header\(example.map { " \($0)" } ?? "")"
    case .missing(let what): "\(Remedy.ofMissing(what)) (--missing \(what))"
    case .angle(let name, let units): "say --angles \(name)\(units.map { ":\($0)" } ?? "")"
    case .samplers(let names): "use --sampler \(Remedy.list(names))"
    case .fewerInputs:
      Remedy.samplers(Remedy.ofManyInputs).flagWords + ", or fewer features or a shorter history"
    case .gridPoints: "use fewer (gridPoints, --grid)"
    case .device(let name): "use --device \(name)"
    case .goal: "say where to go with --goal"
    case .fit: "run `bagel fit` again"
    case .optimize: "run `bagel optimize` again"
    case .newTask(let fromLogs):
      fromLogs
        ? "write a task file from the logs (`bagel new NAME --from LOG`), and fit that"
        : "`bagel new NAME` writes a task file"
    case .afresh: "begin afresh with --restart, which moves the folder away"
    case .searchAfresh: "begin the search afresh with --restart"
    case .goOn: "go on with the new task and the old episodes by --force"
    case .otherFolder: "give another --output"
    case .loopOptions(let seed, let spread): "give it --seed \(seed) and --vary \(spread)"
    case .particles: "say --particles"
    case .text(let text): text
    case .either(let several): Remedy.list(several.map(\.flagWords))
    }
  }
}

/// An error in one line for a terminal.
func words(of error: any Error) -> String {
  (error as? any Fault)?.sentence(\.flagWords) ?? "\(error)"
}
