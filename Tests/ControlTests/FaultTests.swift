// SPDX-License-Identifier: Apache-2.0
// Every type of error that people read, its words, and the exit code that follows from where its cause lies.

import Bagel
import CodeExport
import Execution
import Faults
import Formulas
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Plants
import PolicySearch
import Samplers
import TensorFiles
import Testing

@Suite("faults")
struct FaultTests {
  /// One of each type: its words, its exit code.
  private static let samples: [(fault: any Fault, words: String, code: Int32)] = [
    (
      LogError(
        file: "a.csv", line: 3, column: "x", "is empty",
        remedy: .either([.text("remove the row"), .missing("drop")])),
      "a.csv:3, column 'x': is empty; remove the row or leave such rows out (missing: drop)", 65
    ),
    (
      LogWritingError(path: "a.csv", reason: "No space left on device"),
      "cannot write the log 'a.csv': No space left on device", 1
    ),
    (
      TensorFileError(path: "m.safetensors", "is damaged", remedy: .fit),
      "m.safetensors: is damaged; learn the model again", 65
    ),
    (
      TensorFileError(path: "m.safetensors", "cannot be written", isWriting: true),
      "m.safetensors: cannot be written", 1
    ),
    (
      FactorizationError.notPositiveDefinite(
        what: "output 2", pivot: 3, size: 10, diagonal: 0.5, jittersTried: [1e-9]),
      "output 2: not positive definite at pivot 3 of 10 (diagonal 0.5); jitters tried: [1e-09]; "
        + "repeated inputs with almost no noise cause this: raise the noise floor", 65
    ),
    (FormulaError("sin wants one argument"), "sin wants one argument", 65),
    (
      ExecutionError.noCompiler(searched: ["/usr/bin/clang"]),
      "no clang found to compile the rollout kernel; looked for /usr/bin/clang; install clang (Debian, Ubuntu: "
        + "apt-get install clang; macOS: xcode-select --install), set its path with BAGEL_CLANG=/path/to/clang or use "
        + "the device interpreter", 1
    ),
    (
      GridError("kiss-gp needs a grid", remedy: .fewerInputs),
      "kiss-gp needs a grid; use the sampler love, sparse or exact, or fewer features or a shorter history",
      65
    ),
    (
      UnsuitableSampler("5 inputs are too many", remedy: .samplers(["love", "sparse"])),
      "5 inputs are too many; use the sampler love or sparse", 65
    ),
    (SearchError("the return is not finite"), "the return is not finite", 65),
    (CannotExport("ONNX has no word for it"), "ONNX has no word for it", 65),
    (PlantFailure(plant: "p.py", "did not answer"), "plant 'p.py': did not answer", 65),
    (OutputError("cannot write out"), "cannot write out", 1),
    (PlotFailure.notFound, "gnuplot was not found (apt-get install gnuplot-nox)", 1),
    (NoFormerPolicy("there is no other version"), "there is no other version", 65),
    (CannotPropose("nothing is unknown"), "nothing is unknown", 65),
    (
      LoopError(
        "the loop has another seed", remedy: .either([.loopOptions(seed: 3, spread: 0), .afresh])),
      "the loop has another seed; use the seed 3 and the spread 0.0 or start from the beginning, which moves the folder away",
      65
    ),
    (
      CannotSimulate("the model reads ahead", remedy: .newTask(fromLogs: true)),
      "the model reads ahead; write a task file from the logs, then fit it", 65
    ),
    (SimulatedSession.Misunderstood("'seed' is a number"), "'seed' is a number", 65),
  ]

  /// Those that only their own target makes, with the suite that meets them.
  private static let elsewhere: Set = [
    "CUDAFailure",  // CUDA failures
    "EpisodeFailure", "StaleMeasurement", "ControllerFailure",  // machines are left safe
    "BadCall", "BadNumbers",  // the library for C
    "Failure",  // of an FMU's compiler (FMUs), of the program that shows a report (bagel report)
    "CannotMatchMoments", "ReproductionError",  // moment matching, figure 2
    "NoExperimentsProgram",  // command line
  ]

  @Test("their words and exit codes")
  func words() {
    for (fault, words, code) in Self.samples {
      #expect("\(fault)" == words)
      #expect(fault.origin.exitCode == code, "\(fault)")
    }
  }

  /// Swift files of a folder and below.
  private func texts(_ folder: String) throws -> [(path: String, text: String)] {
    let sources = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .deletingLastPathComponent().deletingLastPathComponent().appendingPathComponent(folder)
    let files = try #require(FileManager.default.enumerator(atPath: sources.path))
    return try files.compactMap { $0 as? String }.filter { $0.hasSuffix(".swift") }.map {
      ($0, try String(contentsOf: sources.appendingPathComponent($0), encoding: .utf8))
    }
  }

  @Test("every type of error is here, and no library names a flag of the command")
  func complete() throws {
    let sources = try texts("Sources") + texts("Experiments/Sources")
    #expect(sources.count > 300)
    let types = sources.flatMap { _, text in
      text.matches(of: #/(?:struct|enum|class) (\w+): (?:[^{]*\b)?Fault\b/#)
        .map { String($0.output.1) }
    }
    let known = Set(Self.samples.map { "\(type(of: $0.fault))" }).union(Self.elsewhere)
    #expect(Set(types) == known)
    // Figure 5 calls the command.
    let commands = ["BagelCommand/", "ExperimentsCommand/", "Reproduction/Figures/Figure5.swift"]
    for (path, text) in sources where !commands.contains(where: path.hasPrefix) {
      for line in text.split(separator: "\n") {
        let code = line.trimmingCharacters(in: .whitespaces)
        guard !code.hasPrefix("//"), code.contains("\"") else { continue }
        let flags = code.matches(of: #/(?:^|[ (`"'])(--[a-z][a-z-]+)/#).map { String($0.output.1) }
        for flag in flags where !Self.ofOthers.contains(flag) && !code.contains("var(\(flag)") {
          Issue.record("\(path) names \(flag): \(code)")
        }
      }
    }
  }

  /// Options of compilers and of package managers.
  private static let ofOthers: Set = [
    "--std", "--ptxas-options", "--disable-warnings", "--gpu-architecture", "--version",
    "--install", "--addon", "--enable", "--axis",
  ]
}
