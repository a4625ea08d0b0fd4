// SPDX-License-Identifier: Apache-2.0
// Plants: what a policy drives. In: actions [A] in physical units, one a time step. Out: measured states
// [S] in physical units, with noise. Simulated machines are structs here; each documents its parameters
// and their units as properties, so that an evaluation can vary them.

import MachineLogs

/// A machine, simulated or real, on a fixed time step.
public protocol Plant {
  /// Measured states and their units.
  var states: [Channel] { get }
  var actions: [Channel] { get }
  var actionLimits: [ClosedRange<Double>] { get }
  /// Seconds.
  var timeStep: Double { get }

  /// Starts an episode at `state` (its own choice if nil); returns the first measurement [S].
  mutating func reset(to state: [Double]?, seed: UInt64) throws -> [Double]
  /// Applies an action [A] for one time step; returns the measurement at its end [S].
  mutating func step(_ action: [Double]) throws -> [Double]
}

extension Plant {
  /// Runs a controller for `steps` steps and logs what it measured and did.
  ///
  /// - Parameter controller: (step, measured state) -> action; clipped to the limits.
  /// - Returns: an episode of steps + 1 rows; the last row repeats the last action.
  public mutating func run(
    steps: Int, from state: [Double]? = nil, seed: UInt64, name: String = "episode",
    controller: (Int, [Double]) throws -> [Double]
  ) throws -> Episode {
    var measured = [try reset(to: state, seed: seed)]
    var applied: [[Double]] = []
    for k in 0..<steps {
      let action = zip(try controller(k, measured[k]), actionLimits).map {
        min(max($0, $1.lowerBound), $1.upperBound)
      }
      applied.append(action)
      measured.append(try step(action))
    }
    applied.append(applied.last ?? actionLimits.map { _ in 0 })
    return Episode(name: name, timeStep: timeStep, states: measured, actions: applied)
  }
}
