// SPDX-License-Identifier: Apache-2.0
// bagel export: policy.safetensors or model.safetensors -> C99, ONNX, an FMU, safetensors by layer.

import ArgumentParser
import Bagel
import CodeExport
import Foundation
import Tasks

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a controller, or the learnt model, for use without BAGEL.",
    discussion: """
      c            a folder: C99 without dependencies, a test for the
                   target, a README (--file: source and header alone)
      onnx         a graph in double precision
      fmu          an FMU for co-simulation (FMI), with its sources and a
                   binary for this platform
      safetensors  of controllers only: one tensor per layer

      A controller in C or an FMU takes measurements: derived rates, limits, rate limits and the watch are inside. The graph takes states.

      With --model the learnt model is exported instead of the controller: a function of state, action and disturbance. It gives the mean of \
      the next state, its standard deviation and its Jacobian. Earlier rows that the model reads are part of the state.
      """)

  @OptionGroup var taskArgument: TaskArgument

  @Option(help: "c, onnx, fmu or safetensors.")
  var format: ExportFormat

  @Option(help: "FMI version of the FMU, 2 or 3.")
  var fmi: FMIVersion?

  @Flag(
    help:
      "Export the learnt model (model.safetensors in the output folder) instead of the controller.")
  var model = false

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(
    help:
      "File to write (default: controller or model with the format's ending, or a folder of that name, in the output folder)."
  )
  var file: String?

  @OptionGroup var common: CommonOptions

  func validate() throws {
    if fmi != nil, format != .fmu { throw ValidationError("--fmi needs --format fmu") }
    if model, policyOptions.policy != nil {
      throw ValidationError(
        "--policy and --model exclude each other: give --policy to export a controller, --model to export the model"
      )
    }
    if model, format == .safetensors {
      throw ValidationError(
        "--format safetensors exports controllers only; the model is already in model.safetensors in the output folder"
      )
    }
  }

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    let folder = common.path(for: task)
    // A file elsewhere leaves the output folder as it is.
    if isWithin(folder) { _ = try common.folder(for: task) }
    let (export, sentence, facts) =
      try model
      ? exportedModel(task, folder, console) : exportedController(task, folder, console)
    guard format == .c, file == nil else {
      return try writeFile(export, sentence, facts, task, folder, console)
    }
    let (kind, place) = (export.kind, "\(folder)/\(export.kind)")
    try OutputFolders.make(place)
    let files = try export.cFolder()
    for (name, data) in files {
      let path = "\(place)/\(name)"
      // What stood there was generated as well, and a copy of it would be compiled with the others.
      do {
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
      } catch {
        throw OutputError(path: path, error)
      }
    }
    console.say(
      sentence
        + "\(kind): \(place)\ntest it on the target: cd \(place) && cc -std=c99 \(kind).c \(kind)_test.c -lm && ./a.out"
    )
    try console.finish(
      resultJSON(
        [
          "path": "\(place)/\(kind).c", "header": "\(place)/\(kind).h",
          "test": "\(place)/\(kind)_test.c", "readme": "\(place)/README.md",
          "format": format.rawValue, "bytes": files.first?.data.count ?? 0,
        ], facts))
  }

  /// The task's controller, and what is to be said of it.
  private func exportedController(
    _ task: ControlTask, _ folder: String, _ console: Console
  ) throws -> (any Exportable, words: String, facts: [String: Any]) {
    let (controller, description) = try policyOptions.read(for: task, in: folder, console)
    // The watch is inside C code, and so inside FMUs.
    guard format == .c || format == .fmu else {
      return (ExportedController(controller, layout: task.observedLayout, name: task.name), "", [:])
    }
    let export = try task.exported(
      controller, description, in: policyOptions.folder(of: description, or: folder),
      provenance: provenance)
    for gap in export.notWatched where gap.response != .warn {
      Console.error("warning: not in the code: \(gap.words)")
    }
    return (export, "", ["notWatched": export.notWatched.map(\.words)])
  }

  /// The model of the task's folder, likewise.
  private func exportedModel(
    _ task: ControlTask, _ folder: String, _ console: Console
  ) throws -> (any Exportable, words: String, facts: [String: Any]) {
    let model = try readModel("\(folder)/model.safetensors", for: task)
    let export = try ExportedModel(
      model, actionLimits: task.actionLimits, rest: task.safeAction, name: task.name,
      provenance: ["task '\(task.name)'", "model \(model.fingerprint)"] + provenance)
    let megabytes = 8 * export.constantCount / 1_000_000
    if megabytes >= Self.largeMegabytes, format == .c || format == .fmu {
      Console.error(
        "warning: the model has \(megabytes) MB of constants, which some C compilers may not accept"
          + (export.deviationError == 0
            ? ": no small set of points gives its standard deviation" : "")
          + ". A model learnt from shorter logs is smaller")
    }
    return (
      export, "\(export.accuracy)\n",
      [
        "states": export.stateNames, "points": export.summary,
        "deviationError": export.deviationError, "modelFingerprint": model.fingerprint,
        "constants": export.constantCount,
      ]
    )
  }

  /// Constants of which more are said to be many: 40 MB of C text.
  private static let largeMegabytes = 16

  private var provenance: [String] { ["BAGEL \(bagelVersion)"] }

  /// Writes one file, and of C its header.
  private func writeFile(
    _ export: any Exportable, _ sentence: String, _ facts: [String: Any], _ task: ControlTask,
    _ folder: String,
    _ console: Console
  ) throws {
    let path = file ?? "\(folder)/\(export.kind).\(format.rawValue)"
    var (sentence, facts) = (sentence, facts)
    let data: Data
    if format == .fmu {
      let version = fmi ?? .two
      let archive = try export.fmu().archive(version)
      data = archive.data
      if let reason = archive.withoutBinary {
        sentence += "the FMU contains only sources: \(reason)\n"
      }
      facts["fmi"] = version.rawValue
      facts["binary"] = archive.binary ?? NSNull()
    } else {
      data = try export.data(format)
    }
    let written = try file(path, reads: inputs(of: task, in: folder))
    var kept = [try written.write(data)]
    var result: [String: Any] = ["path": path, "format": format.rawValue, "bytes": data.count]
    var words = sentence + "\(export.kind): \(path) (\(data.count) bytes)"
    if format == .c, !written.isStream {
      let headerPath = (path.hasSuffix(".c") ? String(path.dropLast(2)) : path) + ".h"
      kept.append(try file(headerPath, reads: inputs(of: task, in: folder)).write(export.header))
      words += "; its header: \(headerPath)"
      result["header"] = headerPath
    }
    for path in kept.compactMap({ $0 }) { words += "\nthe former file is kept: \(path)" }
    // Standard output may be the file.
    if written.isStream { Console.error(words) } else { console.say(words) }
    try console.finish(resultJSON(result, facts))
  }

  /// Whether the file goes into a folder.
  private func isWithin(_ folder: String) -> Bool {
    guard let file else { return true }
    func real(_ url: URL) -> String { url.standardizedFileURL.resolvingSymlinksInPath().path }
    return real(URL(fileURLWithPath: file).deletingLastPathComponent())
      == real(URL(fileURLWithPath: folder))
  }

  private func file(_ path: String, reads inputs: [String]) throws -> WrittenFile {
    let option = file == nil ? "--output" : "--file"
    try OutputFolders.make(for: path, option: option)
    let file = try WrittenFile(path, option: option)
    try file.check(isNoneOf: inputs)
    return file
  }

  /// What is not to be replaced by a controller: what the command or its task reads.
  private func inputs(of task: ControlTask, in folder: String) -> [String] {
    [taskArgument.task, folder + "/model.safetensors", folder + "/policy.safetensors"]
      + [policyOptions.policy].compactMap { $0 } + (task.logs + task.heldOutLogs).map(\.path)
  }
}

extension ExportFormat: ExpressibleByArgument {}

extension FMIVersion: ExpressibleByArgument {
  package init?(argument: String) {
    guard
      let found = FMIVersion.allCases.first(where: {
        $0.rawValue.hasPrefix(argument) && !argument.isEmpty
      })
    else { return nil }
    self = found
  }
}
