// SPDX-License-Identifier: Apache-2.0
// Options that every command has.

import ArgumentParser
import Bagel
import Execution
import Foundation
import GaussianProcesses
import Policies
import SafeText
import Tasks
import TensorFiles

/// --json, --quiet, --seed, --output.
package struct CommonOptions: ParsableArguments {
  @Flag(help: "Print one JSON object as the last line of standard output.")
  package var json = false

  @Flag(name: .shortAndLong, help: "Print only warnings and errors.")
  package var quiet = false

  @Option(help: "Seed of data, policies, draws and noise.")
  package var seed: UInt64 = 0

  @Option(help: "Folder for models, policies and reports (default: the task's name and '-out').")
  package var output: String?

  package init() {}

  package func validate() throws {
    if output == "" { throw ValidationError("--output '' is not a folder name") }
  }

  /// Where the output folder of a task is, there or not.
  func path(for task: ControlTask) -> String { output ?? "\(fileName(task.name))-out" }

  /// The output folder of a task, made if it is not there and held until the command ends.
  ///
  /// Throws: `OutputError`; `LoopError` where another command holds it.
  package func folder(for task: ControlTask) throws -> String { try folder(at: path(for: task)) }

  /// The output folder, at this path unless --output gives another; likewise.
  package func folder(at usual: String) throws -> String {
    let folder = output ?? usual
    try OutputFolders.make(folder)
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw OutputError(
        "cannot write to the folder \(folder); give another with --output")
    }
    try OutputFolders.hold(folder)
    return folder
  }

  /// Writes a report; each command has its own, so that none overwrites another's. Throws: `OutputError`.
  func report(
    _ report: Report, in folder: String, name: String = "report.html", console: Console
  ) throws {
    let path = folder + "/" + name
    let failure = try report.write(to: path, versions: VersionStore(folder: folder))
    console.say("report: \(path)")
    if let failure { console.say("  a picture is missing: \(failure)") }
  }
}

/// --device, of commands that roll out or multiply by large covariances.
struct DeviceOptions: ParsableArguments {
  @Option(
    name: .customLong("device"),
    help:
      "Where kernels run: host (emitted C on all cores), cuda (an NVIDIA GPU), interpreter (slow, no compiler), automatic (a GPU if there is one and the task is large enough)."
  )
  var named = Choice<ExecutionDevice>.automatic

  /// nil for one by the work.
  var device: ExecutionDevice? { named.option }

  /// Finds out before long work whether a device that was asked for is there. Throws: `ExecutionError`, `CUDAFailure`.
  func checkAvailable() throws { try device?.checkAvailable() }
}

/// --tensorboard, of commands that fit or search.
struct TensorBoardOptions: ParsableArguments {
  @Option(
    help:
      "Folder for TensorBoard: return and gradient norm per iteration, fits and results per trial."
  )
  var tensorboard: String?

  /// - Parameter run: a folder of its own within, so that TensorBoard shows runs side by side.
  /// - Throws: `OutputError`.
  func curves(_ run: String? = nil, iterations: Int = 0) throws -> TrainingCurves? {
    guard let tensorboard else { return nil }
    let folder = tensorboard + (run.map { "/" + $0 } ?? "")
    OutputFolders.note(folder)
    do {
      return try TrainingCurves(folder: folder, iterations: iterations)
    } catch {
      throw OutputError(path: "event files in \(tensorboard)", error)
    }
  }
}

/// --policy, of commands that use a controller.
struct PolicyFileOptions: ParsableArguments {
  @Option(help: "Policy file (default: policy.safetensors in the output folder).")
  var policy: String?

  /// The folder with the model and the watch of a policy: of its file, or the output folder, or a version.
  func folder(of description: PolicyDescription, or folder: String) -> String {
    let own = policy.map { URL(fileURLWithPath: $0).deletingLastPathComponent().path }
    return VersionStore(folder: folder).folder(
      ofModel: description.model, besides: [own, folder].compactMap(\.self))
  }

  /// The policy, checked against the task; says if the folder's is one for another model than the folder's.
  ///
  /// Throws: `TensorFileError`.
  func read(
    for task: ControlTask, in folder: String, _ console: Console
  ) throws -> (controller: PolicyController, description: PolicyDescription) {
    let path = policy ?? folder + "/policy.safetensors"
    guard FileManager.default.fileExists(atPath: path) else {
      if policy != nil { throw TensorFileError(path: path, "no such file") }
      throw TensorFileError(
        path: path,
        "no policy yet; `bagel optimize` or `bagel learn` writes one"
          + (FileManager.default.fileExists(atPath: folder + "/learn")
            ? " (those of unfinished loops and seeds are in \(folder)/learn: name one with --policy)"
            : ""))
    }
    func read(_ path: String) throws(TensorFileError) -> (PolicyController, PolicyDescription) {
      try PolicyController.read(path: path, for: task.policyDescription)
    }
    let found: (controller: PolicyController, description: PolicyDescription) =
      try policy == nil
      ? VersionStore(folder: folder).reading(.policy, path, read) : read(path)
    if policy == nil, let words = found.description.otherModel(in: folder) { console.say(words) }
    let wanted = task.policyDescription
    if found.description.form != wanted.form
      || found.description.inputs.integrated.isEmpty != wanted.inputs.integrated.isEmpty
    {
      console.say(
        "the policy has another form than the task's: it has \(found.description.formWords), the task \(wanted.formWords)"
      )
    }
    return found
  }
}

/// How particles are laid over a GPU, for those who measure; by size unless --lanes is given.
package struct LayoutOptions: ParsableArguments {
  @Option(help: "Lanes per particle on a GPU: 1, 2, 4, 8, 16 or 32 (default: by size).")
  package var lanes: Int?
  @Option(help: "Particles per lane on a GPU: 1, 2, 4 or 8; more than one needs --lanes 32.")
  package var particlesPerLane = 1
  @Option(
    help: "Warps that share particles on a GPU: 1, 2, 4 or 8; more than one needs --lanes 32.")
  package var warps = 1

  package init() {}

  package var schedule: CUDASchedule? {
    lanes.map { CUDASchedule(lanes: $0, particlesPerLane: particlesPerLane, warps: warps) }
  }

  package func validate() throws {
    guard let lanes else {
      if particlesPerLane != 1 || warps != 1 {
        throw ValidationError("--particles-per-lane and --warps need --lanes 32")
      }
      return
    }
    guard [1, 2, 4, 8, 16, 32].contains(lanes), [1, 2, 4, 8].contains(particlesPerLane),
      [1, 2, 4, 8].contains(warps), lanes == 32 || particlesPerLane == 1 && warps == 1
    else {
      throw ValidationError(
        "--lanes \(lanes) --particles-per-lane \(particlesPerLane) --warps \(warps) is not a layout: lanes are 1, 2, "
          + "4, 8, 16 or 32; the others are 1, 2, 4 or 8, and 1 unless lanes are 32")
    }
  }
}

/// The two that also name a task.
package struct TaskArgument: ParsableArguments {
  @Argument(help: "A task file, or a built-in task: \(BuiltInTasks.names.joined(separator: ", ")).")
  package var task: String

  package init() {}

  /// The task with the seed of the command line.
  package func load(seed: UInt64) throws -> ControlTask {
    var task = try ControlTask(task)
    task.search.seed = seed
    return task
  }
}

/// Column names of a list such as "angle, rate".
package func columnNames(_ list: String) -> [String] {
  list.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
}

/// Whether the text is a list of layer widths such as 64,64.
package func isListOfWidths(_ text: String) -> Bool {
  text.split(separator: ",", omittingEmptySubsequences: false)
    .allSatisfy { (1...100_000).contains(Int($0) ?? 0) }
}

/// A name among those that there are, or `automatic`.
package struct Choice<Named>: ExpressibleByArgument, Sendable
where Named: RawRepresentable & CaseIterable & Sendable, Named.RawValue == String {
  /// nil for `automatic`.
  package let option: Named?
  private static var word: String { "automatic" }

  package static var automatic: Choice { Choice(option: nil) }

  package init(option: Named?) { self.option = option }

  package init?(argument: String) {
    option = Named(rawValue: argument)
    if option == nil && argument != Self.word { return nil }
  }

  package static var allValueStrings: [String] { [word] + Named.allCases.map(\.rawValue) }
  package var defaultValueDescription: String { option?.rawValue ?? Self.word }
}

extension ExecutionDevice: ExpressibleByArgument {}
extension FitCriterion: ExpressibleByArgument {}

extension PolicyDescription {
  /// "policy.layers: [8, 8], integral"
  fileprivate var formWords: String {
    form.words + (form != .pid && !inputs.integrated.isEmpty ? ", integral" : "")
  }
}
