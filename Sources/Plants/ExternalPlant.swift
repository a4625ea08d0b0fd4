// SPDX-License-Identifier: Apache-2.0
// A plant that is another program: a simulator, or what talks to a real machine. One JSON object a line.
//
//   to it:    {"command":"reset","seed":7}   {"command":"step","action":[..]}   {"command":"close"}
//   from it:  {"state":[..]}, perhaps with "time" (s), "done" (true ends the episode), "reward"
//
// Every reset and step has one answer; what the program prints on standard error is passed on. An answer that is late,
// no JSON, of a wrong length or not finite is a `PlantFailure`.

import Foundation
import MachineLogs

/// A plant behind a pipe.
public final class ExternalPlant: Plant {
  public let states: [Channel]
  public let actions: [Channel]
  public let actionLimits: [ClosedRange<Double>]
  public let timeStep: Double
  /// Seconds for the answer to a step, and to a reset (the first includes the program's start).
  public let timeout: Double
  public let resetTimeout: Double
  /// What is larger is a broken sensor or program; it would spoil the model for good.
  static let largest = 1e9
  private let command: [String]
  private let folder: String
  private var child: ChildProcess?
  private var goesOn: () -> Bool = { true }

  /// - Parameters:
  ///   - command: program, found on PATH, and its arguments.
  ///   - folder: where it runs.
  ///   - states: what it measures, in the order in which it answers.
  ///   - actions: what it is sent, in that order.
  ///   - actionLimits: physical, one an action.
  ///   - timeStep: seconds.
  ///   - timeout: seconds to answer a step.
  ///   - resetTimeout: seconds to answer a reset.
  public init(
    command: [String], folder: String = ".", states: [Channel], actions: [Channel],
    actionLimits: [ClosedRange<Double>],
    timeStep: Double, timeout: Double = 2, resetTimeout: Double = 60
  ) {
    self.command = command
    self.folder = folder
    self.states = states
    self.actions = actions
    self.actionLimits = actionLimits
    self.timeStep = timeStep
    self.timeout = timeout
    self.resetTimeout = resetTimeout
  }

  deinit { child?.end(within: 0) }

  public var name: String { command.joined(separator: " ") }

  public func keepAsking(_ goesOn: @escaping () -> Bool) { self.goesOn = goesOn }

  /// Starts the program if it is not running. Where the episode begins is the plant's business; `state` is ignored.
  ///
  /// Throws: `PlantFailure`.
  public func reset(to state: [Double]?, seed: UInt64) throws -> Measurement {
    if child == nil {
      do {
        child = try ChildProcess(command, in: folder)
      } catch let error as ChildProcess.CannotStart {
        throw PlantFailure(plant: name, "cannot be started: \(error.reason)")
      }
    }
    return try exchange(["command": "reset", "seed": seed], timeout: resetTimeout)
  }

  /// Throws: `PlantFailure`.
  public func step(_ action: [Double]) throws -> Measurement {
    try exchange(["command": "step", "action": action], timeout: timeout)
  }

  /// Sends the safe action and `close`, waits for the program to end (a step's time and a second), then ends it.
  public func close(safeAction: [Double]) {
    guard let child else { return }
    self.child = nil
    for message in [["command": "step", "action": safeAction], ["command": "close"]] {
      if let line = try? line(message) { _ = child.write(line) }
    }
    child.end(within: min(timeout, timeStep) + 1)
  }

  private func line(_ message: [String: Any]) throws -> String {
    let data = try JSONSerialization.data(
      withJSONObject: message, options: [.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self) + "\n"
  }

  private func exchange(_ message: [String: Any], timeout: Double) throws -> Measurement {
    let what = message["command"] as? String ?? ""
    guard let child else { throw PlantFailure(plant: name, "got a \(what) before its reset") }
    if let early = child.unread() {
      throw PlantFailure(
        plant: name, "answered more than once: '\(early.prefix(160))' stood there before a \(what)")
    }
    guard child.write(try line(message)) else {
      throw PlantFailure(plant: name, "has ended (\(child.ending)); it was sent a \(what)")
    }
    switch child.readLine(timeout: timeout, while: goesOn) {
    case .line(let text): return try measurement(text, answerTo: what)
    case .late:
      throw PlantFailure(
        plant: name,
        "did not answer a \(what) within \(timeout) s (every command needs one line "
          + "{\"state\": [..]}, flushed; `\(what == "reset" ? "resetTimeout" : "timeout"):` beside `process:` in the "
          + "task allows more)")
    case .closed:
      throw PlantFailure(
        plant: name, "ended (\(child.ending)) instead of answering a \(what)")
    case .notWaitedFor: throw PlantInterruption()
    }
  }

  /// What a program writes.
  private struct Answer: Decodable {
    var state: [Double]
    var done: Bool?
    var reward: Double?
  }

  private func measurement(_ text: String, answerTo what: String) throws -> Measurement {
    let shown = text.count > 160 ? text.prefix(160) + "..." : text[...]
    let answer: Answer
    do {
      answer = try JSONDecoder().decode(Answer.self, from: Data(text.utf8))
    } catch {
      throw PlantFailure(plant: name, "answered a \(what) with '\(shown)', \(reason(error, text))")
    }
    guard answer.state.count == states.count else {
      throw PlantFailure(
        plant: name,
        "answered \(answer.state.count) states, the task measures \(states.count) "
          + "(\(states.map(\.name).joined(separator: ", "))): \(shown)")
    }
    if let index = answer.state.firstIndex(where: { !(abs($0) <= Self.largest) }) {
      throw PlantFailure(
        plant: name,
        "'\(states[index].name)' is no finite number within +-\(Self.largest) in its answer: \(shown)"
      )
    }
    if let reward = answer.reward, !(abs(reward) <= Self.largest) {
      throw PlantFailure(
        plant: name, "the reward is no finite number within +-\(Self.largest): \(shown)")
    }
    return Measurement(answer.state, isDone: answer.done ?? false, reward: answer.reward)
  }

  /// Why a line is no answer.
  private func reason(_ error: any Error, _ text: String) -> String {
    switch error {
    case DecodingError.keyNotFound: return "which has no list \"state\""
    case DecodingError.typeMismatch(_, let context), DecodingError.valueNotFound(_, let context):
      let key = context.codingPath.first.map { $0.stringValue } ?? ""
      let wanted = ["state": "a list of numbers", "done": "true or false", "reward": "a number"]
      return wanted[key].map { "whose \"\(key)\" is not \($0)" } ?? "which is not one JSON object"
    default:
      let isNotFinite = text.contains("NaN") || text.contains("Infinity")
      return isNotFinite
        ? "which is not finite (and NaN is no JSON)" : "which is not one JSON object"
    }
  }
}
