// SPDX-License-Identifier: Apache-2.0
// bagel compare: two policies on one model, with paired rollouts.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Policies
import TensorFiles

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare", abstract: "Compare two policies on the current model.",
    discussion: """
      Both drive the same 1,000 rollouts: the same starts, goals and draws. The difference is a prediction of the
      model, whose errors the policies may exploit; `bagel evaluate --policy FILE` measures on the plant.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @Argument(help: "The first policy: its number in `bagel history`, or its file.") var first: String
  @Argument(help: "The second policy: its number or its file.") var second: String
  @OptionGroup var deviceOptions: DeviceOptions
  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    try deviceOptions.checkAvailable()
    let task = try taskArgument.load(seed: common.seed)
    try task.checkSearchable()
    let folder = try common.folder(for: task)
    let model = try readModel(folder + "/model.safetensors", for: task)
    let policies = try [first, second].map { name -> PolicyController in
      let store = VersionStore(folder: folder)
      let path = try Int(name).map { try store.policyPath($0) } ?? name
      guard FileManager.default.fileExists(atPath: path) else {
        throw TensorFileError(path: path, "no such file")
      }
      return try PolicyController.read(path: path, for: task.policyDescription).controller
    }
    let comparison = try task.compare(
      policies[0], policies[1], on: model, device: deviceOptions.device)
    console.say(
      "on \(folder)/model.safetensors \(first) earns \(number(comparison.returns.first)), \(second) "
        + "\(number(comparison.returns.second)): the second earns \(comparison.words)")
    comparison.describe(first, second, console)
    let verdict =
      comparison.secondIsBetter
      ? "\(second) is better"
      : comparison.secondIsWorse
        ? "\(first) is better"
        : comparison.interval.contains(0)
          ? "neither is measurably better"
          : "the difference is too small to matter: less than a thousandth of the return"
    console.say("\(verdict), if the model is right")
    try console.finish(resultJSON(comparison.json))
  }
}

extension VersionStore {
  /// The file of a policy's version. Throws: `LogError` where it is none.
  fileprivate func policyPath(_ number: Int) throws -> String {
    let version = try version(number)
    guard version.kind == .policy else {
      throw LogError(file: folder, "version \(number) is a \(version.kind.rawValue), not a policy")
    }
    return path(version)
  }
}
