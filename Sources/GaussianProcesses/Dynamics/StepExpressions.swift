// SPDX-License-Identifier: Apache-2.0
// The maths of one time step as program values, once for all: rollouts, moment matching, held-out predictions and exported
// controllers are built from these functions. In: states [S] standardised, actions [A] and disturbances [W]
// physical. Out:
//
//   features    z [D], standardised: what the Gaussian processes read
//   next state  x' [S], standardised, from standardised increments [M]; affine in state and increments
//   causal rate r' = r + a ((x' - x) / T - r): a measured position's rate as the machine derives it (CausalSignals)
//
// The numbers behind them are shared arrays (`data`), so that a new fit needs no new kernel. A property test holds them to
// the numbers that models are fitted to (TransitionSet.swift).

import LinearAlgebra
import MachineLogs
import Programs

/// Writes a model's step into programs.
package struct StepExpressions: Sendable {
  package let form: ModelForm
  /// s
  package let timeStep: Double
  /// Values of the shared arrays that the expressions read.
  package let data: [String: [Double]]

  private static let featureMean = "feature_mean"
  private static let featureInverseScale = "feature_inverse_scale"
  private static let incrementGain = "increment_gain"
  private static let incrementOffset = "increment_offset"
  private static let linearPart = "linear_part"
  private static let saturation = "saturation"
  private let hasLinearPart: Bool

  /// The shared array by which a model whose standardised increments are off by a constant [M] moves.
  package static func offset(
    of model: DynamicsModel, offBy constants: [Double]
  ) -> (name: String, values: [Double]) {
    let (increments, states) = (model.incrementStandardiser, model.stateStandardiser)
    let values = model.form.outputStates.enumerated().map { m, state in
      (increments.mean[m] + constants[m] * increments.scale[m]) / states.scale[state]
    }
    return (incrementOffset, values)
  }

  package init(_ model: DynamicsModel) {
    form = model.form
    timeStep = model.layout.timeStep
    let states = model.stateStandardiser
    let features = model.featureStandardiser
    let increments = model.incrementStandardiser
    hasLinearPart = model.linear != nil
    // Increment of standardised state i = gain * standardised increment + offset.
    let outputs = form.outputStates
    var data = [
      RolloutProgram.stateMean: states.mean, RolloutProgram.stateScale: states.scale,
      Self.featureMean: features.mean,
      Self.featureInverseScale: features.scale.map { 1 / $0 },
      Self.incrementGain: outputs.enumerated().map { increments.scale[$0] / states.scale[$1] },
      Self.incrementOffset: outputs.enumerated().map { increments.mean[$0] / states.scale[$1] },
    ]
    if let linear = model.linear {
      data[Self.linearPart] = linear.weights.values + linear.constants
      let box = model.saturation
      data[Self.saturation] = box.map(\.lowerBound) + box.map(\.upperBound)
    }
    self.data = data
  }

  /// Scales of the states [S]: what turns physical differences into standardised ones.
  package static func scale(_ builder: ProgramBuilder, states: Int) -> Value {
    builder.shared(RolloutProgram.stateScale, length: states)
  }

  /// The state [S] in physical units.
  package func physical(_ state: Value) -> Value {
    let builder = state.builder
    return state * Self.scale(builder, states: state.length)
      + builder.shared(RolloutProgram.stateMean, length: state.length)
  }

  /// Standardised features [D].
  ///
  /// - Parameters:
  ///   - state: standardised, so many rows ago.
  ///   - action: physical [A], so many rows ago.
  ///   - disturbance: physical [W], so many rows ago; asked for only where a feature reads one.
  ///   - filtered: the command of each of `ModelForm.filters` through its filter, physical [1].
  package func features(
    state: (_ lag: Int) -> Value, action: (_ lag: Int) -> Value,
    disturbance: (_ lag: Int) -> Value, filtered: [Value] = []
  ) -> Value {
    let present = state(0)
    let (builder, physical) = (present.builder, physical(present))
    let parts = form.features.enumerated().map { d, feature -> Value in
      let number: Value
      switch feature {
      case .action(let j, let lag): number = action(lag)[j]
      case .disturbance(let w, let lag): number = disturbance(lag)[w]
      case .filteredAction:
        number = filtered[form.features[..<d].count { $0.isFiltered }]
      case .formula(let formula, let lag):
        number = formula.value(physical, action(lag), disturbance(0))
      case .state, .sine, .cosine: return feature.ofState(state, physical: physical)
      }
      return (number - builder.shared(Self.featureMean, offset: d, length: 1))
        * builder.shared(Self.featureInverseScale, offset: d, length: 1)
    }
    return builder.concatenate(parts).named("features")
  }

  /// What the Gaussian processes read of standardised features [D] (`DynamicsModel.saturated`).
  package func saturated(_ features: Value) -> Value {
    guard hasLinearPart else { return features }
    let d = features.length
    return maximum(
      features.builder.shared(Self.saturation, length: d),
      minimum(features.builder.shared(Self.saturation, offset: d, length: d), features))
  }

  /// Standardised increments [M]: a draw of the Gaussian processes, and what is linear in the features.
  package func increments(_ draw: Value, features: Value) -> Value {
    guard hasLinearPart else { return draw }
    let (m, d) = (draw.length, features.length)
    return draw
      + draw.builder.affine(
        SharedMatrix(array: Self.linearPart, rows: m, columns: d),
        bias: SharedSlice(array: Self.linearPart, offset: m * d), features)
  }

  /// Standardised next state [S] from standardised increments [M].
  package func next(_ state: Value, increments: Value) -> Value {
    let builder = state.builder
    let m = increments.length
    let changes =
      increments * builder.shared(Self.incrementGain, length: m)
      + builder.shared(Self.incrementOffset, length: m)
    let scale = Self.scale(builder, states: state.length)
    let mean = builder.shared(RolloutProgram.stateMean, length: state.length)
    var next: [Value?] = form.updates.enumerated().map { i, update in
      guard case .increment(let output) = update else { return nil }
      return state[i] + changes[output]
    }
    func physical(_ value: Value?, _ i: Int) -> Value {
      guard let value else { preconditionFailure("state \(i) follows from one without a model") }
      return value * scale[i] + mean[i]
    }
    for (i, update) in form.updates.enumerated() {
      switch update {
      case .increment, .difference: break
      case .backwardIntegral(let r, let smoothing):
        let (before, after) = (physical(state[r], r), physical(next[r], r))
        let difference = smoothing == 1 ? after : before + (1 / smoothing) * (after - before)
        next[i] = state[i] + timeStep * difference / scale[i]
      case .trapezoidalIntegral(let r):
        next[i] =
          state[i] + 0.5 * timeStep * (physical(state[r], r) + physical(next[r], r)) / scale[i]
      }
    }
    for (i, update) in form.updates.enumerated() {
      guard case .difference(let position, let smoothing) = update else { continue }
      let change = physical(next[position], position) - physical(state[position], position)
      let derived = causalRate(
        change: change, inverseSeconds: builder.constant([1 / timeStep]),
        rate: physical(state[i], i),
        gain: smoothing == 1 ? nil : builder.constant([smoothing]))
      next[i] = (derived - mean[i]) / scale[i]
    }
    return builder.concatenate(next.compactMap { $0 })
  }
}

extension InputFeature {
  /// Its standardised value; of states only.
  ///
  /// - Parameters:
  ///   - state: standardised [S], so many rows ago.
  ///   - physical: the present state [S].
  package func ofState(_ state: (_ lag: Int) -> Value, physical: Value) -> Value {
    switch self {
    case .state(let i, let lag): return state(lag)[i]
    case .sine(let i, let radians): return sin(physical[i].scaled(by: radians))
    case .cosine(let i, let radians): return cos(physical[i].scaled(by: radians))
    case .action, .disturbance, .filteredAction, .formula:
      preconditionFailure("an action is no feature of a state")
    }
  }
}

/// The next causal rate, filtered.
///
/// - Parameters:
///   - change: x' - x since the last row.
///   - inverseSeconds: 1 / T.
///   - rate: r, the last one.
///   - gain: a, nil for 1: no filter.
package func causalRate(
  change: Value, inverseSeconds: Value, rate: Value, gain: Value?
) -> Value {
  let difference = inverseSeconds * change
  guard let gain else { return difference }
  return rate + gain * (difference - rate)
}

/// x' = A x + G f + c, all standardised: what `StepExpressions.next` computes, which is affine in state [S] and increments [M].
package struct AffineNextState: Sendable {
  /// A [S, S]
  package let ofState: Matrix
  /// G [S, M]
  package let ofIncrements: Matrix
  /// c [S]
  package let offset: [Double]
  private let states: Standardiser
  private let increments: Standardiser

  /// The images of nothing and of each unit vector, by the program.
  package init(_ model: DynamicsModel) {
    (states, increments) = (model.stateStandardiser, model.incrementStandardiser)
    let (s, m) = (states.mean.count, increments.mean.count)
    let expressions = StepExpressions(model)
    let builder = ProgramBuilder()
    builder.output(
      "next",
      expressions.next(
        builder.input("state", length: s), increments: builder.input("increments", length: m)))
    let program = builder.finish()
    let interpreter = Interpreter(shared: expressions.data)
    func next(_ unit: Int?) -> [Double] {
      let both = (0..<s + m).map { $0 == unit ? 1.0 : 0 }
      return interpreter.run(
        program, inputs: ["state": Array(both[..<s]), "increments": Array(both[s...])])["next"]
    }
    let origin = next(nil)
    func columns(_ units: Range<Int>) -> Matrix {
      Matrix(units.map { unit in zip(next(unit), origin).map { $0 - $1 } }).transposed
    }
    (offset, ofState, ofIncrements) = (origin, columns(0..<s), columns(s..<s + m))
  }

  /// The next state [S], in physical units like the state [S] and the increments [M].
  package func next(_ state: [Double], increments: [Double]) -> [Double] {
    let (x, f) = (states.standardise(state), self.increments.standardise(increments))
    return states.restore(
      offset.indices.map { offset[$0] + dot(ofState.row($0), x) + dot(ofIncrements.row($0), f) })
  }

  /// Standard deviations of the next state [S] from those of independent increments [M], physical units.
  package func deviation(_ increments: [Double]) -> [Double] {
    let f = zip(increments, self.increments.scale).map { $0 / $1 }
    return offset.indices.map { i in
      let parts = zip(ofIncrements.row(i), f).map { $0 * $1 }
      return states.scale[i] * dot(parts, parts).squareRoot()
    }
  }
}
