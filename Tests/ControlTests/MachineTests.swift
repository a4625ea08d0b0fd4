// SPDX-License-Identifier: Apache-2.0
// The real binary on machines that misbehave and under signals: Tests/Machines, in Python.

import Foundation
import TestSupport
import Testing

/// Runs a script of Tests/Machines on the built binary.
private func machines(_ script: String, _ arguments: [String]) throws -> Outcome {
  let python = ProcessInfo.processInfo.environment["BAGEL_PYTHON"] ?? ""
  let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().appendingPathComponent("Machines").path
  return try run(
    "/usr/bin/env",
    [python.isEmpty ? "python3" : python, "\(folder)/\(script)", bagelBinary] + arguments)
}

@Suite("machines are left safe")
struct MachineTests {
  @Test("every kind of plant ends as it should: code, words, row, processes, time")
  func misbehaviour() throws {
    // Its times are limited, so it does not run beside more tests than there are cores.
    let outcome = try machines("misbehaviour.py", [])
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
  }

  @Test("signals at random moments leave the safe action")
  func endings() async throws {
    let outcome = try await besideOtherTests {
      try machines("endings.py", [isThorough ? "200" : "20", "7"])
    }
    #expect(outcome.status == 0, "\(outcome.output)\(outcome.errors)")
  }
}
