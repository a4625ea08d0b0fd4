// SPDX-License-Identifier: Apache-2.0
// What a policy sees of a particle: its state plus the noise of its sensors, which for derived rates has gone
// through the same causal filter as on the machine. The filter is linear, so noise and state pass it separately:
//
//   n_k = deviation * draw,   e_k = e_(k-1) + a ((n_k - n_(k-1)) / T - e_(k-1))              (causalRate)
//
// A policy optimised without it takes derived rates for exact, and its gain makes the machine tremble. (MC-PILCO4PMS,
// Amadio et al. 2022, section V, simulates sensors and filters in the same place.)

import GaussianProcesses
import MachineLogs
import Policies
import Programs

/// Noise of the sensors.
package struct MeasurementNoise: Hashable, Sendable {
  /// Standard deviation of each state that is a column of its own [S], physical units; empty for none. What stands at
  /// derived states does not matter.
  package var deviations: [Double]

  package init(deviations: [Double] = []) { self.deviations = deviations }
}

/// The sensors in a step: what they carry, draw and show.
struct Sensors {
  /// State and deviation of each noisy column.
  private var noisy: [(state: Int, deviation: Double)] = []
  private var rates: [Rate] = []
  private var draws: DrawSlot?
  private let timeStep: Double

  /// A derived rate whose base is noisy.
  private struct Rate {
    let state: Int
    /// Among the noisy columns.
    let base: Int
    /// nil for none.
    let gain: Double?
    /// n of the base, and e.
    let memory: CarrySlot
  }

  init(_ noise: MeasurementNoise, layout: LogLayout, _ slots: inout StepSlots) {
    timeStep = layout.timeStep
    let states = layout.states
    for (i, deviation) in noise.deviations.enumerated()
    where deviation > 0 && i < states.count && states[i].source == .column {
      noisy.append((i, deviation))
    }
    if noisy.isEmpty { return }
    draws = slots.draws("sensors", length: noisy.count)
    for (i, channel) in states.enumerated() {
      guard case .rate(let name, _) = channel.source,
        let base = noisy.firstIndex(where: { states[$0.state].name == name })
      else { continue }
      let gain = channel.source.smoothing(timeStep: timeStep)
      rates.append(
        Rate(
          state: i, base: base, gain: gain == 1 ? nil : gain,
          memory: slots.carry(
            "sensor noise of '\(channel.name)'", length: 2, start: .fixed([0, 0]))))
    }
  }

  /// The state as it is measured, standardised; tells what is carried on.
  func measured(_ state: Value, carry: Value, next: inout [CarrySlot: Value]) -> Value {
    guard let draws else { return state }
    let builder = state.builder
    let normals = builder.normal(draws)
    let columns = noisy.enumerated().map { $1.deviation * normals[$0] }
    var errors = Dictionary(uniqueKeysWithValues: zip(noisy.map(\.state), columns))
    let inverseSeconds = builder.constant([1 / timeStep])
    for rate in rates {
      let error = columns[rate.base]
      let (last, filtered) = (carry[rate.memory][0], carry[rate.memory][1])
      let e = causalRate(
        change: error - last, inverseSeconds: inverseSeconds, rate: filtered,
        gain: rate.gain.map { builder.constant([$0]) })
      errors[rate.state] = e
      next[rate.memory] = builder.concatenate([error, e])
    }
    let scale = StepExpressions.scale(builder, states: state.length)
    let parts = (0..<state.length).map { i in
      errors[i].map { state[i] + $0 / scale[i] } ?? state[i]
    }
    return builder.concatenate(parts).named("measured")
  }
}
