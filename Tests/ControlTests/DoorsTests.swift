// SPDX-License-Identifier: Apache-2.0
// The doors to other tools, as users walk through them: a task proposed from logs, converter programs, the Python package.

import Bagel
import Draws
import Foundation
import MachineLogs
import TestSupport
import Testing

private let checkout =
  URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
  .deletingLastPathComponent().path

@Suite("doors")
struct DoorsTests {
  /// Rows of a driven lag, each as `row` writes its time, angle, rate and command.
  private func rows(_ count: Int, seed: UInt64, _ row: (Double, Double, Double, Double) -> String)
    -> String
  {
    let key = DrawKey(seed: seed)
    var (x, v, u) = (0.0, 0.0, 0.0)
    return (0..<count).map { k in
      if k % 12 == 0 { u = key.uniforms(particle: 0, step: k, count: 1)[0] * 2 - 1 }
      let text = row(0.05 * Double(k), x, v, u)
      v += 0.05 * (6 * u - 2 * v)
      x += 0.05 * v
      return text
    }.joined(separator: "\n") + "\n"
  }

  @Test("a proposed task is one that fit takes, with roles, units, rates and angles found")
  func proposal() throws {
    let folder = try Scratch.folder()
    func write(
      _ name: String, _ head: String, seed: UInt64,
      _ row: (Double, Double, Double, Double) -> String
    ) throws {
      try (head + "\n" + rows(300, seed: seed, row))
        .write(toFile: "\(folder)/\(name)", atomically: true, encoding: .utf8)
    }
    // An angle in degrees that wraps, its rate, words, a counter, a constant; the command has a telling name.
    func wrapped(_ radians: Double) -> Double {
      let degrees = (180 / Double.pi * radians).truncatingRemainder(dividingBy: 360)
      return degrees < 0 ? degrees + 360 : degrees
    }
    for (name, seed) in [("run_1.csv", UInt64(1)), ("run_2.csv", 2), ("test_3.csv", 3)] {
      try write(name, "Time [ms];yaw [deg];omega [deg/s];mode;count;supply;motor cmd", seed: seed) {
        t, x, v, u in
        let numbers = [wrapped(4 * x), 4 * 180 / Double.pi * v, u].map {
          String(format: "%.6f", $0)
        }
        return
          "\(Int((1_000 * t).rounded()));\(numbers[0]);\(numbers[1]);AUTO;\(Int(20 * t));24;\(numbers[2])"
      }
    }
    let made = try bagel(
      ["new", "yaw", "--from", "run_1.csv", "run_2.csv", "test_3.csv", "--json"], in: folder)
    #expect(made.status == 0, "\(made.errors)")
    let text = try String(contentsOfFile: folder + "/yaw.yaml", encoding: .utf8)
    for part in [
      "timeStep: 0.05\n", "timeColumn: \"Time [ms]\"",
      "{name: yaw, column: \"yaw [deg]\", units: deg}", "its rate is 'omega'",
      "{name: motor_cmd, column: \"motor cmd\", limits: [", "safe: 0.0",
      "# left out: mode contains words", "# left out: count counts rows or time",
      "# left out: supply does not change", "heldOut:\n  - test_3.csv", "angles: [yaw]",
    ] {
      #expect(text.contains(part), "\(part) in\n\(text)")
    }
    #expect(!text.contains("rateOf"))
    let fit = try bagel(["fit", "yaw.yaml", "--json"], in: folder)
    #expect(fit.status == 0, "\(fit.errors)")
    #expect(fit.json["states"] as? [String] == ["yaw", "omega"])
    #expect((fit.json["heldOut"] as? [String: Any])?["rmse"] is [Double])
    #expect(try bagel(["new", "yaw", "--from", "run_1.csv"], in: folder).status == 1)

    // No name says it: the command is what follows from nothing else. Names that YAML reads otherwise, and a hole.
    try write("plain.csv", "time,y,\"no: #1\"", seed: 5) { t, x, _, u in
      "\(t),\(t == 3 ? "" : String(format: "%.6f", x)),\(u)"
    }
    let plain = try bagel(["new", "plain", "--from", "plain.csv"], in: folder)
    #expect(plain.status == 0 && plain.output.contains("depends least"), "\(plain.errors)")
    let other = try String(contentsOfFile: folder + "/plain.yaml", encoding: .utf8)
    #expect(other.contains("{name: \"y\", missing: drop}") && other.contains("rateOf: \"y\""))
    #expect(other.contains("column: \"no: #1\""))
    let second = try bagel(["fit", "plain.yaml", "--json"], in: folder)
    #expect(second.status == 0, "\(second.errors)")
    #expect(try bagel(["new", "one", "--from", "nowhere.csv"], in: folder).status == 65)
    #expect(try bagel(["new", "one", "--time-step", "1"], in: folder).status == 64)
  }

  @Test("a converter on the command line and one in a task give what the CSV file gives")
  func converter() throws {
    let folder = try Scratch.folder()
    let body = rows(200, seed: 4) { t, x, _, u in "\(t),\(x),\(u)" }
    try ("t,x,u\n" + body).write(toFile: folder + "/plain.csv", atomically: true, encoding: .utf8)
    try body.replacingOccurrences(of: ",", with: " ")
      .write(toFile: folder + "/odd file.dat", atomically: true, encoding: .utf8)
    try "echo t,x,u; tr ' ' ',' < \"$1\"\n"
      .write(toFile: folder + "/convert.sh", atomically: true, encoding: .utf8)
    try """
    name: converted
    timeStep: 0.05
    states: [{name: x}]
    actions: [{name: u, limits: [-1, 1]}]
    logs: [{file: 'odd file.dat', process: [sh, convert.sh]}]
    """.write(toFile: folder + "/converted.yaml", atomically: true, encoding: .utf8)
    let options = [
      "--states", "x", "--actions", "u", "--time-step", "0.05", "--rates", "none", "--json",
    ]
    let plain = try bagel(["fit", "--log", "plain.csv"] + options, in: folder)
    for converter in [["sh", "convert.sh"], ["sh convert.sh"]] {
      let converted = try bagel(
        ["fit", "--log", "odd file.dat"] + options + ["--converter"] + converter, in: folder)
      #expect(converted.status == 0, "\(converted.errors)")
      #expect(
        converted.json["modelFingerprint"] as? String == plain.json["modelFingerprint"] as? String)
    }
    let task = try bagel(["fit", "converted.yaml", "--json"], in: folder)
    #expect(task.status == 0 && task.json["transitions"] as? Int ?? 0 > 180, "\(task.errors)")
    try "echo t,x,u; echo 'cannot read it' >&2; exit 4\n"
      .write(toFile: folder + "/convert.sh", atomically: true, encoding: .utf8)
    let failed = try bagel(["fit", "converted.yaml"], in: folder)
    #expect(failed.status == 65)
    #expect(failed.errors.contains("exit code 4: cannot read it"), "\(failed.errors)")
  }

  @Test("--quiet says nothing but warnings and errors, and the shells' scripts are written")
  func habits() throws {
    let folder = try Scratch.folder()
    try ("t,x,u\n" + rows(100, seed: 4) { t, x, _, u in "\(t),\(x),\(u)" })
      .write(toFile: folder + "/log.csv", atomically: true, encoding: .utf8)
    let quiet = try bagel(
      [
        "fit", "--log", "log.csv", "--states", "x", "--actions", "u", "--time-step", "0.05",
        "--quiet",
      ],
      in: folder)
    #expect(quiet.status == 0 && quiet.output.isEmpty)
    #expect(
      quiet.errors.split(separator: "\n").allSatisfy { $0.contains("warning:") }, "\(quiet.errors)")
    for shell in ["bash", "zsh", "fish"] {
      let script = try bagel(["completions", shell], in: folder)
      #expect(
        script.status == 0 && script.output.contains("optimize")
          && script.output.contains("held-out") && script.output.contains("figure2"))
    }
  }

  @Test("the examples of converters read their formats, and refuse what they cannot")
  func examples() throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, the converters of Examples/logs are not run")
    }
    let result = try run(python, [checkout + "/Examples/logs/check.py"])
    #expect(result.status == 0, "\(result.output)\(result.errors)")
    #expect(!result.output.contains("skipped"), "\(result.output)")
  }

  @Test("the Python package's own tests")
  func python() throws {
    guard let python = testPython else {
      return print("skipped: no BAGEL_PYTHON, the Python package is not tested")
    }
    // One that hangs is to fail, and to say where.
    let script = """
      import faulthandler, sys, unittest
      faulthandler.dump_traceback_later(400, exit=True)
      unittest.main(module=None, argv=["unittest", "discover", "-s", sys.argv[1]])
      """
    let result = try run(
      python, ["-c", script, checkout + "/Python/tests"],
      environment: [
        "BAGEL": bagelBinary, "PYTHONPATH": checkout + "/Python", "PYTHONDONTWRITEBYTECODE": "1",
      ])
    #expect(result.status == 0, "\(result.output)\(result.errors)")
  }
}
