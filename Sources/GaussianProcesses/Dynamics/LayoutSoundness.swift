// SPDX-License-Identifier: Apache-2.0
// Whether the channels of a layout can be those of a machine: wanted of layouts that come from a model's file, which
// may be damaged. (What a task says wrong, its reader says better, with the line.)

import MachineLogs
import TensorFiles

extension LogLayout {
  /// Seconds.
  private static let timeSteps = 1e-9...1e9

  /// What is wrong, in words ("a state has no name"), or nil.
  var problem: String? {
    if let problem = namesProblem(states.map(\.name), actions.map(\.name)) { return problem }
    guard Self.timeSteps.contains(timeStep) else { return "its time step is \(timeStep) s" }
    let columns =
      (states + actions).compactMap(\.columnName) + [rewardColumn, timeColumn].compactMap { $0 }
    if columns.contains("") { return "a column has no name" }
    return states.lazy.compactMap { channel -> String? in
      if let turn = channel.turn, !(1e-9...1e9).contains(turn) {
        return "a full turn of '\(channel.name)' is \(turn)"
      }
      guard case .rate(let base, let filterTime) = channel.source else { return nil }
      if base.isEmpty || base == channel.name {
        return "'\(channel.name)' is the rate of '\(base)'"
      }
      return (0...1e9).contains(filterTime)
        ? nil : "the filter time of '\(channel.name)' is \(filterTime) s"
    }.first
  }
}
