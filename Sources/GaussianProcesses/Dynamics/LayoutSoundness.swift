// SPDX-License-Identifier: Apache-2.0
// Whether the channels of a layout can be those of a machine: wanted of layouts that come from a model's file, which
// may be damaged. (For a wrong task, its reader has better messages, with the line.)

import MachineLogs
import SafeText
import TensorFiles

extension LogLayout {
  /// Seconds.
  private static let timeSteps = 1e-9...1e9

  /// What is wrong, in words ("a state has no name"), or nil.
  var problem: String? {
    if let problem = namesProblem(states.map(\.name), exogenous.map(\.name)) { return problem }
    guard !actions.isEmpty else { return "it has no action" }
    guard disturbances.allSatisfy({ $0.channel.source == .column && $0.channel.turn == nil })
    else { return "a disturbance of it is derived, or turns round" }
    guard Self.timeSteps.contains(timeStep) else { return "its time step is \(timeStep) s" }
    let columns =
      (states + exogenous).compactMap(\.columnName) + [rewardColumn, timeColumn].compactMap { $0 }
    if let problem = columns.lazy.compactMap(SafeText.problem(ofColumn:)).first {
      return "the name of a column \(problem)"
    }
    let units = (states + exogenous).map(\.units).filter { !$0.isEmpty }
    if let problem = units.lazy.compactMap(SafeText.problem(ofName:)).first {
      return "a unit \(problem)"
    }
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
