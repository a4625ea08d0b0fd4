// SPDX-License-Identifier: Apache-2.0
// bagel new NAME: a commented task file to edit.

import ArgumentParser
import Bagel
import Foundation

struct NewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a commented task file for your own machine.")

  @Argument(help: "Name of the task; the file is NAME.yaml.")
  var name: String

  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) })
    else {
      throw ValidationError("a task's name has letters, digits, '-', '_' and '.' only")
    }
  }

  func run() throws {
    let name = name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    let path = (common.output.map { $0 + "/" } ?? "") + name + ".yaml"
    guard !FileManager.default.fileExists(atPath: path) else {
      throw OutputError(description: "\(path) already exists and was not overwritten")
    }
    try OutputFolders.make(for: path, option: "--output")
    do {
      try Data(BuiltInTasks.template(name: name).utf8)
        .write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
    } catch {
      throw OutputError(path: path, error)
    }
    let console = Console(json: common.json)
    console.say(
      "wrote \(path): name your log files, channels and limits in it, then bagel fit \(path)")
    try console.finish(["path": path])
  }
}
