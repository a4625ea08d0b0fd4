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
      c            one C99 file without dependencies: derived rates, normalisation, limits, memory inside; its header
                   for C and C++ is written beside it
      onnx         a graph in double precision from states (and goal, past actions) to actions
      safetensors  one tensor a layer, with the standardiser and the limits
      """)

  @OptionGroup var taskArgument: TaskArgument

  @Option(help: "c, onnx or safetensors.")
  var format: ExportFormat

  @OptionGroup var policyOptions: PolicyFileOptions

  @Option(
    help: "File to write (default: controller.c, .onnx or .safetensors in the output folder).")
  var file: String?

  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(json: common.json)
    let task = try taskArgument.load(seed: common.seed)
    let folder = common.path(for: task)
    // A file elsewhere leaves the output folder as it is.
    if isWithin(folder) { _ = try common.folder(for: task) }
    let (controller, _) = try policyOptions.read(for: task, in: folder, console)
    let export = ExportedController(controller, layout: task.observedLayout, name: task.name)
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
    try OutputFolders.make(for: path, option: "--file")
    let file = try WrittenFile(path, option: "--file")
    try file.check(isNoneOf: inputs)
    return file
  }

  /// What is not to be replaced by a controller: what the command or its task reads.
  private func inputs(of task: ControlTask, in folder: String) -> [String] {
    [taskArgument.task, folder + "/model.safetensors", folder + "/policy.safetensors"]
      + [policyOptions.policy].compactMap { $0 } + task.logs + task.heldOutLogs
  }
}

extension ExportFormat: ExpressibleByArgument {}
