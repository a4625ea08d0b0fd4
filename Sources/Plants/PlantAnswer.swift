// SPDX-License-Identifier: Apache-2.0
// One line of a plant -> its measurement, or what is wrong with the line in words.
//
//   {"state":[..]}, perhaps with "disturbance":[..], "time" (s), "done" (true ends the episode), "success" (of what it ends), "reward",
//   "override":[..] (the operator's commands, which go to the machine in place of the controller's)
//
// Own parser: Foundation's silently takes the last of two equal keys, does not tell which number is too large, and
// allocates more than the step of a 500 Hz machine should.

import Foundation
import MachineLogs

/// What a program writes.
struct PlantAnswer {
  /// A line that is no answer, and one that is no answer of this plant's.
  struct Unreadable: Error { let reason: String }
  struct Unfit: Error { let reason: String }

  var state: [Double]
  var disturbance: [Double]?
  var override: [Double]?
  var time: Double?
  var reward: Double?
  var isDone = false
  var isSuccess: Bool?

  /// - Parameter line: without its end.
  /// - Throws: `Unreadable`.
  init(_ line: String) throws {
    var reader = JSONReader(line)
    var found: [String: JSONReader.Value] = [:]
    do {
      guard case .object(let pairs) = try reader.document() else {
        throw Unreadable(reason: Self.noObject)
      }
      for (key, value) in pairs where found.updateValue(value, forKey: key) != nil {
        throw Unreadable(reason: "which has \"\(key)\" twice")
      }
    } catch is JSONReader.Malformed {
      let isNotFinite = line.contains("NaN") || line.contains("Infinity")
      throw Unreadable(
        reason: isNotFinite ? "which is not finite (and NaN is no JSON)" : Self.noObject)
    }
    guard let numbers = try Self.numbers("state", found) else {
      throw Unreadable(reason: "which has no list \"state\"")
    }
    state = numbers
    disturbance = try Self.numbers("disturbance", found)
    override = try Self.numbers("override", found)
    func number(_ key: String) throws -> Double? {
      switch found[key] {
      case nil, .null: return nil
      case .number(let value): return value
      default: throw Unreadable(reason: "whose \"\(key)\" is not a number")
      }
    }
    (time, reward) = (try number("time"), try number("reward"))
    func flag(_ key: String) throws -> Bool? {
      switch found[key] {
      case nil, .null: return nil
      case .bool(let value): return value
      default: throw Unreadable(reason: "whose \"\(key)\" is not true or false")
      }
    }
    isDone = try flag("done") ?? false
    isSuccess = try flag("success")
  }

  private static func numbers(
    _ key: String, _ found: [String: JSONReader.Value]
  ) throws -> [Double]? {
    switch found[key] {
    case .numbers(let numbers): return numbers
    case nil,
      .null where key != "state":
      return nil
    default: throw Unreadable(reason: "whose \"\(key)\" is not a list of numbers")
    }
  }

  /// What is larger is a broken sensor or program; it would spoil the model for good.
  private static let largest = 1e9
  /// Of a time, s: seconds since 1970 are far below.
  private static let latest = 1e12

  /// The measurement of these states and disturbances, on a machine with these actions. Throws: `Unfit`.
  func measurement(
    of states: [Channel], _ disturbances: [Channel], actions: [Channel]
  ) throws(Unfit) -> Measurement {
    let names = disturbances.map { "'\($0.name)'" }.joined(separator: ", ")
    if !disturbances.isEmpty, disturbance?.count != disturbances.count {
      throw Unfit(
        reason: (disturbance.map { "answered \($0.count) disturbances" }
          ?? "answered no \"disturbance\"")
          + ", but the task has \(names): {\"state\": [..], \"disturbance\": [..]}")
    }
    guard state.count == states.count else {
      throw Unfit(
        reason: "answered \(state.count) states, but the task measures \(states.count) "
          + "(\(states.map(\.name).joined(separator: ", ")))")
    }
    if let override, override.count != actions.count {
      throw Unfit(
        reason:
          "answered \(override.count) commands as \"override\", but the task has \(actions.count) "
          + "(\(actions.map(\.name).joined(separator: ", ")))")
    }
    let numbers =
      zip((states + disturbances).map { "'\($0.name)'" }, state + (disturbance ?? [])).map {
        ($0, $1)
      }
      + [("the reward", reward ?? 0)] + (override ?? []).map { ("\"override\"", $0) }
    if let wrong = numbers.first(where: { !(abs($0.1) <= Self.largest) }) {
      throw Unfit(
        reason:
          "\(wrong.0) is not a finite number between -\(Self.largest) and \(Self.largest) in its answer"
      )
    }
    if let time, !(abs(time) <= Self.latest) {
      throw Unfit(reason: "\"time\" is not a number of seconds in its answer")
    }
    var measurement = Measurement(state, isDone: isDone, reward: reward, time: time)
    (measurement.isSuccess, measurement.override) = (isSuccess, override)
    if !disturbances.isEmpty { measurement.disturbances = disturbance ?? [] }
    return measurement
  }

  /// A program's text as a message may show it: not long, and nothing in it that a terminal obeys.
  static func shown(_ text: String) -> String {
    let short = text.unicodeScalars.prefix(160).map { scalar in
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator, .privateUse, .surrogate:
        "\\u{\(String(scalar.value, radix: 16))}"
      default: String(scalar)
      }
    }
    return short.joined() + (text.unicodeScalars.count > 160 ? "..." : "")
  }

  private static let noObject =
    "which is not one JSON object (write messages for people to standard error)"
}

/// Reads JSON (RFC 8259) in one pass. Numbers too large for a Double become infinite.
private struct JSONReader {
  struct Malformed: Error {}

  enum Value {
    case number(Double)
    case bool(Bool)
    case null
    /// A list of numbers only, also an empty one.
    case numbers([Double])
    /// Anything that no key of an answer holds.
    case other
    case object([(key: String, value: Value)])
  }

  private var bytes: [UInt8]
  private var index = 0
  private static let deepest = 32

  init(_ text: String) {
    // A zero at the end stands for "no more".
    bytes = Array(text.utf8) + [0]
  }

  /// The whole text as one value.
  mutating func document() throws -> Value {
    let value = try value(depth: 0)
    skipSpace()
    guard index == bytes.count - 1 else { throw Malformed() }
    return value
  }

  private mutating func skipSpace() {
    while [0x20, 0x09, 0x0A, 0x0D].contains(bytes[index]) { index += 1 }
  }

  /// Goes on if this is the next byte.
  private mutating func takes(_ letter: Unicode.Scalar) -> Bool {
    guard bytes[index] == UInt8(ascii: letter) else { return false }
    index += 1
    return true
  }

  private mutating func value(depth: Int) throws -> Value {
    guard depth < Self.deepest else { throw Malformed() }
    skipSpace()
    switch bytes[index] {
    case UInt8(ascii: "{"): return try object(depth)
    case UInt8(ascii: "["): return try list(depth)
    case UInt8(ascii: "\""):
      _ = try string()
      return .other
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    default: return .number(try number())
    }
  }

  private mutating func word(_ text: String, _ value: Value) throws -> Value {
    guard bytes[index...].starts(with: text.utf8) else { throw Malformed() }
    index += text.utf8.count
    return value
  }

  private mutating func object(_ depth: Int) throws -> Value {
    var pairs: [(key: String, value: Value)] = []
    index += 1
    skipSpace()
    if takes("}") { return .object(pairs) }
    repeat {
      skipSpace()
      let key = try string()
      skipSpace()
      guard takes(":") else { throw Malformed() }
      pairs.append((key, try value(depth: depth + 1)))
      skipSpace()
    } while takes(",")
    guard takes("}") else { throw Malformed() }
    return .object(pairs)
  }

  private mutating func list(_ depth: Int) throws -> Value {
    var numbers: [Double] = []
    var isNumbers = true
    index += 1
    skipSpace()
    if takes("]") { return .numbers([]) }
    repeat {
      if case .number(let number) = try value(depth: depth + 1) {
        numbers.append(number)
      } else {
        isNumbers = false
      }
      skipSpace()
    } while takes(",")
    guard takes("]") else { throw Malformed() }
    return isNumbers ? .numbers(numbers) : .other
  }

  private mutating func string() throws -> String {
    let start = index
    guard takes("\"") else { throw Malformed() }
    var hasEscapes = false
    while !takes("\"") {
      guard bytes[index] >= 0x20 else { throw Malformed() }
      if takes("\\") { hasEscapes = true }
      guard bytes[index] >= 0x20 else { throw Malformed() }
      index += 1
    }
    if !hasEscapes { return String(decoding: bytes[start + 1..<index - 1], as: UTF8.self) }
    guard
      let text = try? JSONSerialization.jsonObject(
        with: Data(bytes[start..<index]), options: .fragmentsAllowed) as? String
    else { throw Malformed() }
    return text
  }

  /// -? (0 | 1-9 digits) (. digits)? (e sign? digits)?
  private mutating func number() throws -> Double {
    let start = index
    _ = takes("-")
    let isZero = bytes[index] == UInt8(ascii: "0")
    let whole = digits()
    guard whole == 1 || whole > 1 && !isZero else { throw Malformed() }
    if takes(".") && digits() == 0 { throw Malformed() }
    if takes("e") || takes("E") {
      if !takes("+") { _ = takes("-") }
      guard digits() > 0 else { throw Malformed() }
    }
    return Double(String(decoding: bytes[start..<index], as: UTF8.self)) ?? .nan
  }

  private mutating func digits() -> Int {
    let start = index
    while (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(bytes[index]) { index += 1 }
    return index - start
  }
}
