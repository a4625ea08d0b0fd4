// SPDX-License-Identifier: Apache-2.0
// bagel report: results in the output folder -> report.html, shown in the browser on request.

import ArgumentParser
import Bagel
import Execution
import Faults
import Foundation

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Rebuild the report of the output folder; --open shows it.",
    discussion: """
      One page: the last loop, the last episodes on the plant, the policy, the model. Nothing is computed and nothing is driven: \
      each part is shown as its command saved it (fit, optimize, evaluate, learn, demo). The page marks parts that do not \
      belong together, and shows which policy is the current one.
      """)

  @OptionGroup var taskArgument: TaskArgument
  @Flag(help: "Open the page in the browser.") var open = false
  @OptionGroup var common: CommonOptions

  func run() throws {
    let console = Console(common)
    let task = try taskArgument.load(seed: common.seed)
    let folder = try common.folder(for: task)
    let report = try FolderReport(of: task, in: folder)
    let path = "\(folder)/report.html"
    let failure = try report.write(to: path)
    for words in report.damaged { Console.error("warning: left out: \(words)") }
    console.say("report: \(path)")
    if let failure { console.say("  a picture is missing: \(failure)") }
    console.say("  made from \(report.sources.joined(separator: ", "))")
    var opened: String?
    if open {
      switch Viewer.open(path) {
      case .success(let program): opened = program
      case .failure(let reason): console.say("warning: not opened: \(reason)")
      }
    }
    try console.finish(
      resultJSON([
        "opened": opened != nil, "sources": report.sources, "damaged": report.damaged,
        "paths": ["output": folder, "report": path],
      ]))
  }
}

/// The program that shows files to whoever sits at the screen.
enum Viewer {
  /// Why nothing was opened.
  struct Failure: Fault {
    let statement: String
    var origin: FaultOrigin { .surroundings }
  }

  /// Its name in the order of trying: `open` of macOS is another program elsewhere.
  #if os(macOS)
    private static let names = ["open"]
  #else
    private static let names = ["xdg-open", "wslview"]
  #endif

  /// Gives it a file; it is not waited for longer than it takes to hand the file on.
  static func open(_ path: String) -> Result<String, Failure> {
    #if !os(macOS)
      let environment = ProcessInfo.processInfo.environment
      let hasScreen = ["DISPLAY", "WAYLAND_DISPLAY", "WSL_DISTRO_NAME"].contains {
        !(environment[$0] ?? "").isEmpty
      }
      guard hasScreen else { return .failure(Failure(statement: "there is no display here")) }
    #endif
    guard let program = ProgramSearch.find(names) else {
      return .failure(Failure(statement: "\(names.joined(separator: " or ")) was not found"))
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = [URL(fileURLWithPath: path).path]
    // What the browser says is no output of this command.
    (process.standardInput, process.standardOutput) = (FileHandle.nullDevice, FileHandle.nullDevice)
    process.standardError = FileHandle.nullDevice
    do {
      try process.run()
    } catch {
      return .failure(Failure(statement: "\(program) cannot be started"))
    }
    // One that fails says so at once; one that is the browser itself stays.
    let end = Date().addingTimeInterval(3)
    while process.isRunning, Date() < end { usleep(20_000) }
    guard process.isRunning || process.terminationStatus == 0 else {
      return .failure(
        Failure(statement: "\(program) ended with exit code \(process.terminationStatus)"))
    }
    return .success(program)
  }
}
