// SPDX-License-Identifier: Apache-2.0
// bagel export: policy.safetensors -> C99, ONNX or safetensors by layer.

import ArgumentParser
import Bagel
import Foundation

struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Write a controller as C, ONNX or safetensors, for use without BAGEL.",
    discussion: """
      c            a folder with C99 without dependencies (derived rates, normalisation, limits, rate limits, watch and memory
                   inside), its header, a test of 1,000 rows for the target, and a README; --file writes source and header alone
      onnx         a graph in double precision from states (and goal, past actions, memory of integrals) to actions (and the next
                   memory)
      safetensors  one tensor a layer, with the standardiser and the limits
      """)

  @OptionGroup var taskArgument: TaskArgument

  @Option(help: "c, onnx or safetensors.")
  var format: ExportFormat

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(
    help:
      "File to write (default: controller.onnx or .safetensors, or the folder controller, in the output folder)."
  )
  var file: String?

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    let folder = common.path(for: task)
    // A file elsewhere leaves the output folder as it is.
    if isWithin(folder) { _ = try common.folder(for: task) }
    let (controller, description) = try policyOptions.read(for: task, in: folder, console)
    // The watch is inside C code alone.
    let export =
      try format == .c
      ? task.exported(
        controller, description, in: policyOptions.folder(of: description, or: folder),
        provenance: ["BAGEL \(RootCommand.configuration.version)"])
      : ExportedController(controller, layout: task.observedLayout, name: task.name)
    for gap in export.notWatched where gap.response != .warn {
      Console.error("warning: not in the code: \(gap.words)")
    }
    guard format == .c, file == nil else {
      return try writeFile(export, task, folder, console)
    }
    let place = "\(folder)/controller"
    try OutputFolders.make(place)
    for (name, data) in try export.cFolder() {
      let path = "\(place)/\(name)"
      // What stood there was generated as well, and a copy of it would be compiled with the others.
      do {
        try data.write(to: URL(fileURLWithPath: path), options: .atomic)
      } catch {
        throw OutputError(path: path, error)
      }
    }
    console.say(
      "controller: \(place)\ntest it on the target: cd \(place) && cc -std=c99 controller.c controller_test.c -lm && ./a.out"
    )
    try console.finish([
      "path": "\(place)/controller.c", "header": "\(place)/controller.h",
      "test": "\(place)/controller_test.c", "readme": "\(place)/README.md",
      "format": format.rawValue, "bytes": try export.data(.c).count,
      "notWatched": export.notWatched.map(\.words),
    ])
  }

  /// Writes one file, and of C its header.
  private func writeFile(
    _ export: ExportedController, _ task: ControlTask, _ folder: String, _ console: Console
  ) throws {
    let path = file ?? "\(folder)/controller.\(format.rawValue)"
    let data = try export.data(format)
    let written = try file(path, reads: inputs(of: task, in: folder))
    var kept = [try written.write(data)]
    var result: [String: Any] = ["path": path, "format": format.rawValue, "bytes": data.count]
    var words = "controller: \(path) (\(data.count) bytes)"
    if let header = export.header(format), !written.isStream {
      let headerPath = (path.hasSuffix(".c") ? String(path.dropLast(2)) : path) + ".h"
      kept.append(try file(headerPath, reads: inputs(of: task, in: folder)).write(header))
      words += "; its header: \(headerPath)"
      result["header"] = headerPath
    }
    for path in kept.compactMap({ $0 }) { words += "\nthe former file is kept: \(path)" }
    // Standard output may be the file.
    if written.isStream { Console.error(words) } else { console.say(words) }
    try console.finish(result)
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
