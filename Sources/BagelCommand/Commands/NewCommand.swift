// SPDX-License-Identifier: Apache-2.0
// bagel new NAME: a commented task file to edit; with --from, one for existing logs.

import ArgumentParser
import Bagel
import Foundation
import MachineLogs
import Tasks

struct NewCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new", abstract: "Write a commented task file for your own machine.",
    discussion: """
      With --from LOG... the file describes these logs: it proposes columns, units, time step, states, actions, rates and angles, and \
      `bagel fit` can read it at once. Logs with test, held, valid or eval in their names are held out; otherwise, of several logs, the last ones.
      """)

  @Argument(help: "Name of the task; the file is NAME.yaml.")
  var name: String

  @Option(parsing: .upToNextOption, help: "Logs from which the task is proposed.")
  var from: [String] = []

  @Option(help: "Seconds between control decisions (default: estimated from the logs).")
  var timeStep: Double?

  @OptionGroup(title: "How logs are written") var logOptions: LogOptions
  @OptionGroup var common: CommonOptions

  func validate() throws {
    guard !name.isEmpty, name.allSatisfy({ $0.isLetter || $0.isNumber || "-_.".contains($0) })
    else {
      throw ValidationError("a task's name has letters, digits, '-', '_' and '.' only")
    }
    if from.isEmpty, logOptions.isGiven || timeStep != nil {
      throw ValidationError("--time-step, \(LogOptions.names) describe logs: give --from too")
    }
    guard timeStep.map({ $0 > 0 && $0.isFinite }) != false else {
      throw ValidationError("--time-step must be a positive number of seconds")
    }
  }

  func run() throws {
    let name = name.hasSuffix(".yaml") ? String(name.dropLast(5)) : name
    let path = (common.output.map { $0 + "/" } ?? "") + name + ".yaml"
    guard !FileManager.default.fileExists(atPath: path) else {
      throw OutputError("\(path) already exists and was not overwritten")
    }
    let proposal = from.isEmpty ? nil : try proposal(name, beside: path)
    try OutputFolders.make(for: path, option: "--output")
    do {
      try Data((proposal?.text ?? BuiltInTasks.template(name: name)).utf8)
        .write(to: URL(fileURLWithPath: path), options: .withoutOverwriting)
    } catch {
      throw OutputError(path: path, error)
    }
    let console = Console(common)
    for finding in proposal?.findings ?? [] { console.say("  " + finding) }
    console.say(
      proposal == nil
        ? "wrote \(path): enter your log files, channels and limits in it, then run: bagel fit \(path)"
        : "wrote \(path): check the lines marked CHECK in it, then run: bagel fit \(path)")
    try console.finish(["path": path, "findings": proposal?.findings ?? []])
  }

  private func proposal(_ name: String, beside path: String) throws -> TaskProposal {
    var hints = LogLayout(states: [], actions: [], timeStep: timeStep ?? 0)
    logOptions.apply(to: &hints)
    return try TaskProposal(
      name: name, logs: from.map(logOptions.source), hints: hints, missing: logOptions.missing,
      folder: URL(fileURLWithPath: path).deletingLastPathComponent().path)
  }
}
