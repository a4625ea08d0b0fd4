// SPDX-License-Identifier: Apache-2.0
// What a model predicts over the horizon, in words and as keys of the JSON contract.

import Bagel
import Foundation
import MachineLogs
import ModelChoice

extension ResidualFigures {
  var json: [String: Any] {
    [
      "state": state, "fit": fit.isFinite ? fit : NSNull(), "autocorrelation": own.value,
      "autocorrelationRows": own.rows, "commandCorrelation": command.value,
      "commandCorrelationRows": command.rows, "command": command.command, "bound": bound,
      "delayRows": delay,
    ]
  }

  /// "force: the run over the whole log explains 88 %; errors one step ahead go with those 3 rows before (0.21), ..."
  var sentence: String {
    var words: [String] = []
    if fit.isFinite {
      words.append("the simulation of whole held-out episodes fits to \(number(fit)) %")
    }
    let found = [
      abs(own.value) > bound
        ? "with the errors \(counted(own.rows, "row")) before (\(number(own.value)))" : nil,
      abs(command.value) > bound
        ? "with '\(command.command)' \(counted(command.rows, "row")) before (\(number(command.value)))"
        : nil,
    ].compactMap { $0 }
    words.append(
      found.isEmpty
        ? "errors one step ahead are white and not correlated with a command"
        : "errors one step ahead correlate " + found.joined(separator: " and "))
    return "\(state): " + words.joined(separator: "; ")
  }
}

extension HorizonFigures {
  var json: [String: Any] {
    [
      "states": states.map(\.name), "steps": rows.map(\.steps), "starts": rows.map(\.starts),
      "rmse": rows.map(\.rmse), "crps": rows.map(\.crps), "coverage95": rows.map(\.coverage95),
      "referenceRMSE": rows.map(\.referenceRMSE), "referenceCRPS": rows.map(\.referenceCRPS),
      "verdict": verdict,
    ]
  }

  /// The verdict, then a table: error, its ratio to the references', coverage, by horizon.
  func describe(_ console: Console, hasWarnings: Bool) {
    console.say(
      "may a controller be searched on this model? \(verdict)"
        + (hasWarnings ? " (see the warnings above)" : ""))
    guard !rows.isEmpty else { return }
    func row(_ head: String, _ cells: [String]) -> String {
      "  " + head.padding(toLength: 30, withPad: " ", startingAt: 0)
        + cells.map { String(repeating: " ", count: max(0, 9 - $0.count)) + $0 }.joined()
    }
    console.say(row("held out, steps ahead", rows.map { "\($0.steps)" }))
    for (s, channel) in states.enumerated() {
      let units = channel.units.isEmpty ? "" : ", \(channel.units)"
      console.say(row("\(channel.name): RMSE\(units)", rows.map { number($0.rmse[s]) }))
      console.say(
        row("  CRPS over the references'", rows.map { number($0.crps[s] / $0.referenceCRPS[s]) }))
      console.say(
        row("  in the 95 % band", rows.map { "\(Int((100 * $0.coverage95[s]).rounded())) %" }))
    }
  }
}
