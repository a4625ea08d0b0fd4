// SPDX-License-Identifier: Apache-2.0
// The reference of task files, Documentation/TaskFile.md: what a key must be as the code that reads it says, with the words of
// `TaskKey`. Every key that is read has its words, and no words are of a key that nobody reads.

import Bagel
import Foundation
import Tasks
import TestSupport
import Testing

@Suite("the reference of task files")
struct TaskReferenceTests {
  private static let machine = """
    name: witness
    timeStep: 0.1
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: valve, limits: [-1, 1]}]

    """

  /// Tasks that together enter every section in every form.
  private static let witnesses = [
    machine + """
      disturbances: {load: varying, oil: {units: C}}
      quantities: {tip: cos(angle), reach: {formula: sin(angle)}}
      logs: [a.csv, {file: b.csv}]
      heldOut: [{file: c.csv}]
      plant: {process: [python3, plant.py]}
      explore: {kind: manual, turningPoints: [-1, 1]}
      model: {mean: {rate: gain * valve}, constants: {gain: {start: 1}}, inputs: {rate: [rate, valve]}}
      policy: {goal: error}
      reward: [{saturating: {weights: {tip: 1}}}, {quadratic: {weights: {tip: 1}}}, {formula: tip}, {actionChange: 1},
        {learned: {column: score}}]
      constraints: [{quantity: rate, below: 1}]
      start: {lower: [0, 0], upper: [1, 1]}
      goal: {tip: [0, 1]}
      optimise: {particles: 10}
      evaluate: {track: {tip: 0.1}, schedule: {every: 5}, seconds: 20}
      watch: {frozen: warn}
      fallback: hold
      learn: {trials: 2}
      """,
    machine + """
      plant: {name: boom}
      explore: {kind: manual, turningPoints: [[-1, 1]]}
      model: {constants: {}, mean: {rate: valve}}
      reward: [{saturating: {weights: [1, 0]}}, {quadratic: {weights: [1, 0]}}]
      start: {mean: [0, 0], deviation: [1, 1]}
      goal: {lower: [0, 0], upper: [1, 1]}
      evaluate: {tolerance: 0.1, schedule: {at: [0], goals: [[0, 0]]}}
      """,
    machine + """
      plant: boom
      quantities: {tip: cos(angle)}
      picture: [[0, 0], [tip, 1]]
      model: {mean: linear}
      start: {bounds: [angle]}
      goal: {mean: [0, 0], deviation: [1, 1]}
      evaluate: {success: [{measure: abs(angle), below: 0.1}]}
      """,
    machine + """
      start: bounds
      goal: {bounds: [angle]}
      reward: {formula: angle}
      """,
    machine + """
      start: [0, 0]
      goal: {rate: 0}
      model: {mean: {rate: gain * valve}, constants: {gain: free}}
      """,
  ]

  /// Names that the witnesses give.
  private static let ownNames: Set = ["load", "oil", "tip", "reach", "rate", "gain"]

  private static func general(_ key: String) -> String {
    key.split(separator: ".").map { ownNames.contains(String($0)) ? "NAME" : $0 }
      .joined(separator: ".")
  }

  @Test("it is what the code reads, with words for every key")
  func reference() throws {
    let record = TaskKeyRecord()
    for text in Self.witnesses {
      // A task that is refused has asked for its keys until there.
      _ = try? ControlTask(yaml: text, file: "witness.yaml", folder: ".", record: record)
    }
    var kinds: [String: [String]] = [:]
    for (key, found) in record.kinds {
      let key = Self.general(key)
      for kind in found where kinds[key]?.contains(kind) != true {
        kinds[key, default: []].append(kind)
      }
    }
    // A list of mappings is listed as its elements.
    for key in kinds.keys.filter({ kinds[$0 + "[]"] == nil }) {
      let isList = kinds[key]?.contains { $0.hasPrefix("list of") && $0.hasSuffix("mappings") }
      if isList == true, TaskKey.all.contains(where: { $0.key == key + "[]" }) {
        kinds[key + "[]"] = kinds.removeValue(forKey: key)
      }
    }
    let known = Set(TaskKey.all.map(\.key))
    #expect(TaskKey.all.count == known.count, "a key stands twice")
    #expect(
      Set(kinds.keys).subtracting(known).sorted() == [], "keys without words in TaskKeys.swift")
    #expect(known.subtracting(kinds.keys).sorted() == [], "words of keys that nobody reads")

    let plain = try ControlTask(yaml: Self.machine, file: "plain.yaml", folder: ".")
    func cell(_ text: String) -> String { text.replacing("|", with: "\\|") }
    let rows = TaskKey.all.map { key in
      let kind = (kinds[key.key] ?? []).joined(separator: ", or ")
      return
        "| `\(key.key)` | \(cell(kind)) | \(key.unit) | \(key.standard(plain)) | \(cell(key.meaning)) |"
    }
    let text = """
      # The task file

      Every key with its type, unit, default and meaning. `bagel new NAME` writes a file with all keys and examples.

      ## Overview

      A wrong value is refused with file, line and key: `my-boom.yaml:7: 'timeStep' must be from 1e-06 to 100000.0, not '0'`. An unknown key is refused with the nearest known one. `[]` stands for the elements of a list, `NAME` for your own name. A list of one element may be written without brackets. "channel" is the unit of the state or command.

      | key | must be | unit | default | meaning |
      |---|---|---|---|---|
      \(rows.joined(separator: "\n"))

      """
    let path =
      URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent().appendingPathComponent("Documentation/TaskFile.md").path
    let written = try Scratch.kept("TaskFile.md")
    try text.write(toFile: written, atomically: true, encoding: .utf8)
    #expect(
      text == (try? String(contentsOfFile: path, encoding: .utf8)),
      "if the change is meant: cp \(written) \(path)")
  }
}
