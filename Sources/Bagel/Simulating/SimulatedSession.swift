// SPDX-License-Identifier: Apache-2.0
// The plant protocol from the plant's side: lines of commands -> lines of states, for one machine (`action`, `state`) or for many at once
// (`actions`, `states`).

import Faults
import Foundation
import MachineLogs
import SafeText

/// A client's conversation with a simulated machine.
package struct SimulatedSession {
  /// A line that is no command of the protocol.
  package struct Misunderstood: Fault {
    package let statement: String
    package let remedy: Remedy?

    package init(_ statement: String, remedy: Remedy? = nil) {
      (self.statement, self.remedy) = (statement, remedy)
    }
  }

  private let simulator: ModelSimulator
  private let isBatch: Bool
  /// Of the first reset, unless it names one.
  private var seed: UInt64?

  /// - Parameters:
  ///   - simulator: of one machine, unless `isBatch`.
  ///   - isBatch: whether the client drives lists of machines.
  ///   - seed: of starts and noise, until a reset names one.
  package init(_ simulator: ModelSimulator, isBatch: Bool, seed: UInt64) {
    (self.simulator, self.isBatch, self.seed) = (simulator, isBatch, seed)
  }

  /// The answer to a line; nil at the end.
  ///
  /// Throws: `Misunderstood`, `ExecutionError`.
  package mutating func answer(_ line: String) throws -> String? {
    guard let object = try? JSONSerialization.jsonObject(with: Data(line.utf8)),
      let message = object as? [String: Any], let command = message["command"] as? String
    else {
      throw Misunderstood(
        "'\(shortened(line))' is not a command such as {\"command\":\"step\",\"action\":[0]}")
    }
    switch command {
    case "reset": return try reset(message)
    case "step": return try step(message)
    case "close": return nil
    default:
      throw Misunderstood(
        "unknown command '\(shortened(command))'; the commands are reset, step and close")
    }
  }

  private mutating func reset(_ message: [String: Any]) throws -> String {
    if let number = message["seed"] {
      guard let exact = (number as? NSNumber)?.uint64Value else {
        throw Misunderstood("'seed' must be a whole number")
      }
      seed = exact
    }
    let which = message["of"] as? [Int]
    guard message["of"] == nil || isBatch && which != nil,
      which?.allSatisfy({ (0..<simulator.particles).contains($0) }) != false
    else {
      throw Misunderstood(
        "'of' must be a list of numbers from 0 to \(simulator.particles - 1), and needs several particles",
        remedy: isBatch ? nil : .particles)
    }
    let state = try message["state"].map {
      try numbers($0, simulator.model.layout.states.count, "state")
    }
    defer { seed = nil }
    return line(try simulator.reset(which, seed: seed, to: state))
  }

  private func step(_ message: [String: Any]) throws -> String {
    let (key, length) = (isBatch ? "actions" : "action", simulator.model.layout.actions.count)
    let lists: [Any]
    if isBatch {
      guard let given = message[key] as? [Any], given.count == simulator.particles else {
        throw Misunderstood(
          "'actions' must be a list of \(simulator.particles) lists of \(length) numbers")
      }
      lists = given
    } else {
      lists = [message[key] ?? NSNull()]
    }
    return line(try simulator.step(lists.map { try numbers($0, length, key) }))
  }

  private func numbers(_ value: Any, _ count: Int, _ key: String) throws -> [Double] {
    guard let list = value as? [NSNumber], list.count == count else {
      throw Misunderstood("'\(key)' must be a list of \(counted(count, "number"))")
    }
    let numbers = list.map(Self.double)
    guard numbers.allSatisfy({ abs($0) <= ModelSimulator.largestNumber }) else {
      throw Misunderstood("'\(key)' contains a number that is not finite, or beyond 1e9")
    }
    return numbers
  }

  /// Foundation holds a number of 17 digits as a decimal one, whose nearest double it misses: 0.8414709568023682 becomes
  /// 0.8414709568023685. Its digits are right.
  private static func double(_ number: NSNumber) -> Double {
    (number as? NSDecimalNumber).flatMap { Double($0.stringValue) } ?? number.doubleValue
  }

  /// What sensors measure; derived rates follow from it.
  private func line(_ states: [[Double]]) -> String {
    let measured = simulator.measured
    var text = isBatch ? "{\"states\":[" : "{\"state\":"
    for (index, state) in states.enumerated() {
      if index > 0 { text += "," }
      text += "["
      for (place, i) in measured.enumerated() {
        if place > 0 { text += "," }
        text += "\(state[i])"
      }
      text += "]"
    }
    return text + (isBatch ? "]}" : "}")
  }
}
