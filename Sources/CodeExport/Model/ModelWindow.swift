// SPDX-License-Identifier: Apache-2.0
// The earlier rows that a model reads, as part of its state x [K]: present states; each state's earlier rows, newest first, as far as the
// model reads it; so each command's; commands through filters; each disturbance's. Physical units.

import GaussianProcesses
import MachineLogs
import Programs

/// The places of a state with its past.
struct ModelWindow {
  /// The inputs of a step, as program values.
  struct Inputs {
    /// [K]
    let state: Value
    /// [A]
    let action: Value
    /// [W]; nil where nothing disturbs.
    let disturbance: Value?

    func length(of name: String) -> Int {
      switch name {
      case "state": state.length
      case "action": action.length
      default: disturbance?.length ?? 0
      }
    }
  }

  private let model: DynamicsModel
  /// Earlier rows of each channel that are read.
  private let stateLags: [Int]
  private let actionLags: [Int]
  private let disturbanceLags: [Int]
  /// Of each place, in words, with its units.
  let channels: [Channel]

  var count: Int { channels.count }
  private var states: Int { model.layout.states.count }

  init(_ model: DynamicsModel) {
    self.model = model
    let (layout, form) = (model.layout, model.form)
    var lags = (
      states: layout.states.map { _ in 0 }, actions: layout.actions.map { _ in 0 },
      disturbances: layout.disturbances.map { _ in 0 }
    )
    for feature in form.features {
      switch feature {
      case .state(let i, let lag): lags.states[i] = max(lags.states[i], lag)
      case .action(let j, let lag): lags.actions[j] = max(lags.actions[j], lag)
      case .disturbance(let w, let lag): lags.disturbances[w] = max(lags.disturbances[w], lag)
      case .formula(_, let lag):
        // Its commands, of which it may read any.
        for j in lags.actions.indices { lags.actions[j] = max(lags.actions[j], lag) }
      case .filteredAction, .sine, .cosine: break
      }
    }
    (stateLags, actionLags, disturbanceLags) = (lags.states, lags.actions, lags.disturbances)
    func earlier(_ channels: [Channel], _ lags: [Int]) -> [Channel] {
      zip(channels, lags).flatMap { channel, lag in
        (0..<lag).map {
          Channel(
            name: "\(channel.name), \($0 + 1) \($0 == 0 ? "row" : "rows") ago",
            units: channel.units)
        }
      }
    }
    let disturbances = layout.disturbances.map(\.channel)
    channels =
      layout.states.map { Channel(name: $0.name, units: $0.units) }
      + earlier(layout.states, stateLags) + earlier(layout.actions, actionLags)
      + form.filters.map { j, steps in
        Channel(
          name: "\(layout.actions[j].name) through a filter of \(steps) steps",
          units: layout.actions[j].units)
      } + earlier(disturbances, disturbanceLags)
  }

  // MARK: Places

  private func place(_ channel: Int, _ lag: Int, of lags: [Int], after first: Int) -> Int {
    first + lags[..<channel].reduce(0, +) + lag - 1
  }
  private var firstAction: Int { states + stateLags.reduce(0, +) }
  private var firstFilter: Int { firstAction + actionLags.reduce(0, +) }
  private var firstDisturbance: Int { firstFilter + model.form.filters.count }

  private func state(_ inputs: Inputs, _ i: Int, _ lag: Int) -> Value {
    lag == 0 ? inputs.state[i] : inputs.state[place(i, lag, of: stateLags, after: states)]
  }

  private func action(_ inputs: Inputs, _ j: Int, _ lag: Int) -> Value {
    lag == 0 ? inputs.action[j] : inputs.state[place(j, lag, of: actionLags, after: firstAction)]
  }

  private func disturbance(_ inputs: Inputs, _ w: Int, _ lag: Int) -> Value {
    guard let present = inputs.disturbance else {
      preconditionFailure("the model of no disturbances reads one")
    }
    return lag == 0
      ? present[w] : inputs.state[place(w, lag, of: disturbanceLags, after: firstDisturbance)]
  }

  // MARK: What a step reads

  /// The states so many rows ago [S], standardised; the oldest that is kept of those that are not read so far back.
  func standardised(_ inputs: Inputs, lag: Int) -> Value {
    let builder = inputs.state.builder
    let physical = builder.concatenate(
      (0..<states).map { state(inputs, $0, min(lag, stateLags[$0])) })
    return (physical - builder.shared(RolloutProgram.stateMean, length: states))
      / StepExpressions.scale(builder, states: states)
  }

  /// The commands so many rows ago [A], likewise.
  func action(_ inputs: Inputs, lag: Int) -> Value {
    let all = actionLags.indices.map { action(inputs, $0, min(lag, actionLags[$0])) }
    return lag == 0 ? inputs.action : inputs.state.builder.concatenate(all)
  }

  /// The disturbances so many rows ago [W], likewise.
  func disturbance(_ inputs: Inputs, lag: Int) -> Value {
    inputs.state.builder.concatenate(
      disturbanceLags.indices.map { disturbance(inputs, $0, min(lag, disturbanceLags[$0])) })
  }

  /// Each filter's command after this step's command [1].
  func filtered(_ inputs: Inputs) -> [Value] {
    model.form.filters.enumerated().map { k, filter in
      let before = inputs.state[firstFilter + k]
      return before
        + InputFeature.filterGain(steps: filter.steps) * (inputs.action[filter.action] - before)
    }
  }

  /// x' [K] from the next present states [S].
  func next(_ present: Value, _ inputs: Inputs) -> Value {
    var parts = [present]
    func shifted(_ lags: [Int], _ value: (Int, Int) -> Value) {
      for (channel, count) in lags.enumerated() { parts += (0..<count).map { value(channel, $0) } }
    }
    shifted(stateLags) { state(inputs, $0, $1) }
    shifted(actionLags) { action(inputs, $0, $1) }
    parts += filtered(inputs)
    shifted(disturbanceLags) { disturbance(inputs, $0, $1) }
    return inputs.state.builder.concatenate(parts)
  }

  // MARK: Where it begins

  /// x = weights [K, S] present + offsets [K]: the machine stood still in its past but for positions, which have come with their rates;
  /// commands were at rest.
  ///
  /// - Parameter rest: of the commands [A].
  func start(rest: [Double]) -> (weights: [[Double]], offsets: [Double]) {
    let rates = model.form.ratesOfPositions
    func row(_ i: Int, _ lag: Int) -> [Double] {
      (0..<states).map { s in
        s == i ? 1 : rates[i] == s ? -Double(lag) * model.layout.timeStep : 0
      }
    }
    let zeros = Array(repeating: 0.0, count: states)
    var (weights, offsets) = ((0..<states).map { row($0, 0) }, zeros)
    for (i, count) in stateLags.enumerated() {
      for lag in stride(from: 1, through: count, by: 1) {
        weights.append(row(i, lag))
        offsets.append(0)
      }
    }
    func fixed(_ value: Double) {
      weights.append(zeros)
      offsets.append(value)
    }
    for (j, count) in actionLags.enumerated() { for _ in 0..<count { fixed(rest[j]) } }
    for (j, _) in model.form.filters { fixed(rest[j]) }
    for (w, count) in disturbanceLags.enumerated() {
      for _ in 0..<count { fixed(typicalDisturbance[w]) }
    }
    return (weights, offsets)
  }

  /// The middle of what was logged of each disturbance [W].
  var typicalDisturbance: [Double] {
    loggedDisturbances.map { 0.5 * ($0.lowerBound + $0.upperBound) }
  }

  /// What was logged of each disturbance [W]; 0 of one that the model does not read.
  var loggedDisturbances: [ClosedRange<Double>] {
    model.layout.disturbances.indices.map { w in
      model.form.features.indices.first {
        if case .disturbance(w, _) = model.form.features[$0] { true } else { false }
      }.map { model.featureBounds[$0] } ?? 0...0
    }
  }

  /// What is the same at all places of a channel [K].
  func places<Element>(
    states: [Element], actions: [Element], disturbances: [Element]
  ) -> [Element] {
    func earlier(_ values: [Element], _ lags: [Int]) -> [Element] {
      zip(values, lags).flatMap { Array(repeating: $0, count: $1) }
    }
    return states + earlier(states, stateLags) + earlier(actions, actionLags)
      + model.form.filters.map { actions[$0.action] } + earlier(disturbances, disturbanceLags)
  }
}
