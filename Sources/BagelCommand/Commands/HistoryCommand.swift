// SPDX-License-Identifier: Apache-2.0
// bagel history: the models and policies of an output folder.

import ArgumentParser
import Bagel
import Foundation

struct HistoryCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "history", abstract: "List every model and policy of the output folder.",
    discussion: """
      Each fit and each search stores a version in OUTPUT/versions. A star marks the current ones, which the other commands
      read. `bagel use` selects another one, `bagel compare` compares two policies on one model.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    // Nothing is written, so a folder may be read only, or another command's.
    let store = VersionStore(folder: common.path(for: task))
    let versions = store.versions
    let current = [Version.Kind.model, .policy].compactMap { store.current($0)?.number }
    if versions.isEmpty {
      console.say("no version yet in \(store.folder); `bagel fit` and `bagel optimize` store them")
    }
    let width = String(versions.last?.number ?? 0).count
    for version in versions {
      let number = String(version.number)
      let padding = String(repeating: " ", count: width - number.count)
      console.say(
        "\(current.contains(version.number) ? "*" : " ") \(padding)\(number)  \(version.line)")
    }
    for number in store.unreadable {
      console.say("versions/\(number) has no readable version.json")
    }
    try console.finish(
      resultJSON(["versions": versions.map(\.json), "current": current]))
  }
}
