// SPDX-License-Identifier: Apache-2.0
// What is known of a machine's motion: rates of change of states as formulas of states, exogenous inputs and constants, some of these to be
// found from the data. The Gaussian processes learn the rest.
//
// The increment that a formula f says is T f at the middle of the step, as far as that is known: where a position follows from its
// rate r it is x + T/2 r there, and a state with a formula of its own x + T/2 f(x) (the midpoint rule; Euler's would be wrong by
// half of the change of f over a step). It becomes one more feature of the model, which no process reads, with its weight in the
// linear part given: T. So rollouts, runs along logs and files need no special case for it.

import Formulas
import Foundation
import LinearAlgebra
import MachineLogs
import SafeText

/// Formulas of motion and their constants.
package struct KnownPhysics: Hashable, Sendable, Codable {
  /// A number in the formulas.
  package struct Constant: Hashable, Sendable, Codable {
    package var name: String
    /// As it is given, or where a search for it begins; once it is fitted what was found.
    package var value: Double
    package var isFree: Bool
    package var lower: Double
    package var upper: Double
    /// Standard error of one that was fitted; nil where the data do not tell it, or it is given.
    package var error: Double?

    /// Bounds that leave more are none.
    private static let unbounded = 1e9

    /// One that is given.
    package init(name: String, value: Double) {
      (self.name, self.value, isFree, lower, upper) = (name, value, false, value, value)
    }

    /// One that data are to tell.
    package init(name: String, from start: Double, within bounds: ClosedRange<Double>) {
      (self.name, value, isFree) = (name, start, true)
      (lower, upper) = (bounds.lowerBound, bounds.upperBound)
    }

    /// Whether data tell it: half of the 95 % interval is less than the number itself, or than a quarter of what its bounds leave.
    package var isTold: Bool {
      guard isFree else { return true }
      let range = upper - lower < Self.unbounded ? 0.25 * (upper - lower) : 0
      return error.map { 1.96 * $0 < max(abs(value), range) } ?? false
    }

    /// Where a search for it is as the task says it.
    fileprivate func isSame(as other: Constant) -> Bool {
      name == other.name && isFree == other.isFree && lower == other.lower && upper == other.upper
    }
  }

  /// The rate of change of one state.
  package struct Rate: Hashable, Sendable, Codable {
    package var state: String
    /// Of names of states, exogenous inputs and constants; the state's unit per second.
    package var formula: Formula
    /// Of a fit: the part of the variance of the state's increments that it explains.
    package var explained: Double?

    package init(state: String, formula: Formula) { (self.state, self.formula) = (state, formula) }
  }

  package var rates: [Rate]
  package var constants: [Constant]
  /// Rows before commands have any effect.
  package var delay: Int

  package init(rates: [Rate], constants: [Constant], delay: Int = 0) {
    (self.rates, self.constants, self.delay) = (rates, constants, delay)
  }

  /// Whether it says the same of a machine, whatever was fitted.
  package func isSame(as other: KnownPhysics?) -> Bool {
    guard let other, delay == other.delay, rates.count == other.rates.count,
      constants.count == other.constants.count
    else { return false }
    return zip(rates, other.rates).allSatisfy { $0.state == $1.state && $0.formula == $1.formula }
      && zip(constants, other.constants).allSatisfy { $0.isSame(as: $1) }
  }

  /// Transitions of a fit, at most: constants are few.
  private static let mostRows = 2_000
  /// Transitions of the searches that tell where the fit begins.
  private static let fewRows = 300
  /// Factors of the start of a constant from which a search begins as well.
  private static let starts = [1, 0.1, 10, 0.01, 100.0]

  /// The same with its free constants as they fit the data best, one step ahead, all formulas together.
  ///
  /// - Parameters:
  ///   - episodes: with states and actions in the order of `layout`.
  ///   - layout: which has the formulas' states and actions.
  ///   - form: of the model, without features of its own.
  /// - Throws: `LogError` where a formula is no number on the data.
  func fitted(
    to episodes: [Episode], layout: LogLayout, form: ModelForm
  ) throws -> KnownPhysics {
    let formulas = try atMiddle(layout, form)
    let names = (layout.states + layout.exogenous).map(\.name) + constants.map(\.name)
    let evaluators = formulas.map { FormulaEvaluator($0, names: names) }
    let all = episodes.indices.flatMap { e in
      stride(from: delay, to: episodes[e].count - 1, by: 1).map { (episode: e, row: $0) }
    }
    guard !all.isEmpty else {
      throw LogError(
        file: shortened(episodes.map(\.name).joined(separator: ", ")),
        "has no row with \(counted(delay, "row")) of commands before it and one after it")
    }
    let rows = evenlySpreadRows(count: all.count, wanted: Self.mostRows).map { all[$0] }
    let free = constants.indices.filter { constants[$0].isFree }
    let increments = rates.map { rate -> [Double] in
      let i = layout.states.firstIndex { $0.name == rate.state } ?? 0
      return rows.map {
        episodes[$0.episode].states[$0.row + 1][i] - episodes[$0.episode].states[$0.row][i]
      }
    }
    let inputs = rows.map {
      episodes[$0.episode].states[$0.row]
        + episodes[$0.episode].exogenous(at: $0.row, actionsAgo: delay)
    }
    let scales = increments.map { max(Standardiser(fitting: $0.map { [$0] }).scale[0], 1e-300) }
    /// Differences of increments and formulas, in deviations of the increments, one formula after another.
    func residuals(_ values: [Double], _ used: [Int]) -> [Double] {
      var numbers = constants.map(\.value)
      for (k, value) in zip(free, values) { numbers[k] = value }
      return rates.indices.flatMap { m in
        used.map { r in
          let value = evaluators[m].value(inputs[r] + numbers)
          return (increments[m][r] - layout.timeStep * value) / scales[m]
        }
      }
    }
    let few = evenlySpreadRows(count: rows.count, wanted: Self.fewRows)
    func search(from start: [Double], _ used: [Int]) -> LeastSquaresSolution {
      leastSquares(from: start, within: bounds) { values in
        // A step out of a formula's domain is no step.
        residuals(values, used).map { $0.isFinite ? $0 : 1e6 }
      }
    }
    let bounds = free.map { constants[$0].lower...constants[$0].upper }
    let start = free.map { constants[$0].value }
    var result = self
    var left = residuals(start, Array(rows.indices))
    if let wrong = left.firstIndex(where: { !$0.isFinite }) {
      let rate = rates[wrong / rows.count]
      throw LogError(
        file: shortened(episodes.map(\.name).joined(separator: ", ")), column: rate.state,
        "the formula '\(shortened(rate.formula.text))' is not a number on the data at the constants' start"
      )
    }
    if !free.isEmpty {
      let found = Self.starts.map { factor in search(from: start.map { factor * $0 }, few) }
      guard let begin = found.min(by: { $0.sum < $1.sum }) else { return self }
      let best = search(from: begin.constants, Array(rows.indices))
      for (k, index) in free.enumerated() {
        (result.constants[index].value, result.constants[index].error) =
          (best.constants[k], best.errors[k])
      }
      left = residuals(best.constants, Array(rows.indices))
    }
    for m in rates.indices {
      let own = left[m * rows.count..<(m + 1) * rows.count]
      let mean = own.reduce(0, +) / Double(own.count)
      result.rates[m].explained =
        1 - own.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(own.count)
    }
    return result
  }

  /// The formulas at the middle of a step that begins where they are evaluated. Throws: `LogError` where one becomes too long.
  private func atMiddle(_ layout: LogLayout, _ form: ModelForm) throws -> [Formula] {
    let states = layout.states.map(\.name)
    let names = states + layout.exogenous.map(\.name) + constants.map(\.name)
    var middle: [String: Formula] = [:]
    let half = layout.timeStep / 2
    for (position, rate) in form.ratesOfPositions {
      // A name that no formula can hold stands in none.
      middle[states[position]] = try? Formula(
        "\(states[position]) + \(half) * \(states[rate])", names: names)
    }
    for rate in rates {
      middle[rate.state] = try? Formula(
        "\(rate.state) + \(half) * (\(rate.formula.wholeText))", names: names)
    }
    return try rates.map { rate in
      do {
        let formula = try Formula(rate.formula.wholeText, names: names, definitions: middle)
        // A file holds its text.
        _ = try Formula(formula.wholeText, names: names)
        return formula
      } catch {
        throw LogError(
          file: "model: {mean: ...}", column: rate.state,
          "its formula is too long where it is taken at the middle of a step (\(error)); write a shorter one"
        )
      }
    }
  }

  /// The features that the formulas are, with the constants put in. Throws: `LogError` as a fit of them does.
  func features(_ layout: LogLayout, _ form: ModelForm) throws -> [InputFeature] {
    let states = layout.states.map(\.name)
    let numbers = Dictionary(uniqueKeysWithValues: constants.map { ($0.name, $0.value) })
    return zip(rates, try atMiddle(layout, form)).map { rate, formula in
      .formula(
        InputFormula(
          name: "rate of \(rate.state)", formula: formula.substituting(numbers),
          states: states, actions: layout.actions.map(\.name),
          disturbances: layout.disturbances.map(\.channel.name)), lag: delay)
    }
  }

  /// The linear part that it is: of features [D], the last of which are its own.
  func linearPart(
    of form: ModelForm, _ layout: LogLayout, features: Standardiser, increments: Standardiser
  ) -> LinearPart {
    let first = form.features.count - rates.count
    let names = form.outputs.map { layout.states[$0.state].name }
    var weights = Matrix(rows: names.count, columns: form.features.count)
    var constants = names.map { _ in 0.0 }
    for (k, rate) in rates.enumerated() {
      guard let m = names.firstIndex(of: rate.state) else {
        preconditionFailure("'\(rate.state)' is no output: \(names)")
      }
      let d = first + k
      weights[m, d] = layout.timeStep * features.scale[d] / increments.scale[m]
      constants[m] =
        (layout.timeStep * features.mean[d] - increments.mean[m]) / increments.scale[m]
    }
    return LinearPart(weights: weights, constants: constants)
  }
}

extension ModelForm {
  /// The form with features at its end that no process reads.
  func adding(unread more: [InputFeature]) -> ModelForm {
    ModelForm(features: features + more, updates: updates, inputs: outputs.map(\.inputs))
  }

  /// The form without its last features, which no process reads.
  func dropping(unread count: Int) -> ModelForm {
    ModelForm(
      features: Array(features.dropLast(count)), updates: updates, inputs: outputs.map(\.inputs))
  }
}
