// SPDX-License-Identifier: Apache-2.0
// The columns of a log without a description -> states, actions, and what is neither. Names decide if they show it
// ("valve", "boom_cmd", "tau2"); if none does, the column that depends least on the others is taken for the command: a command
// moves states, and is not moved by them (Granger 1969). It is a proposal, for its user to correct.

import Foundation
import LinearAlgebra
import MachineLogs
import SafeText

/// What each column of a log may be.
struct ChannelRoles {
  private(set) var states: [String] = []
  private(set) var actions: [String] = []
  /// Columns that are left out, and why.
  private(set) var others: [(name: String, reason: String)] = []
  /// How the actions were found, in words.
  private(set) var reason = ""

  /// - Parameter surveys: of all logs; only columns that all of them have are used.
  init(of surveys: [LogSurvey]) {
    guard let first = surveys.first else { return }
    others = first.others
    var candidates: [String] = []
    for column in first.columns {
      let parts = surveys.map { survey in survey.columns.first { $0.name == column.name } }
      guard !parts.contains(where: { $0 == nil }) else {
        others.append((column.name, "is not in every log"))
        continue
      }
      if let reason = Self.obstacle(parts.compactMap(\.self), surveys) {
        others.append((column.name, reason))
      } else {
        candidates.append(column.name)
      }
    }
    dropCopies(&candidates, surveys[0])
    actions = candidates.filter(Self.isCommand)
    if !actions.isEmpty, actions.count < candidates.count {
      reason = "by their names"
    } else if candidates.count > 1 {
      let driving = surveys.max { $0.times.count < $1.times.count } ?? first
      let shares = Self.sharesFromOthers(candidates, driving)
      let least =
        shares.isEmpty
        ? candidates.count - 1 : candidates.indices.min { shares[$0] < shares[$1] } ?? 0
      actions = [candidates[least]]
      reason =
        shares.isEmpty
        ? "CHECK: no name shows it, and no row has all columns to compare"
        : "it depends least on the other columns; no name shows it"
    }
    states = candidates.filter { !actions.contains($0) }
  }

  /// Why a column can be neither state nor action; nil if it can.
  private static func obstacle(_ parts: [LogSurvey.Column], _ surveys: [LogSurvey]) -> String? {
    let values = parts.flatMap(\.values).filter(\.isFinite)
    guard let low = values.min(), let high = values.max() else { return "has no value" }
    if high - low <= LogLayout.constantSpread * max(abs(low), abs(high)) {
      return "does not change"
    }
    let isClock = zip(parts, surveys).allSatisfy { part, survey in
      let rows = part.values.indices.filter { part.values[$0].isFinite }
      guard rows.count > 10 else { return false }
      return PairMoments(rows.map { part.values[$0] }, rows.map { survey.times[$0] }).correlation
        > 0.999_99
    }
    return isClock ? "counts rows or time" : nil
  }

  /// The second of two columns that are the same but for scale and offset tells nothing.
  private mutating func dropCopies(_ candidates: inout [String], _ survey: LogSurvey) {
    let stride = max(1, survey.times.count / Self.comparedRows)
    let columns = Dictionary(
      survey.columns.map { column in
        (
          column.name,
          Swift.stride(from: 0, to: column.values.count, by: stride).map { column.values[$0] }
        )
      }
    ) { first, _ in first }
    var kept: [String] = []
    for name in candidates {
      let copied = kept.first { other in
        guard let a = columns[name], let b = columns[other] else { return false }
        let rows = a.indices.filter { a[$0].isFinite && b[$0].isFinite }
        return rows.count > 10
          && abs(PairMoments(rows.map { a[$0] }, rows.map { b[$0] }).correlation) > 1 - 1e-9
      }
      if let copied {
        others.append((name, "is '\(shortened(copied))' times a constant, plus another"))
      } else {
        kept.append(name)
      }
    }
    candidates = kept
  }

  // MARK: names

  private static let commandWords: Set<String> = [
    "u", "cmd", "cmds", "command", "commands", "commanded", "pwm", "duty", "valve", "torque", "tau",
    "heater", "pump", "throttle", "brake", "voltage", "setpoint", "target", "input", "action",
    "control", "ctrl", "joystick", "request", "demand", "drive", "effort", "ventil", "sollwert",
    "stellgroesse", "stellgröße", "strom", "spannung",
  ]

  /// Whether a word of the name is one for what a controller sends: "boom_pwm", "SteeringCommand", "tau2".
  static func isCommand(_ name: String) -> Bool {
    var words: [String] = []
    var word = ""
    var wasSmall = false
    for character in name {
      if !character.isLetter || character.isUppercase && wasSmall {
        words.append(word)
        word = ""
      }
      if character.isLetter { word.append(character) }
      wasSmall = character.isLowercase
    }
    return (words + [word]).contains { commandWords.contains($0.lowercased()) }
  }

  // MARK: numbers

  /// How much better a column's next value is predicted with the two last values of the others, beside its own two; 0 to 1, one a column.
  /// Empty where no rows have them all.
  private static func sharesFromOthers(_ names: [String], _ survey: LogSurvey) -> [Double] {
    let columns = names.map { name in survey.columns.first { $0.name == name }?.values ?? [] }
    let rows = min(survey.times.count, mostRows)
    let table = stride(from: 2, to: rows, by: 1).compactMap { k -> [Double]? in
      let row = (0...2).flatMap { lag in columns.map { $0[k - lag] } }
      return row.allSatisfy(\.isFinite) ? row : nil
    }
    let count = names.count
    guard table.count > 10 * count else { return [] }
    // In deviations, as least squares wants them.
    let scaled = (0..<3 * count).map { column -> [Double] in
      let values = table.map { $0[column] }
      let mean = values.reduce(0, +) / Double(values.count)
      let scale = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(values.count))
        .squareRoot()
      return values.map { scale > 0 ? ($0 - mean) / scale : 0 }
    }
    let moments = SecondMoments(Matrix(scaled).transposed)
    return (0..<count).map { target in
      func error(_ inputs: [Int]) -> Double {
        let coefficients = moments.regression(of: [target], on: inputs)[0]
        return moments.meanSquaredError(coefficients, of: target, on: inputs)
      }
      let own = error([count + target, 2 * count + target])
      let all = error(Array(count..<3 * count))
      return own > 0 ? 1 - all / own : 0
    }
  }

  private static let mostRows = 20_000
  private static let comparedRows = 2_000
}
