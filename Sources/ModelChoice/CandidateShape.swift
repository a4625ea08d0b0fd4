// SPDX-License-Identifier: Apache-2.0
// What a candidate is made of, and the form and options that it becomes. Derived rates follow from their positions; positions
// may follow from measured rates; what is left has an output of its own.

import GaussianProcesses
import MachineLogs

/// The parts of a model that are chosen.
struct CandidateShape: Hashable, Sendable {
  var linear = LinearFit.alone
  /// Rows of states and commands that are features, the present one included.
  var rows = 1
  /// Rows of them that the Gaussian processes read; nil for all.
  var processRows: Int?
  /// The command of the predicted row is a feature.
  var hasFeedthrough = false
  /// Time constants, in steps, of filters through which all commands are features too.
  var filters: [Double] = []
  var profile = RadialProfileName.squaredExponential
  /// Of runs that a linear model is fitted to (`FitOptions.linearSteps`).
  var linearSteps = 1
  /// Per transition (`FitOptions.ridge`).
  var ridge = 0.0
  /// How positions are integrated from measured rates, if they are.
  var kinematics: Kinematics?

  enum Kinematics: Hashable, Sendable, CaseIterable {
    /// x' = x + T v'
    case newRate
    /// x' = x + T (v + v') / 2
    case meanRate

    func update(rate: Int) -> StateUpdate {
      switch self {
      case .newRate: .backwardIntegral(rate: rate, smoothing: 1)
      case .meanRate: .trapezoidalIntegral(rate: rate)
      }
    }
  }

  var name: String {
    func rows(_ count: Int) -> String { count == 1 ? "1 row" : "\(count) rows" }
    let process = "Gaussian process (\(profile.rawValue))"
    var words: String
    switch linear {
    case .alone:
      words =
        "linear in \(rows(self.rows))"
        + (linearSteps > 1 ? ", fitted to runs of \(linearSteps) steps" : "")
    case .first:
      words =
        "linear in \(rows(self.rows)), then a \(process) on \(rows(processRows ?? self.rows))"
    case .joint: words = "\(process) with a linear mean on \(rows(self.rows))"
    }
    if hasFeedthrough { words += ", with the next command" }
    if !filters.isEmpty {
      words +=
        ", with commands filtered over "
        + filters.map { "\(Int($0))" }.joined(separator: ", ") + " steps"
    }
    if ridge > 0 { words += ", ridge \(ridge)" }
    if kinematics != nil { words += ", positions from their rates" }
    return words
  }
}

/// What candidates of a log have in common.
struct CandidateForms: Sendable {
  let layout: LogLayout
  /// Position -> its measured rate.
  let rates: [Int: Int]

  /// Searches of hyperparameters are short: what is compared are structures.
  func options(_ shape: CandidateShape, base: FitOptions) -> FitOptions {
    var options = base
    options.criterion = .marginalLikelihood
    options.linear = shape.linear
    options.mean = shape.linear == .joint ? .linear : .zero
    options.profile = shape.profile
    options.ridge = shape.ridge
    options.linearSteps = shape.linearSteps
    options.subset = 400
    options.fullIterations = 0
    return options
  }

  func form(_ shape: CandidateShape) -> ModelForm {
    var features: [InputFeature] = []
    var lags: [Int] = []
    func add(_ feature: InputFeature, lag: Int) {
      features.append(feature)
      lags.append(lag)
    }
    for lag in 0..<shape.rows {
      for (i, channel) in layout.states.enumerated() {
        switch (channel.turn, channel.source) {
        case (let turn?, _):
          // An angle that turns has no history as a number; its derived rate stands for it.
          if lag == 0 {
            add(.sine(i, radians: 2 * .pi / turn), lag: 0)
            add(.cosine(i, radians: 2 * .pi / turn), lag: 0)
          }
        case (nil, .column): add(.state(i, lag: lag), lag: lag)
        case (nil, .rate(let base, _)):
          let position = layout.states.first { $0.name == base }
          if position == nil || position?.turn != nil { add(.state(i, lag: lag), lag: lag) }
        }
      }
    }
    for lag in (shape.hasFeedthrough ? -1 : 0)..<shape.rows {
      for j in layout.actions.indices { add(.action(j, lag: lag), lag: lag) }
    }
    for steps in shape.filters {
      for j in layout.actions.indices { add(.filteredAction(j, steps: steps), lag: 0) }
    }
    let updates = updates(shape)
    let outputs = updates.count { if case .increment = $0 { true } else { false } }
    let read = features.indices.filter { lags[$0] < shape.processRows ?? shape.rows }
    return ModelForm(
      features: features, updates: updates, inputs: (0..<outputs).map { _ in read })
  }

  private func updates(_ shape: CandidateShape) -> [StateUpdate] {
    var output = 0
    return layout.states.enumerated().map { i, channel in
      if case .rate(let base, _) = channel.source,
        let position = layout.states.firstIndex(where: { $0.name == base })
      {
        return .difference(
          of: position, smoothing: channel.source.smoothing(timeStep: layout.timeStep))
      }
      if let kinematics = shape.kinematics, let rate = rates[i] {
        return kinematics.update(rate: rate)
      }
      defer { output += 1 }
      return .increment(output: output)
    }
  }
}

extension LogLayout {
  /// Measured states that hold the rates of others, in the same units: over twenty rows the change of one is the trapezoidal
  /// integral of the other.
  func measuredRates(in episodes: [Episode]) -> [Int: Int] {
    let bases = states.compactMap { if case .rate(let base, _) = $0.source { base } else { nil } }
    // A position whose rate is derived is what that rate follows from.
    let measured = states.indices.filter {
      states[$0].source == .column && states[$0].turn == nil && !bases.contains(states[$0].name)
    }
    var rates: [Int: Int] = [:]
    let window = 20
    for position in measured {
      // No chains: a rate that is integrated itself would not be known in time.
      for rate in measured
      where rate != position && rates[position] == nil && rates[rate] == nil
        && !rates.values.contains(position)
      {
        var (xx, xy, yy) = (0.0, 0.0, 0.0)
        for episode in episodes {
          for k in stride(from: window, to: episode.count, by: window) {
            let rows = k - window...k
            let values = rows.map { episode.states[$0][rate] }
            let integral =
              timeStep * (values.reduce(0, +) - 0.5 * (values[0] + values[window]))
            let change = episode.states[k][position] - episode.states[k - window][position]
            xx += integral * integral
            xy += integral * change
            yy += change * change
          }
        }
        guard xx > 0, yy > 0 else { continue }
        if (0.9...1.1).contains(xy / xx) && xy * xy > 0.95 * xx * yy { rates[position] = rate }
      }
    }
    return rates
  }
}
