// SPDX-License-Identifier: Apache-2.0
// The verb `bagel report`, by the real binary: one page of what a folder's commands left, the same one again, and opened where there is a
// display.

import Bagel
import Foundation
import MachineLogs
import Policies
import Tasks
import TestSupport
import Testing

@Suite("bagel report", .serialized)
struct ReportCommandTests {
  private static let quick = """
    name: quick
    timeStep: 0.05
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: valve, limits: [-1, 1]}]
    plant: boom
    explore: {kind: manual, seconds: 20, turningPoints: [-0.6457718, 0.8726646]}
    model: {covariance: squared-exponential, mean: linear, stateHistory: 0, sampler: tabulated, tablePoints: 4000}
    policy: {layers: [4]}
    reward: [{saturating: {weights: [10, 0.1]}}, {actionChange: 0.5}]
    start: [-0.6, 0]
    goal: [0, 0]
    optimise: {particles: 16, horizon: 40, iterations: 10, starts: 1}
    evaluate: {episodes: 3, seconds: 3, settle: 1, tolerance: 0.001, startSpread: 0.3}
    """

  private func text(_ path: String) throws -> String {
    try String(contentsOfFile: path, encoding: .utf8)
  }

  @Test(
    "it makes one page of what the commands left, with the former version beside, and the same one again"
  )
  func folder() throws {
    let folder = try Scratch.folder()
    try Self.quick.write(toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
    let empty = try bagel(["report", "quick.yaml"], in: folder)
    #expect(empty.status == 65 && empty.errors.contains("nothing to report yet"), "\(empty.errors)")
    for arguments in [
      ["fit"], ["optimize"], ["optimize", "--seed", "5"], ["use", "3"],
    ] {
      let outcome = try bagel([arguments[0], "quick.yaml"] + arguments.dropFirst(), in: folder)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    let evaluated = try bagel(
      ["evaluate", "quick.yaml", "--no-rival", "--vary", "0.1", "--seed", "8", "--json"], in: folder
    )
    #expect([0, 2].contains(evaluated.status), "\(evaluated.errors)")
    let former = try #require(evaluated.json["former"] as? [String: Any], "\(evaluated.errors)")
    #expect(former["version"] as? Int == 2 && former["episodes"] as? Int == 3)

    let output = folder + "/quick-out"
    let made = try bagel(["report", "quick.yaml", "--json"], in: folder)
    #expect(made.status == 0, "\(made.errors)")
    #expect(
      made.json["sources"] as? [String] == [
        "report-fit.json", "report-optimize.json", "report-evaluate.json",
      ])
    #expect((made.json["paths"] as? [String: String])?["report"] == "quick-out/report.html")
    let page = try text(output + "/report.html")
    for words in [
      "BAGEL \(bagelVersion)", "<td>seed</td><td>8</td>", "version 3, the current one",
      "network, 1 hidden layer of 4 units", "boom, simulated by BAGEL",
      "each parameter within 10 % of its value", "<td>episodes</td><td>3</td>", "tabulated, ",
      "former policy, version 2", "<h2>Versions of the policy</h2>", "<h2>Policy</h2>",
      "<h2>Model</h2>", "Each start and goal apart", "Beside the former policy:",
      "Why episodes failed:",
      "angle is up to ",
    ] {
      #expect(page.contains(words), "\(words)")
    }
    #expect(!page.contains("not the one of this page"))
    #expect(try bagel(["report", "quick.yaml"], in: folder).status == 0)
    #expect(try text(output + "/report.html") == page)
    // With the last command's part alone it is that command's page.
    for name in ["report-fit.json", "report-optimize.json"] {
      try FileManager.default.removeItem(atPath: output + "/" + name)
    }
    #expect(try bagel(["report", "quick.yaml"], in: folder).status == 0)
    #expect(try text(output + "/report.html") == text(output + "/report-evaluate.html"))
    // Another current policy is no longer the page's.
    #expect(try bagel(["use", "quick.yaml", "2"], in: folder).status == 0)
    #expect(try bagel(["report", "quick.yaml"], in: folder).status == 0)
    #expect(
      try text(output + "/report.html").contains(
        "The current policy is version 2, not the one of this page."))
    // Without any part the files say what they know.
    try FileManager.default.removeItem(atPath: output + "/report-evaluate.json")
    let bare = try bagel(["report", "quick.yaml"], in: folder)
    #expect(bare.status == 0 && bare.output.contains("made from policy.safetensors"))
    #expect(try text(output + "/report.html").contains("Its return on its model is "))
    // A part that somebody broke is left out and named, with what makes it anew.
    try "{\"format\":".write(
      toFile: output + "/report-fit.json", atomically: true, encoding: .utf8)
    let broken = try bagel(["report", "quick.yaml"], in: folder)
    #expect(broken.status == 0 && broken.output.contains("made from policy.safetensors"))
    #expect(
      broken.errors.contains("warning: left out: ") && broken.errors.contains("report-fit.json")
        && broken.errors.contains("`bagel fit` writes it again"), "\(broken.errors)")
  }

  @Test("--open hands the page to the system's program, and says in words where there is none")
  func open() throws {
    #if os(Linux)
      let folder = try Scratch.folder()
      try QuickPendulum.yaml().write(
        toFile: folder + "/quick.yaml", atomically: true, encoding: .utf8)
      let task = try ControlTask(folder + "/quick.yaml")
      try FileManager.default.createDirectory(
        atPath: folder + "/quick-out", withIntermediateDirectories: true)
      let controller = PolicyController(
        policy: task.makePolicy(), parameters: task.makePolicy().initialParameters(1),
        stateMean: [0, 0], stateScale: [1, 1])
      try controller.write(
        to: folder + "/quick-out/policy.safetensors", description: task.policyDescription)
      func report(_ environment: [String: String]) throws -> Outcome {
        let none = ["DISPLAY": "", "WAYLAND_DISPLAY": "", "WSL_DISTRO_NAME": "", "PATH": folder]
        return try bagel(
          ["report", "quick.yaml", "--open", "--json"], in: folder,
          environment: none.merging(environment) { $1 })
      }
      let blind = try report([:])
      #expect(blind.status == 0 && blind.json["opened"] as? Bool == false)
      #expect(blind.errors.contains("not opened: there is no display here"), "\(blind.errors)")
      let without = try report(["DISPLAY": ":9"])
      #expect(without.status == 0 && without.errors.contains("xdg-open or wslview was not found"))
      let program = folder + "/xdg-open"
      try "#!/bin/sh\necho \"$1\" > \(folder)/opened\n".write(
        toFile: program, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
      let opened = try report(["DISPLAY": ":9"])
      #expect(opened.status == 0 && opened.json["opened"] as? Bool == true, "\(opened.errors)")
      #expect(try text(folder + "/opened").hasSuffix("/quick-out/report.html\n"))
      try "#!/bin/sh\nexit 3\n".write(toFile: program, atomically: true, encoding: .utf8)
      try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: program)
      #expect(try report(["DISPLAY": ":9"]).errors.contains("ended with exit code 3"))
    #endif
  }
}
