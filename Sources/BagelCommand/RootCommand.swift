// SPDX-License-Identifier: Apache-2.0
// The command `bagel`: one file per subcommand. Results go to standard output, progress and logs to standard
// error. Exit codes: 0 success, 2 done but not solved, 64 usage, 65 bad input data or a plant that fails, 130 interrupted,
// 1 anything else.
// swift-argument-parser reads the arguments: Apple's own, it writes help and completions too.

import ArgumentParser
import Bagel
import Faults
import Foundation
import LinearAlgebra
import SafeText

package struct RootCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "bagel",
    abstract: "Learns a machine's dynamics from its log and finds a controller for it.",
    discussion: """
      A quick look:       bagel demo
      Your own machine:   bagel new my-boom, edit my-boom.yaml, then
                          bagel fit my-boom.yaml, bagel optimize my-boom.yaml
      A log, no file:     bagel fit --log a.csv --held-out b.csv
                            --states angle --actions valve --time-step 0.1
      """,
    version: bagelVersion,
    subcommands: [
      DemoCommand.self, NewCommand.self, FitCommand.self, OptimizeCommand.self,
      EvaluateCommand.self, LearnCommand.self, RunCommand.self, HistoryCommand.self,
      CompareCommand.self, UseCommand.self, ReportCommand.self, JudgeCommand.self,
      ProposeCommand.self,
      SimulateCommand.self, ExportCommand.self,
      ReproduceElsewhere.self, BenchmarkElsewhere.self, EmitCommand.self,
      DoctorCommand.self, CompletionsCommand.self,
    ])

  package init() {}
}

/// The program's main: reads the arguments, runs the command and ends the process with its exit code.
package func runCommand(_ root: any ParsableCommand.Type) {
  BLASConfiguration.restartWhereCPUIsUnknown()
  InterruptSignal.prepare()
  keepFreedMemory()
  var type: any ParsableCommand.Type = root
  do {
    if root == RootCommand.self { try ExperimentsProgram.takeOver() }
    var command = try root.parseAsRoot()
    type = Swift.type(of: command)
    try command.run()
  } catch let error as Interruption {
    Console.error(printable("\(error)", keeping: "\n"))
    Foundation.exit(130)
  } catch {
    guard let fault = error as? any Fault else { type.exit(withError: error) }
    Console.failure("error: \(words(of: fault))")
    Foundation.exit(fault.origin.exitCode)
  }
}

/// Ctrl-C during a search whose state was saved.
package struct Interruption: Error, CustomStringConvertible {
  package let description: String

  package init(description: String) { self.description = description }
}

/// Done, and not solved: exit code 2.
let notSolved = ExitCode(2)

/// The plant did not take the safe action of a run that was interrupted.
let machineNotSafe = ExitCode(65)
