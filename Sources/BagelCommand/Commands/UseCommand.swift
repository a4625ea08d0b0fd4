// SPDX-License-Identifier: Apache-2.0
// bagel use: another version becomes the current model or policy.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Policies

struct UseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "use", abstract: "Make an earlier model or policy the current one.",
    discussion:
      "Nothing is lost: the present one remains a version. The model of a policy becomes the current one too, if it is among the versions."
  )

  @OptionGroup var taskArgument: TaskArgument
  @Argument(help: "Its number in `bagel history`.") var version: Int
  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    let store = VersionStore(folder: try common.folder(for: task))
    let chosen = try store.version(version)
    // One of another machine's is no use to this task.
    let path = store.path(chosen)
    if FileManager.default.fileExists(atPath: path) {
      switch chosen.kind {
      case .model: _ = try readModel(path, for: task)
      case .policy: _ = try PolicyController.read(path: path, for: task.policyDescription)
      }
    }
    try store.use(chosen)
    console.say("version \(chosen.number) is the current \(chosen.kind.rawValue): \(chosen.words)")
    if chosen.kind == .policy, let wanted = chosen.model {
      let models = store.versions.filter { $0.kind == .model && $0.model == wanted }
      if let model = models.last {
        if try store.use(model) != nil {
          console.say("version \(model.number) is the current model: the policy was found on it")
        }
      } else if let words = try PolicyController.read(path: store.path(chosen)).description
        .otherModel(in: store.folder)
      {
        console.say(words)
      }
    }
    try console.finish(resultJSON(["version": chosen.json]))
  }
}

extension VersionStore {
  /// A version by its number. Throws: `LogError` where there is none.
  func version(_ number: Int) throws -> Version {
    guard let version = versions.first(where: { $0.number == number }) else {
      let numbers = versions.map { "\($0.number)" }.joined(separator: ", ")
      throw LogError(
        file: folder,
        "has no version \(number)" + (numbers.isEmpty ? "" : "; it has \(numbers)"))
    }
    return version
  }
}
