// SPDX-License-Identifier: Apache-2.0
// `swift build` in a checkout makes `bagel` alone. Whoever then wants an experiment gets its program built on first use, as `make build`
// does it beforehand.

import Faults
import Foundation

enum ExperimentsBuild {
  /// Builds the program at `path` if it is not there and `own`, this program, stands in the build folder of a checkout. While another
  /// SwiftPM works there (tests that run `bagel` are one), nothing is built.
  ///
  /// - Returns: what may help where the program is missing after this; nil if it is there, or none of these is the cause.
  static func makeIfMissing(_ path: String, beside own: String) -> Remedy? {
    guard !FileManager.default.isExecutableFile(atPath: path), let checkout = checkout(of: own)
    else { return nil }
    if isLocked(checkout + "/.build/.lock") {
      return .text("another build is running in \(checkout): try again when it has ended")
    }
    let arguments = ["make", "-C", checkout, "experiments"]
    Console.error("\(ExperimentsProgram.name) is not built yet; this takes some minutes:")
    Console.error("  \(arguments.joined(separator: " "))")
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.standardError
    guard (try? process.run()) != nil else { return nil }
    process.waitUntilExit()
    return process.terminationStatus == 0 ? nil : .text("building it failed, as said above")
  }

  /// The checkout in whose release build a program stands.
  private static func checkout(of program: String) -> String? {
    var folder = URL(fileURLWithPath: program).deletingLastPathComponent()
    guard folder.lastPathComponent == "release" else { return nil }
    while folder.path != "/" && folder.lastPathComponent != ".build" {
      folder.deleteLastPathComponent()
    }
    folder.deleteLastPathComponent()
    let manifest = folder.appendingPathComponent("Experiments/Package.swift").path
    guard FileManager.default.fileExists(atPath: manifest) else { return nil }
    return folder.path
  }

  /// Whether a process holds SwiftPM's lock.
  private static func isLocked(_ path: String) -> Bool {
    let file = open(path, O_RDWR | O_CLOEXEC)
    guard file >= 0 else { return false }
    defer { close(file) }
    return flock(file, LOCK_EX | LOCK_NB) != 0
  }
}
