// SPDX-License-Identifier: Apache-2.0
// A task of a few lines, and what is said of it with one of them changed.

import Bagel
import Tasks

enum SmallTask {
  static let yaml = """
    name: test
    timeStep: 0.1
    states:
      - {name: x, units: m}
      - {name: v, units: m/s, rateOf: x}
    actions:
      - {name: u, limits: [-1, 2]}
    logs: [a.csv]
    reward: {saturating: {weights: [1, 0]}}
    start: [0, 0]
    goal: {lower: [0, 0], upper: [1, 0]}
    """

  /// The problem of a text, as `t.yaml`, or "no error".
  static func problem(_ text: String) -> String {
    do {
      _ = try ControlTask(yaml: text, file: "t.yaml", folder: ".")
      return "no error"
    } catch {
      return "\(error)"
    }
  }

  /// The same with something replaced.
  static func message(_ from: String, _ to: String) -> String {
    problem(yaml.replacingOccurrences(of: from, with: to))
  }
}
