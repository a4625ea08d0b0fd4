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
      c            one C99 file without dependencies: derived rates, normalisation, limits, memory inside
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
    let folder = try common.folder(for: task)
    let (controller, _) = try policyOptions.read(for: task, in: folder)
    let export = ExportedController(controller, layout: task.layout, name: task.name)
    let path = file ?? "\(folder)/controller.\(format.rawValue)"
    let data = try export.data(format)
    do {
      try data.write(to: URL(fileURLWithPath: path), options: .atomic)
    } catch {
      throw OutputError(path: path, error)
    }
    console.say("controller: \(path) (\(data.count) bytes)")
    try console.finish(["path": path, "format": format.rawValue, "bytes": data.count])
  }
}

extension ExportFormat: ExpressibleByArgument {}
