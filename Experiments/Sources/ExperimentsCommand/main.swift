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
      reproduce: ReproduceCommand.self, benchmark: BenchmarkCommand.self))
}

runCommand(ExperimentsRoot.self)
