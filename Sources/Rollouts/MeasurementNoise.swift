// SPDX-License-Identifier: Apache-2.0
// What a policy sees of a particle: its state plus the noise of its sensors, which for derived rates has gone
// through the same causal filter as on the machine. The filter is linear, so noise and state pass it separately:
//
//   n_k = deviation * draw,   e_k = e_(k-1) + a ((n_k - n_(k-1)) / T - e_(k-1))        (CausalSignals.swift)
//
// A policy optimised without it takes derived rates for exact, and its gain makes the machine tremble. (MC-PILCO4PMS,
// Amadio et al. 2022, section V, simulates sensors and filters in the same place.)

import MachineLogs
import Policies
import Programs

/// Noise of the sensors.
public struct MeasurementNoise: Hashable, Sendable {
  /// Standard deviation of each state that is a column of its own [S], physical units; empty for none. What stands at
  /// derived states does not matter.
  public var deviations: [Double]

  public init(deviations: [Double] = []) { self.deviations = deviations }

  private func isNoisy(_ state: Int) -> Bool {
    state < deviations.count && deviations[state] > 0
  }

  private func noisyColumns(_ layout: LogLayout) -> [Int] {
    layout.states.indices.filter { isNoisy($0) && layout.states[$0].source == .column }
  }

  /// Normal draws a step.
  func drawCount(_ layout: LogLayout) -> Int { noisyColumns(layout).count }

  /// (derived rate, its base) among the states, where the base is noisy.
  private func rates(_ layout: LogLayout) -> [(rate: Int, base: Int)] {
    layout.states.enumerated().compactMap { i, channel in
      guard case .rate(let name, _) = channel.source,
        let base = layout.states.firstIndex(where: { $0.name == name }), isNoisy(base)
      else { return nil }
      return (i, base)
    }
  }

  /// Numbers a particle remembers: n of the base and e, for every rate.
  func memory(_ layout: LogLayout) -> Int { 2 * rates(layout).count }

  /// The state as it is measured, standardised, and the new memory.
  func measured(
    _ state: Value, memory: Value?, layout: LogLayout, firstDraw: Int
  ) -> (Value, Value?) {
    let builder = state.builder
    let noisy = noisyColumns(layout)
    if noisy.isEmpty { return (state, nil) }
    let draws = builder.normal(first: firstDraw, length: noisy.count)
    var errors: [Int: Value] = [:]
    for (index, i) in noisy.enumerated() { errors[i] = deviations[i] * draws[index] }
    var remembered: [Value] = []
    for (index, pair) in rates(layout).enumerated() {
      guard let memory, let error = errors[pair.base] else { continue }
      let (last, filtered) = (memory[2 * index], memory[2 * index + 1])
      let difference = (1 / layout.timeStep) * (error - last)
      let smoothing = layout.states[pair.rate].source.smoothing(timeStep: layout.timeStep)
      let next = smoothing == 1 ? difference : filtered + smoothing * (difference - filtered)
      errors[pair.rate] = next
      remembered += [error, next]
    }
    let scale = builder.shared(PolicyInputs.stateScaleArray, length: state.length)
    let parts = (0..<state.length).map { i in
      errors[i].map { state[i] + $0 / scale[i] } ?? state[i]
    }
    return (
      builder.concatenate(parts).named("measured"),
      remembered.isEmpty ? nil : builder.concatenate(remembered)
    )
  }
}
