// SPDX-License-Identifier: Apache-2.0
// `bagel reproduce` and `bagel benchmark` are commands of another program (the package Experiments), which stands beside this
// one: here are their lines of the overview, and the way there.

import ArgumentParser
import Faults
import Foundation

/// The program with all commands, those of experiments among them.
package enum ExperimentsProgram {
  static let name = "bagel-experiments"

  /// This process becomes that program if its arguments want one of its commands; else nothing happens.
  ///
  /// Throws: `NoExperimentsProgram`.
  static func takeOver() throws(NoExperimentsProgram) {
    let arguments = Array(ProcessInfo.processInfo.arguments.dropFirst())
    let verb = arguments.first == "help" ? arguments.dropFirst().first : arguments.first
    // Beside this program, wherever a link or PATH found it.
    guard let own = Bundle.main.executablePath else { return }
    let path = URL(fileURLWithPath: own).deletingLastPathComponent().path + "/" + name
    var remedy: Remedy?
    switch verb {
    case ReproduceElsewhere.name, BenchmarkElsewhere.name:
      remedy = ExperimentsBuild.makeIfMissing(path, beside: own)
    // That program's script has the options of all commands.
    case CompletionsCommand.configuration.commandName
    where FileManager.default.isExecutableFile(atPath: path):
      break
    default: return
    }
    warnOfOlder(path, than: own)
    var words = ([path] + arguments).map { strdup($0) } + [nil]
    execv(path, &words)
    throw NoExperimentsProgram(verb: verb ?? "", path: path, errorNumber: errno, remedy: remedy)
  }
}

extension ExperimentsProgram {
  /// A program that was built long before this one measures old kernels.
  private static func warnOfOlder(_ path: String, than own: String) {
    func built(_ path: String) -> Date? {
      try? FileManager.default.attributesOfItem(atPath: path)[.modificationDate] as? Date
    }
    guard let other = built(path), let this = built(own), other < this - 3_600 else { return }
    Console.error("warning: \(path) is older than \(own); build both with `make build`")
  }
}

/// The program with the experiments is not beside this one, or does not start.
struct NoExperimentsProgram: Fault {
  let statement: String
  var origin: FaultOrigin { .surroundings }
  let remedy: Remedy?

  init(verb: String, path: String, errorNumber: Int32, remedy: Remedy?) {
    let problem =
      errorNumber == ENOENT
      ? "is missing" : "does not start: \(String(cString: strerror(errorNumber)))"
    statement = "\(verb) is a command of the program \(path), which \(problem)"
    self.remedy =
      remedy ?? .text("run `make build`, or `make install` again, in a checkout of BAGEL")
  }
}

/// `bagel reproduce` in the overview.
struct ReproduceElsewhere: ParsableCommand {
  static let name = "reproduce"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: ExperimentsProgram.reproduceAbstract)
}

/// `bagel benchmark` in the overview.
struct BenchmarkElsewhere: ParsableCommand {
  static let name = "benchmark"
  static let configuration = CommandConfiguration(
    commandName: name, abstract: ExperimentsProgram.benchmarkAbstract)
}

extension ExperimentsProgram {
  package static let reproduceAbstract =
    "Repeat the paper's experiments with their baselines; writes a page, pictures, numbers."
  package static let benchmarkAbstract =
    "Measure the time of an iteration or a fit, the alarms of a watch, kept promises, or the GPU's peak."

  /// All commands of `bagel`, with those of experiments in place of their lines here.
  package static func subcommands(
    reproduce: any ParsableCommand.Type, benchmark: any ParsableCommand.Type,
    completions: any ParsableCommand.Type
  ) -> [any ParsableCommand.Type] {
    RootCommand.configuration.subcommands.map { command in
      if command == ReproduceElsewhere.self { return reproduce }
      if command == BenchmarkElsewhere.self { return benchmark }
      return command == CompletionsCommand.self ? completions : command
    }
  }
}
