// SPDX-License-Identifier: Apache-2.0
// A rod on a motor; angle 0 hangs down, pi is up:
//
//   w' = (u - b w - m g l sin(a) / 2) / (m l^2 / 3)
//
// (Deisenroth, Efficient Reinforcement Learning using Gaussian Processes, 2010, appendix C.1.) The motor is too weak
// to lift the rod at once: it has to swing. Integrated by fourth-order Runge-Kutta.

import Draws
import Foundation
import MachineLogs

/// Pendulum swing-up.
package struct Pendulum: SimulatedPlant {
  package let name = "pendulum"
  /// Seconds between measurements.
  package var timeStep = 0.1
  /// Integrator steps a time step.
  package var innerSteps = 20
  /// kg
  package var mass = 1.0
  /// m
  package var length = 1.0
  /// N m s
  package var friction = 0.01
  /// m/s^2
  package var gravity = 9.82
  /// Largest torque, N m.
  package var largestTorque = 2.5
  /// Standard deviations of the measurement noise, rad and rad/s.
  package var angleNoise = 0.01
  package var rateNoise = 0.1

  private var state = [0.0, 0.0]
  private var draws = DrawKey(seed: 0)
  private var measurements = 0

  package init() {}

  package static var parameters:
    [(name: String, path: WritableKeyPath<Pendulum, Double> & Sendable)]
  {
    [("mass", \.mass), ("length", \.length), ("friction", \.friction), ("gravity", \.gravity)]
  }

  package var states: [Channel] {
    [Channel(name: "angle", units: "rad"), Channel(name: "rate", units: "rad/s")]
  }
  package var actions: [Channel] { [Channel(name: "torque", units: "N m")] }
  package var actionLimits: [ClosedRange<Double>] { [-largestTorque...largestTorque] }
  /// [angle, rate] without noise.
  package var trueState: [Double] { state }

  /// Starts at [angle, rate]; hanging still if nil.
  package mutating func reset(to state: [Double]?, seed: UInt64) -> Measurement {
    draws = DrawKey(seed: seed, stream: .pendulumSensors)
    measurements = 0
    self.state = state ?? [0, 0]
    return measure()
  }

  package mutating func step(_ action: [Double]) -> Measurement {
    let torque = min(max(action[0], -largestTorque), largestTorque)
    for _ in 0..<innerSteps {
      state = rungeKutta(state, step: timeStep / Double(innerSteps)) { x in
        let load = 0.5 * mass * gravity * length * sin(x[0])
        return [x[1], (torque - friction * x[1] - load) / (mass * length * length / 3)]
      }
    }
    return measure()
  }

  private mutating func measure() -> Measurement {
    let z = draws.normals(particle: 0, step: measurements, count: 2)
    measurements += 1
    return Measurement([state[0] + angleNoise * z[0], state[1] + rateNoise * z[1]])
  }
}
