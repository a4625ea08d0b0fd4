// SPDX-License-Identifier: Apache-2.0
// No input makes a message long, reading slow or a search run out of memory.

import Bagel
import Foundation
import GaussianProcesses
import MachineLogs
import Policies
import SafeText
import Tasks
import TensorFiles
import TestSupport
import Testing

private let valid = SmallTask.yaml
private func message(_ from: String, _ to: String) -> String {
  SmallTask.message(from, to)
}

@Suite("limits of tasks")
struct TaskLimitTests {
  @Test("problems of YAML are one line with the place, in plain words")
  func syntax() {
    func problem(_ text: String) -> String { SmallTask.problem(text) }
    #expect(
      problem("name: a\nstates:\n\t- {name: x}")
        == "t.yaml:3:1: is not YAML: a tab is used here; YAML indents with blanks, not tabs")
    #expect(
      problem("a: 1\nname: [1, 2\nb: 2")
        == "t.yaml:3:2: is not YAML: a ',' or ']' is missing in a list (see line 2)")
    #expect(problem("name: a: b").contains("t.yaml:1:8: is not YAML: a ':' is not allowed here"))
    #expect(
      message("timeStep: 0.1", "timeStep: 0,05")
        == "t.yaml:2: 'timeStep' must be a number, not '0,05'; write 0.05: YAML decimals are points"
    )
    #expect(
      message("name: x, units: m}", "name: x, noise: 0,05}").contains(
        "a decimal number is written with a point"))
    #expect(message("timeStep: 0.1", "timeStep: .inf").contains("must be a finite number"))
  }

  @Test("no input makes a message long, of several lines, or turns a terminal's writing")
  func messages() {
    let long = String(repeating: "x", count: 5_000)
    for text in [
      valid.replacingOccurrences(of: "timeStep: 0.1", with: "timeStep: \(long)"),
      valid.replacingOccurrences(of: "timeStep: 0.1", with: "timeStep: \"1\\n2\\e[31m\\u202E\""),
      valid.replacingOccurrences(of: "logs:", with: "\(long):"),
      valid.replacingOccurrences(of: "logs:", with: "\"a\\nb\\e[2J\":"),
      valid.replacingOccurrences(of: "goal:", with: "model: {mean: \(long)}\ngoal:"),
      valid.replacingOccurrences(of: "{saturating: {weights: [1, 0]}}", with: "{formula: \(long)}"),
      valid.replacingOccurrences(of: "rateOf: x", with: "rateOf: v"),
      valid.replacingOccurrences(of: "name: v", with: "name: \(long)").replacingOccurrences(
        of: "name: u", with: "name: \(long)"),
    ] {
      let error = #expect(throws: LogError.self) {
        try ControlTask(yaml: text, file: "t.yaml", folder: ".")
      }
      let words = error.map { "\($0)" } ?? ""
      #expect(words.count <= 300 && words.hasPrefix("t.yaml"), "\(words)")
      #expect(!words.contains("\n") && !words.contains("\u{1B}") && !words.contains("\u{202E}"))
    }
    let path = LogError(file: "/tmp/\(long)/log.csv", line: 3, column: "a\u{7}b", "is wrong")
    #expect("\(path)".hasSuffix("x/log.csv:3, column 'a\\u{7}b': is wrong"))
    #expect(
      shortened("a\u{301}" + String(repeating: "\u{301}", count: 500)).unicodeScalars.count == 60)
  }

  @Test("bombs of aliases, nesting and length are refused in a moment")
  func bombs() {
    func laughs(_ aliases: Int) -> String {
      var text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
      for (from, to) in zip("abcdefghi", "bcdefghij") {
        let list = Array(repeating: "*\(from)", count: aliases).joined(separator: ", ")
        text += "\(to): &\(to) [\(list)]\n"
      }
      return text
    }
    for (text, words) in [
      (laughs(10), "90 aliases (*), more than 10 and 50"),
      (laughs(5), "expands to more than 100000 values"),
      ("name: " + String(repeating: "[", count: 100_000), "more than 100 lists and mappings"),
      ("a:\n" + String(repeating: "- ", count: 100_000) + "x", "at most 500 of indentation"),
      (
        (0..<1_000).map { String(repeating: " ", count: $0) + "a:" }.joined(separator: "\n"),
        "t.yaml:502"
      ),
      ("# " + String(repeating: "x", count: 1 << 20), "a task file may have at most 1048576"),
    ] {
      let start = ContinuousClock.now
      let error = #expect(throws: LogError.self) {
        try ControlTask(yaml: text, file: "t.yaml", folder: ".")
      }
      #expect(error.map { "\($0)" }?.contains(words) == true, "\(error as Any)")
      #expect(start.duration(to: .now) < .seconds(5))
    }
    // A star in a formula is no alias.
    let stars = Array(repeating: "2 *x", count: 60).joined(separator: " + ")
    #expect(message("{saturating: {weights: [1, 0]}}", "{formula: \(stars)}") == "no error")
  }

  @Test("a search without room in memory is refused with the bytes and the keys to lower")
  func memory() throws {
    func check(_ optimise: String, _ policy: String = "{layers: [8, 8]}") throws -> String? {
      try ControlTask(
        yaml: valid + "\noptimise: \(optimise)\npolicy: \(policy)", file: "t.yaml", folder: "."
      ).checkSearch(device: .host)
    }
    #expect(try check("{particles: 100, horizon: 300}") == nil)
    let wide = #expect(throws: LogError.self) {
      try check("{particles: 10000000, horizon: 1000000}")
    }
    // Two states and an action in double and single precision are most of it: 1e13 particle-steps of 36 bytes.
    let bytes = wide?.problem.firstMatch(of: try Regex(#"\((\d+) bytes\)"#))?.output[1].substring
    #expect(bytes.flatMap { Double($0) } ?? 0 > 3.6e14)
    #expect(
      wide?.problem.contains("optimise.particles (10000000) or optimise.horizon (1000000)") == true,
      "\(wide as Any)")
    let network = #expect(throws: LogError.self) {
      try check(
        "{particles: 100}",
        "{layers: [\(Array(repeating: "4096", count: 400).joined(separator: ", "))]}")
    }
    #expect(network?.problem.contains("lower the policy's size (policy.layers") == true)
    #expect(try check("{particles: 1000000, horizon: 60}")?.contains("GB of memory") == true)
  }

  @Test("a policy or model file of another format version names both")
  func versions() throws {
    let path = Scratch.path("old.safetensors")
    try TensorFile(tensors: [:], metadata: ["format": "bagel-policy-2"]).write(to: path)
    let policy = #expect(throws: TensorFileError.self) { try PolicyController.read(path: path) }
    #expect(
      policy?.problem
        == "has the format bagel-policy-2, but this version of bagel reads bagel-policy-4")
    #expect(policy?.remedy == .optimize)
    let model = #expect(throws: TensorFileError.self) { try DynamicsModel(path: path) }
    #expect(
      model?.problem == "is a policy (bagel-policy-2); a model is expected")
  }
}
