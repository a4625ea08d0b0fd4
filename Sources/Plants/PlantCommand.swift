// SPDX-License-Identifier: Apache-2.0
// The commands to a plant's program: one line of JSON each.

enum PlantCommand {
  static func reset(seed: UInt64) -> String { "{\"command\":\"reset\",\"seed\":\(seed)}\n" }

  /// - Parameter action: [A]
  static func step(_ action: [Double]) -> String {
    "{\"action\":[\(action.map(shortest).joined(separator: ","))],\"command\":\"step\"}\n"
  }

  static let close = "{\"command\":\"close\"}\n"
}
