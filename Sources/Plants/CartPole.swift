// SPDX-License-Identifier: Apache-2.0
// A cart on a rail with a pole that hangs from it; the pole is a uniform rod and angle 0 hangs down, pi is up.
//
//   den   = 4 (M + m) - 3 m cos^2 a
//   v'    = (2 m l w^2 sin a + 3 m g sin a cos a + 4 u - 4 b v) / den
//   w'    = (-3 m l w^2 sin a cos a - 6 (M + m) g sin a - 6 (u - b v) cos a) / (l den)
//
// (Deisenroth, Efficient Reinforcement Learning using Gaussian Processes, 2010, appendix C.2; Amadio et al.,
// MC-PILCO, 2022, section VI.) Integrated by fourth-order Runge-Kutta.

import Draws
import Foundation
import MachineLogs

/// Cart-pole swing-up, as published with PILCO and MC-PILCO.
package struct CartPole: SimulatedPlant {
  package private(set) var name = "cart-pole"
  /// Seconds between measurements.
  package var timeStep = 0.05
  /// Integrator steps a time step.
  package var innerSteps = 10
  /// Masses of cart and pole, kg.
  package var cartMass = 0.5
  package var poleMass = 0.5
  /// Length of the pole, m.
  package var poleLength = 0.5
  /// Friction of the cart, N s/m.
  package var friction = 0.1
  /// m/s^2
  package var gravity = 9.81
  /// Largest force, N.
  package var largestForce = 10.0
  /// Standard deviation of the measurement noise of every state: m, m/s, rad, rad/s.
  package var noise = 0.01

  private var state = [0.0, 0.0, 0.0, 0.0]
  private var draws = DrawKey(seed: 0)
  private var measurements = 0

  package init() {}

  /// With PILCO's time step and gravity.
  package static var pilco: CartPole {
    var plant = CartPole()
    plant.name = "cart-pole-pilco"
    (plant.timeStep, plant.innerSteps, plant.gravity) = (0.1, 20, 9.82)
    return plant
  }

  package static var parameters:
    [(name: String, path: WritableKeyPath<CartPole, Double> & Sendable)]
  {
    [
      ("cartMass", \.cartMass), ("poleMass", \.poleMass), ("poleLength", \.poleLength),
      ("friction", \.friction), ("gravity", \.gravity),
    ]
  }

  package var states: [Channel] {
    [
      Channel(name: "position", units: "m"), Channel(name: "velocity", units: "m/s"),
      Channel(name: "angle", units: "rad"), Channel(name: "rate", units: "rad/s"),
    ]
  }
  package var actions: [Channel] { [Channel(name: "force", units: "N")] }
  package var actionLimits: [ClosedRange<Double>] { [-largestForce...largestForce] }
  /// [position, velocity, angle, rate] without noise.
  package var trueState: [Double] { state }

  /// Starts at [position, velocity, angle, rate]; hanging still if nil.
  package mutating func reset(to state: [Double]?, seed: UInt64) -> Measurement {
    draws = DrawKey(seed: seed, stream: .cartPoleSensors)
    measurements = 0
    self.state = state ?? [0, 0, 0, 0]
    return measure()
  }

  package mutating func step(_ action: [Double]) -> Measurement {
    let force = min(max(action[0], -largestForce), largestForce)
    for _ in 0..<innerSteps {
      state = rungeKutta(state, step: timeStep / Double(innerSteps)) {
        derivative($0, force: force)
      }
    }
    return measure()
  }

  private func derivative(_ x: [Double], force: Double) -> [Double] {
    let (v, a, w) = (x[1], x[2], x[3])
    let (s, c, total) = (sin(a), cos(a), cartMass + poleMass)
    let den = 4 * total - 3 * poleMass * c * c
    let push = force - friction * v
    let spin = poleMass * poleLength * w * w
    return [
      v, (2 * spin * s + 3 * poleMass * gravity * s * c + 4 * push) / den,
      w, (-3 * spin * s * c - 6 * total * gravity * s - 6 * push * c) / (poleLength * den),
    ]
  }

  private mutating func measure() -> Measurement {
    let z = draws.normals(particle: 0, step: measurements, count: 4)
    measurements += 1
    return Measurement(zip(state, z).map { $0 + noise * $1 })
  }
}
