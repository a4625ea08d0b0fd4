// SPDX-License-Identifier: Apache-2.0
// Units that a log is written in -> units of a task: deg -> rad, bar -> Pa, mm/s -> m/s, degC -> K. In: two unit words. Out:
// y = factor x + offset. Units are products of powers of symbols with the SI's prefixes (The International System of Units, 9th
// edition, tables 2, 4, 7 and 8; the inch and the pound by their definitions of 1959).
//
// Own table, because Foundation's units know neither products nor most of what machines measure.

import Foundation

/// A linear map between two units of the same kind.
package struct UnitConversion: Hashable, Sendable, Codable {
  package var factor: Double
  package var offset: Double

  /// nil where a word is no unit that is known here, or the two are of different kinds.
  package init?(from: String, to: String) {
    guard let from = Unit(from), let to = Unit(to), from.dimensions == to.dimensions else {
      return nil
    }
    factor = from.factor / to.factor
    offset = (from.zero - to.zero) / to.factor
  }

  /// Whether a word is a unit that is known here.
  package static func knows(_ word: String) -> Bool { Unit(word) != nil }

  package var isIdentity: Bool { factor == 1 && offset == 0 }

  package func callAsFunction(_ value: Double) -> Double { factor * value + offset }
  package func inverse(_ value: Double) -> Double { (value - offset) / factor }
}

/// A unit in those of the SI.
private struct Unit {
  var factor = 1.0
  /// Where its zero lies, in the SI's unit: of degrees Celsius.
  var zero = 0.0
  /// Powers of m, kg, s, A, K and rad.
  var dimensions = [Int](repeating: 0, count: 6)

  /// nil of a word that is no unit.
  init?(_ word: String) {
    let word = word.trimmingCharacters(in: .whitespaces)
    if ["degC", "°C", "C", "celsius"].contains(word) {
      (zero, dimensions[4]) = (273.15, 1)
      return
    }
    let powers: [(String, String)] = [
      ("²", "^2"), ("³", "^3"), ("**", "^"), ("·", "*"), (" ", "*"),
    ]
    let text = powers.reduce(word) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    // Brackets below a stroke, J/(kg*K), may hold a product alone.
    guard !text.isEmpty, text.count(where: { $0 == "/" }) < 2 || !text.contains("(") else {
      return nil
    }
    for (index, part) in text.split(separator: "/", omittingEmptySubsequences: false).enumerated() {
      let isBelow = index > 0
      let bare = part.trimmingCharacters(in: CharacterSet(charactersIn: "()"))
      for symbol in bare.split(separator: "*", omittingEmptySubsequences: false) {
        guard multiply(by: String(symbol), isBelow) else { return nil }
      }
    }
  }

  /// By "m", "s^2", "s^-1", "s2".
  private mutating func multiply(by text: String, _ isBelow: Bool) -> Bool {
    guard let match = text.wholeMatch(of: #/([^0-9^+-]+)\^?([+-]?[0-9])?/#) else {
      return text == "1"
    }
    guard let (value, kind) = Self.known(String(match.1)) else { return false }
    let power = (match.2.flatMap { Int($0) } ?? 1) * (isBelow ? -1 : 1)
    factor *= pow(value, Double(power))
    for index in kind.indices { dimensions[index] += power * kind[index] }
    return true
  }

  private static func known(_ symbol: String) -> (Double, [Int])? {
    if let unit = symbols[symbol] { return (unit.0, unit.1) }
    for (prefix, factor) in prefixes where symbol.hasPrefix(prefix) {
      if let unit = symbols[String(symbol.dropFirst(prefix.count))], unit.takesPrefix {
        return (factor * unit.0, unit.1)
      }
    }
    return nil
  }

  private static let prefixes: [(String, Double)] = [
    ("G", 1e9), ("M", 1e6), ("k", 1e3), ("h", 1e2), ("d", 1e-1), ("c", 1e-2), ("m", 1e-3),
    ("µ", 1e-6), ("μ", 1e-6), ("u", 1e-6), ("n", 1e-9),
  ]

  private static let symbols: [String: (Double, [Int], takesPrefix: Bool)] = {
    var table: [String: (Double, [Int], takesPrefix: Bool)] = [:]
    func add(_ names: String, _ value: Double, _ kind: [Int], prefixed: Bool = false) {
      for name in names.split(separator: " ") {
        table[String(name)] = (value, kind, takesPrefix: prefixed)
      }
    }
    let (length, mass, time) = ([1, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0])
    let (current, heat, angle) = ([0, 0, 0, 1, 0, 0], [0, 0, 0, 0, 1, 0], [0, 0, 0, 0, 0, 1])
    let (force, torque, pressure) = (
      [1, 1, -2, 0, 0, 0], [2, 1, -2, 0, 0, 0], [-1, 1, -2, 0, 0, 0]
    )
    add("m", 1, length, prefixed: true)
    add("in inch", 0.0254, length)
    add("ft", 0.3048, length)
    add("g", 1e-3, mass, prefixed: true)
    add("t", 1e3, mass)
    add("lb", 0.453_592_37, mass)
    add("s sec", 1, time, prefixed: true)
    add("min", 60, time)
    add("h hr", 3_600, time)
    add("A", 1, current, prefixed: true)
    add("K", 1, heat, prefixed: true)
    add("rad", 1, angle, prefixed: true)
    add("deg ° degree degrees", .pi / 180, angle)
    add("gon", .pi / 200, angle)
    add("turn turns rev", 2 * .pi, angle)
    add("rpm", 2 * .pi / 60, [0, 0, -1, 0, 0, 1])
    add("Hz", 1, [0, 0, -1, 0, 0, 0], prefixed: true)
    add("N", 1, force, prefixed: true)
    add("lbf", 4.448_221_615_260_5, force)
    add("Nm J", 1, torque, prefixed: true)
    add("W", 1, [2, 1, -3, 0, 0, 0], prefixed: true)
    add("Pa", 1, pressure, prefixed: true)
    add("bar", 1e5, pressure, prefixed: true)
    add("psi", 6_894.757_293_168, pressure)
    add("atm", 101_325, pressure)
    add("V", 1, [2, 1, -3, -1, 0, 0], prefixed: true)
    add("Ohm ohm Ω", 1, [2, 1, -3, -2, 0, 0], prefixed: true)
    add("l L", 1e-3, [3, 0, 0, 0, 0, 0], prefixed: true)
    add("%", 1e-2, [0, 0, 0, 0, 0, 0])
    return table
  }()
}
