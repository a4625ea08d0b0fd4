// SPDX-License-Identifier: Apache-2.0
// What a model's file says in words: channels, form, kinds of covariance, which noises there are. In: JSON that may be
// damaged. Every index must lie within its list and every count within what BAGEL itself makes, for the rest of the
// code takes both for granted.

import MachineLogs
import TensorFiles

/// A dynamics model without its numbers.
struct ModelStructure: FileStructure {
  var layout: LogLayout
  var form: ModelForm
  /// Whether there is a part of the increments that least squares found; left out where there is none.
  var linear: Bool?
  /// What was known beforehand; left out where nothing was.
  var physics: KnownPhysics?
  /// One per output.
  var processes: [ProcessStructure]
  var reward: RewardStructure?
  /// One per output; left out where draws are independent.
  var processNoise: [ProcessNoise]?

  var problem: String? {
    if let problem = layout.problem { return problem }
    let states = layout.states.count
    let problem = form.problem(
      states: states, actions: layout.actions.count, disturbances: layout.disturbances.count)
    if let problem { return problem }
    guard processes.count == form.outputCount else {
      return "it has \(processes.count) processes for \(form.outputCount) outputs"
    }
    if let physics {
      let own = form.features.count - physics.rates.count
      let names = form.outputs.map { layout.states[$0.state].name }
      guard linear == true, own > 0, physics.rates.allSatisfy({ names.contains($0.state) }),
        form.outputs.allSatisfy({ ($0.inputs.last ?? 0) < own }),
        Set(physics.constants.map(\.name)).count == physics.constants.count
      else { return "its known physics does not fit its form" }
    }
    if let processNoise {
      guard processNoise.count == form.outputCount, processNoise.allSatisfy(\.isSound) else {
        return
          "its process noise is not \(form.outputCount) shares from 0 to 1 and correlations from 0 to 0.999"
      }
    }
    guard (reward?.column == layout.rewardColumn) else {
      return "its learnt reward has another column than its log's layout"
    }
    return (processes + (reward.map { [$0.process] } ?? [])).lazy.compactMap(\.problem).first
      ?? reward?.featureProblem(states: states)
  }
}

/// A Gaussian process without its numbers.
struct ProcessStructure: Codable, Sendable {
  var covariance: CovarianceForm
  var mean: MeanFunction
  var noiseProfile: NoiseForm
  var calibration: NoiseForm
  /// log p of the data's targets, where the process is refined and has others; left out where it is not.
  var oneStepLikelihood: Double?

  /// What there is of a local noise.
  enum NoiseForm: String, Codable {
    case none
    /// The same factor everywhere.
    case constant
    /// With a bandwidth.
    case local
  }

  var problem: String? {
    covariance.leaves > 16 ? "a covariance function has \(covariance.leaves) parts" : nil
  }
}

/// A learnt reward without its numbers.
struct RewardStructure: Codable {
  var column: String
  var features: [InputFeature]
  var process: ProcessStructure

  init(_ model: RewardModel) {
    (column, features, process) = (model.column, model.features, model.process.structure)
  }

  func featureProblem(states: Int) -> String? {
    let areStates = features.allSatisfy {
      if case .formula = $0 { return false }
      return !$0.isExogenous
        && $0.isSound(
          states: states, actions: 0, disturbances: 0, stateLags: 0...0, actionLags: 0...0)
    }
    return (1...2 * states).contains(features.count) && areStates
      ? nil : "its learnt reward reads what is no state"
  }
}

extension ModelForm {
  /// Most features of a model, and rows before the present one that they may read.
  private static let mostFeatures = 10_000
  private static let stateLags = 0...1_000
  private static let actionLags = -1...1_000

  /// What is wrong with it for so many states, actions and disturbances, in words, or nil.
  func problem(states: Int, actions: Int, disturbances: Int) -> String? {
    guard (1...Self.mostFeatures).contains(features.count) else {
      return "it has \(features.count) features; 1 to \(Self.mostFeatures) are allowed"
    }
    let odd = features.first {
      !$0.isSound(
        states: states, actions: actions, disturbances: disturbances, stateLags: Self.stateLags,
        actionLags: Self.actionLags)
    }
    if let odd {
      return
        "\(odd) is no input of \(states) states, \(actions) actions and \(disturbances) disturbances"
    }
    guard updates.count == states, (1...states).contains(outputCount) else {
      return
        "it has updates of \(updates.count) states and \(outputCount) outputs for \(states) states"
    }
    guard hasSoundInputs else {
      return
        "its inputs are not \(outputCount) ascending lists of numbers below \(features.count)"
    }
    let outputs = Set(outputStates)
    var next = 0
    for (state, update) in updates.enumerated() {
      let isSound: Bool
      switch update {
      case .increment(let output):
        isSound = output == next
        next += 1
      case .backwardIntegral(let rate, let smoothing):
        isSound = outputs.contains(rate) && smoothing > 0 && smoothing <= 1
      case .trapezoidalIntegral(let rate): isSound = outputs.contains(rate)
      case .difference(let position, let smoothing):
        isSound = outputs.contains(position) && smoothing > 0 && smoothing <= 1
      }
      if !isSound { return "\(update) cannot be the update of state \(state)" }
    }
    return nil
  }
}

extension InputFeature {
  func isSound(
    states: Int, actions: Int, disturbances: Int, stateLags: ClosedRange<Int>,
    actionLags: ClosedRange<Int>
  ) -> Bool {
    switch self {
    case .state(let i, let lag): (0..<states).contains(i) && stateLags.contains(lag)
    case .action(let i, let lag): (0..<actions).contains(i) && actionLags.contains(lag)
    case .disturbance(let i, let lag):
      (0..<disturbances).contains(i) && stateLags.contains(lag)
    case .filteredAction(let i, let steps):
      (0..<actions).contains(i) && (1e-3...1e6).contains(steps)
    case .sine(let i, let radians), .cosine(let i, let radians):
      (0..<states).contains(i) && (1e-9...1e9).contains(radians)
    case .formula(let formula, let lag):
      formula.isSound(states: states, actions: actions, disturbances: disturbances)
        && actionLags.contains(lag)
    }
  }
}
