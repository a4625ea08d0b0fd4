// SPDX-License-Identifier: Apache-2.0
// The inputs of the Gaussian processes from states and actions, and their predictions of the next state.
// In: a window of rows of an episode. Out: features [D] (before standardising) and increments [M].

import Foundation

/// One input of the Gaussian processes.
package enum InputFeature: Hashable, Sendable, Codable {
  /// State i, `lag` rows before the present one.
  case state(Int, lag: Int)
  /// Action i, `lag` rows before the present one; -1 for the row that is predicted: of outputs that follow a command at once
  /// (feedthrough), where the next command is known.
  case action(Int, lag: Int)
  /// Disturbance i, `lag` rows before the present one.
  case disturbance(Int, lag: Int)
  /// Action i through a first-order low-pass filter, f' = f + (1 - e^(-1/steps)) (u - f), its time constant in time steps: a
  /// hidden state of the machine that the commands alone tell.
  case filteredAction(Int, steps: Double)
  /// sin and cos of an angle, so that turns do not matter; its unit is so many radians.
  case sine(Int, radians: Double)
  case cosine(Int, radians: Double)
  /// A formula of the present states and disturbances, and of commands `lag` rows before the present one.
  case formula(InputFormula, lag: Int)

  /// 1 - e^(-1/steps), of a filter with this time constant.
  package static func filterGain(steps: Double) -> Double { 1 - exp(-1 / steps) }

  var isFiltered: Bool { if case .filteredAction = self { true } else { false } }

  /// Whether it is of commands and disturbances, not of states.
  package var isExogenous: Bool {
    switch self {
    case .action, .disturbance, .filteredAction: true
    case .state, .sine, .cosine: false
    case .formula(let formula, _): formula.states.isEmpty
    }
  }

  /// Commands that it is of.
  var actions: [Int] {
    switch self {
    case .action(let j, _), .filteredAction(let j, _): [j]
    case .state, .disturbance, .sine, .cosine: []
    case .formula(let formula, _): Array(formula.actions.values)
    }
  }

  /// A present state: itself, or sine and cosine of an angle with this full turn.
  package static func present(_ state: Int, turn: Double?) -> [InputFeature] {
    guard let turn else { return [.state(state, lag: 0)] }
    let radians = 2 * .pi / turn
    return [.sine(state, radians: radians), .cosine(state, radians: radians)]
  }
}

/// How one state moves to the next row.
package enum StateUpdate: Hashable, Sendable, Codable {
  /// x' = x + the increment that output m of the model predicts.
  case increment(output: Int)
  /// x' = x + T (v + (v' - v) / a): exact for a rate v derived by backward differences with a filter that takes the
  /// part a of a new difference (`Channel.Source.smoothing`); x + T v' without one.
  case backwardIntegral(rate: Int, smoothing: Double)
  /// x' = x + T v + T/2 (v' - v): for a measured rate (MC-PILCO, Amadio 2022).
  case trapezoidalIntegral(rate: Int)
  /// v' = v + a ((x' - x) / T - v): a rate as the machine derives it from its position x (`Channel.Source.smoothing`).
  case difference(of: Int, smoothing: Double)

  /// The rate that is integrated, if any.
  package var rate: Int? {
    switch self {
    case .increment, .difference: nil
    case .backwardIntegral(let rate, _), .trapezoidalIntegral(let rate): rate
    }
  }
}

/// What one Gaussian process predicts, and from what.
package struct OutputForm: Hashable, Sendable {
  /// The state whose increment it is.
  package let state: Int
  /// Indices of the features that it reads, ascending.
  package let inputs: [Int]
}

/// The form of a dynamics model: its inputs, and the update of each state.
package struct ModelForm: Hashable, Sendable, Codable {
  package let features: [InputFeature]
  /// One for each state.
  package let updates: [StateUpdate]
  /// Of each output; nil where all read all features.
  private(set) var inputs: [[Int]]?

  /// - Parameters:
  ///   - features: of the model, D.
  ///   - updates: one for each state.
  ///   - inputs: indices of the features that each output reads, ascending; nil for all.
  package init(features: [InputFeature], updates: [StateUpdate], inputs: [[Int]]? = nil) {
    (self.features, self.updates, self.inputs) = (features, updates, inputs)
    precondition(
      hasSoundInputs,
      "inputs \(inputs ?? []) of \(outputCount) outputs, among \(features.count) features")
    if outputs.allSatisfy({ $0.inputs.count == features.count }) { self.inputs = nil }
  }

  /// Whether each output reads some of the features, ascending.
  var hasSoundInputs: Bool {
    guard let inputs else { return true }
    return inputs.count == outputCount
      && inputs.allSatisfy { list in
        !list.isEmpty && list.allSatisfy(features.indices.contains)
          && zip(list, list.dropFirst()).allSatisfy { $0 < $1 }
      }
  }

  /// The usual form: every state, action and disturbance as an input (angles as sine and cosine), actions of the
  /// last `actionHistory` rows too; every state an output unless it integrates a rate.
  ///
  /// - Parameters:
  ///   - states: S
  ///   - actions: A
  ///   - disturbances: W
  ///   - turns: full turns, in their units, of the states that are read as sine and cosine.
  ///   - ignored: states on which the motion does not depend.
  ///   - stateHistory: earlier rows of the states that are inputs too.
  ///   - actionDelay: rows before an action has any effect; later ones are left out.
  ///   - actionHistory: earlier rows of the actions that are inputs too.
  ///   - integrals: states that follow from another one's rate, by state.
  package init(
    states: Int, actions: Int, disturbances: Int = 0, turns: [Int: Double] = [:],
    ignored: Set<Int> = [], stateHistory: Int = 0, actionDelay: Int = 0, actionHistory: Int = 0,
    integrals: [Int: StateUpdate] = [:]
  ) {
    var features: [InputFeature] = []
    let seen = (0..<states).filter { !ignored.contains($0) }
    for i in seen { features += InputFeature.present(i, turn: turns[i]) }
    for lag in stride(from: 1, through: stateHistory, by: 1) {
      features += seen.map { .state($0, lag: lag) }
    }
    for lag in actionDelay...actionDelay + actionHistory {
      features += (0..<actions).map { .action($0, lag: lag) }
    }
    features += (0..<disturbances).map { .disturbance($0, lag: 0) }
    var output = 0
    let updates = (0..<states).map { i in
      if let integral = integrals[i] { return integral }
      defer { output += 1 }
      return StateUpdate.increment(output: output)
    }
    self.init(features: features, updates: updates)
  }

  /// M, the number of Gaussian processes.
  package var outputCount: Int { outputStates.count }

  /// The state whose increment each output predicts.
  package var outputStates: [Int] {
    updates.indices.filter { if case .increment = updates[$0] { true } else { false } }
  }

  /// One for each Gaussian process.
  package var outputs: [OutputForm] {
    let all = Array(features.indices)
    return outputStates.enumerated().map { m, state in
      OutputForm(state: state, inputs: inputs?[m] ?? all)
    }
  }

  /// Filters of commands that the features read, each once: (action, time constant in steps).
  package var filters: [(action: Int, steps: Double)] {
    features.compactMap { feature in
      if case .filteredAction(let j, let steps) = feature { (j, steps) } else { nil }
    }
  }

  /// The form in which each output's process reads these features alone, of those that it reads.
  package func reading(_ selected: [Set<InputFeature>]) -> ModelForm {
    precondition(
      selected.count == outputCount, "\(selected.count) lists for \(outputCount) outputs")
    return ModelForm(
      features: features, updates: updates,
      inputs: zip(outputs, selected).map { output, set in
        output.inputs.filter { set.contains(features[$0]) }
      })
  }

  /// Whether runs can be differentiated by hand (MeanAdjoint): no formula of states is read.
  package var canBeRefined: Bool {
    features.allSatisfy { if case .formula = $0 { $0.isExogenous } else { true } }
  }

  /// Outputs that read no command.
  package var outputsWithoutCommand: [OutputForm] {
    outputs.filter { output in output.inputs.allSatisfy { features[$0].actions.isEmpty } }
  }

  /// Whether features read the command of the row that is predicted.
  package var hasFeedthrough: Bool { actionDelay < 0 }

  /// Rows before the present one that the features read.
  package var longestLag: Int { max(stateLag, actionLag, disturbanceLag) }

  /// Features that the output which reads most reads.
  package var mostInputs: Int { outputs.map(\.inputs.count).max() ?? 0 }

  /// Position -> the state that is its rate, by the updates.
  package var ratesOfPositions: [Int: Int] {
    var rates: [Int: Int] = [:]
    for (state, update) in updates.enumerated() {
      switch update {
      case .increment: break
      case .backwardIntegral(let rate, _), .trapezoidalIntegral(let rate): rates[state] = rate
      case .difference(let position, _): rates[position] = state
      }
    }
    return rates
  }

  /// States that the features read, whatever the row.
  package var statesRead: Set<Int> {
    Set(
      features.flatMap { feature -> [Int] in
        switch feature {
        case .state(let i, _), .sine(let i, _), .cosine(let i, _): [i]
        case .action, .disturbance, .filteredAction: []
        case .formula(let formula, _): Array(formula.states.values)
        }
      })
  }

  /// Whether the positions that follow from measured rates are those of another form.
  package func integrates(as other: ModelForm) -> Bool {
    func integrals(_ form: ModelForm) -> [StateUpdate?] {
      form.updates.map { if case .trapezoidalIntegral = $0 { $0 } else { nil } }
    }
    return integrals(self) == integrals(other)
  }

  /// The newest action of each command that the features read: (index of the feature, action).
  var newestActions: [(feature: Int, action: Int)] {
    var newest: [Int: (lag: Int, feature: Int)] = [:]
    for (d, feature) in features.enumerated() {
      guard case .action(let action, let lag) = feature, lag < newest[action]?.lag ?? .max else {
        continue
      }
      newest[action] = (lag, d)
    }
    return newest.map { ($0.value.feature, $0.key) }.sorted { $0.0 < $1.0 }
  }

  /// Full turns of the states that are seen as sine and cosine.
  var turns: [Int: Double] {
    var turns: [Int: Double] = [:]
    for case .sine(let i, let radians) in features { turns[i] = 2 * .pi / radians }
    return turns
  }

  package var stateLag: Int {
    features.map { if case .state(_, let lag) = $0 { lag } else { 0 } }.max() ?? 0
  }

  package var disturbanceLag: Int {
    features.map { if case .disturbance(_, let lag) = $0 { lag } else { 0 } }.max() ?? 0
  }

  /// Rows before the newest action that the features read.
  package var actionDelay: Int { actionLags.min() ?? 0 }
  package var actionLag: Int { actionLags.max() ?? 0 }

  private var actionLags: [Int] {
    features.compactMap {
      switch $0 {
      case .action(_, let lag): lag
      case .formula(let formula, let lag): formula.actions.isEmpty ? nil : lag
      case .state, .disturbance, .filteredAction, .sine, .cosine: nil
      }
    }
  }
}
