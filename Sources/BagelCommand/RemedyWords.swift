// SPDX-License-Identifier: Apache-2.0
// What may help, in the words of this command: its flags and its verbs.

import Faults

extension Remedy {
  /// For a terminal.
  var flagWords: String {
    switch self {
    case .timeColumn(let guess):
      "give --time-column\(guess.map { " '\($0)'" } ?? " NAME") (in a task: timeColumn)"
    case .timeUnit: "give the unit of the time stamps, such as --time-unit ms"
    case .header(let example): "give names with --header\(example.map { " \($0)" } ?? "")"
    case .missing(let what): "\(Remedy.ofMissing(what)) (--missing \(what))"
    case .angle(let name, let units): "give --angles \(name)\(units.map { ":\($0)" } ?? "")"
    case .samplers(let names): "use --sampler \(Remedy.list(names))"
    case .fewerInputs:
      Remedy.samplers(Remedy.ofManyInputs).flagWords + ", or fewer features or a shorter history"
    case .gridPoints: "use fewer grid points (gridPoints, --grid)"
    case .device(let name): "use --device \(name)"
    case .goal: "give the goal with --goal"
    case .fit: "run `bagel fit` again"
    case .optimize: "run `bagel optimize` again"
    case .newTask(let fromLogs):
      fromLogs
        ? "write a task file from the logs (`bagel new NAME --from LOG`), then fit it"
        : "`bagel new NAME` writes a task file"
    case .afresh: "start from the beginning with --restart, which moves the folder away"
    case .searchAfresh: "start a new search with --restart"
    case .goOn: "continue with the new task and the old episodes with --force"
    case .otherFolder: "give another --output"
    case .loopOptions(let seed, let spread): "give it --seed \(seed) and --vary \(spread)"
    case .particles: "give --particles"
    case .text(let text): text
    case .either(let several): Remedy.list(several.map(\.flagWords))
    }
  }
}

/// An error in one line for a terminal.
func words(of error: any Error) -> String {
  (error as? any Fault)?.sentence(\.flagWords) ?? "\(error)"
}
