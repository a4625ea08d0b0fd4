// SPDX-License-Identifier: Apache-2.0
// bagel completions SHELL: what a shell needs to complete bagel's commands and options.

import ArgumentParser
import Bagel
import Foundation

package struct CompletionsCommand: ParsableCommand {
  package static let configuration = CommandConfiguration(
    commandName: "completions", abstract: "Print the completion script of a shell.",
    discussion: """
      bash:  bagel completions bash > ~/.local/share/bash-completion/completions/bagel
      zsh:   bagel completions zsh > ~/.zsh/completions/_bagel    (a folder of your fpath)
      fish:  bagel completions fish > ~/.config/fish/completions/bagel.fish
      """)

  @OptionGroup var argument: ShellArgument

  package init() {}

  package func run() throws { try argument.writeCompletions(of: RootCommand.self) }
}

/// SHELL of `bagel completions`.
package struct ShellArgument: ParsableArguments {
  @Argument(help: "bash, zsh or fish.")
  var shell: ShellName

  package init() {}

  /// Prints the script for the commands of a program.
  package func writeCompletions(of root: any ParsableCommand.Type) throws {
    let script = root.completionScript(for: shell.shell)
    try FileHandle.standardOutput.write(contentsOf: Data((script + "\n").utf8))
  }
}

/// A shell for which the parser writes completions.
enum ShellName: String, CaseIterable, ExpressibleByArgument {
  case bash, zsh, fish

  var shell: CompletionShell {
    switch self {
    case .bash: .bash
    case .zsh: .zsh
    case .fish: .fish
    }
  }
}
