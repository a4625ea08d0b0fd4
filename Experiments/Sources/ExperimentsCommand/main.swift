// SPDX-License-Identifier: Apache-2.0
// The program `bagel-experiments`: all commands of `bagel`, and those that repeat the paper's experiments and measure. `bagel reproduce`
// and `bagel benchmark` become this program.

import ArgumentParser
import Bagel
import BagelCommand

struct ExperimentsRoot: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: RootCommand.configuration.commandName,
    abstract: RootCommand.configuration.abstract,
    discussion: RootCommand.configuration.discussion,
    version: RootCommand.configuration.version,
    subcommands: ExperimentsProgram.subcommands(
      reproduce: ReproduceCommand.self, benchmark: BenchmarkCommand.self,
      completions: AllCompletions.self))
}

/// `bagel completions`, of all commands.
struct AllCompletions: ParsableCommand {
  static let configuration = CompletionsCommand.configuration

  @OptionGroup var argument: ShellArgument

  func run() throws { try argument.writeCompletions(of: ExperimentsRoot.self) }
}

runCommand(ExperimentsRoot.self)
