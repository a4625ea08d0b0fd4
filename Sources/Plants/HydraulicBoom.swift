// SPDX-License-Identifier: Apache-2.0
// A boom raised and lowered by one hydraulic cylinder through a proportional valve.
//
//   command u --transport delay--> --spool lag--> spool --deadband, metering--> opening A(spool)
//   cylinder speed = A sqrt(pressure drop);  boom speed = cylinder speed / moment arm
//   oil spring:  w'' + 2 zeta wn w' + wn^2 (w - boom speed) = 0
//
// The pressure drop falls with the load when raising and grows with it when lowering. Two disturbances are measured; both
// stay as they are unless they are given a spread: the load, which is then another in every episode, and the supply pressure, which
// sinks while other consumers draw oil. The metering edges
// are calibrated so that at 0 degrees the steady rates are those measured on an Avant loader's boom:
// u 0.10: +0.046, 0.211: +0.103, 0.9: +0.47, -0.10: -0.067, -0.211: -0.133, -0.9: -0.54 rad/s.

import Draws
import Foundation
import MachineLogs

/// The boom of the paper's experiments, simulated.
package struct HydraulicBoom: SimulatedPlant {
  package let name = "boom"
  /// Seconds between measurements.
  package var timeStep = 0.05
  /// Seconds of the integrator.
  package var innerStep = 0.001
  /// Seconds from command to spool motion.
  package var transportDelay = 0.03
  /// Time constant of the spool, s.
  package var spoolLag = 0.06
  /// |spool| below which nothing flows.
  package var deadband = 0.04
  /// (spool, boom rate in rad/s at 0 degrees) when raising; straight lines between, from the deadband.
  package var raising = [(0.10, 0.046), (0.211, 0.103), (0.9, 0.47)]
  /// The same when lowering (both positive).
  package var lowering = [(0.10, 0.067), (0.211, 0.133), (0.9, 0.54)]
  /// Factors of those rates (pump, valve wear).
  package var raisingGain = 1.0
  package var loweringGain = 1.0
  /// Load pressure at 0 degrees as a fraction of the supply pressure; proportional to the gravity torque.
  package var loadFraction = 0.35
  /// The load of an episode is loadFraction times 1 - loadSpread ... 1 + loadSpread.
  package var loadSpread = 0.0
  /// By how much of its full value the supply pressure sinks at most, and how fast it wanders, s.
  package var supplySpread = 0.0
  package var supplyTime = 2.0
  /// Pressure drop when lowering without load, fraction of the supply pressure.
  package var loweringPressure = 0.5
  /// Distances of the cylinder's pins from the joint, m, and their angle when the boom is at 0, rad.
  package var basePinDistance = 0.9
  package var rodPinDistance = 0.7
  package var pinAngle = 60 * Double.pi / 180
  /// Natural frequency (rad/s) and damping ratio of boom and oil.
  package var oilFrequency = 40.0
  package var oilDamping = 0.7
  /// Hard stops, rad.
  package var lowerStop = -38.5 * Double.pi / 180
  package var upperStop = 58 * Double.pi / 180
  /// Standard deviations of the measurement noise, rad and rad/s.
  package var angleNoise = 5e-4
  package var rateNoise = 5e-3

  private var angle = 0.0
  private var rate = 0.0
  private var acceleration = 0.0
  private var spool = 0.0
  /// Commands of the last `transportDelay`, oldest first, one an inner step.
  private var pipeline: [Double] = []
  private var pipelineHead = 0
  /// The load of this episode over its usual one, and the supply pressure now over its full one.
  private var loadFactor = 1.0
  private var supply = 1.0
  /// Where the other consumers are; of unit variance.
  private var demand = 0.0
  private var noise = DrawKey(seed: 0)
  private var measurements = 0

  package init() {}

  package static var parameters:
    [(name: String, path: WritableKeyPath<HydraulicBoom, Double> & Sendable)]
  {
    [
      ("transportDelay", \.transportDelay), ("spoolLag", \.spoolLag), ("deadband", \.deadband),
      ("raisingGain", \.raisingGain), ("loweringGain", \.loweringGain),
      ("loadFraction", \.loadFraction), ("loweringPressure", \.loweringPressure),
      ("basePinDistance", \.basePinDistance), ("rodPinDistance", \.rodPinDistance),
      ("pinAngle", \.pinAngle), ("oilFrequency", \.oilFrequency), ("oilDamping", \.oilDamping),
      ("loadSpread", \.loadSpread), ("supplySpread", \.supplySpread), ("supplyTime", \.supplyTime),
    ]
  }

  package var states: [Channel] {
    [Channel(name: "angle", units: "rad"), Channel(name: "rate", units: "rad/s")]
  }
  package var actions: [Channel] { [Channel(name: "valve", units: "-")] }
  package var disturbances: [Channel] {
    [Channel(name: "load", units: "-"), Channel(name: "supply", units: "-")]
  }
  package var actionLimits: [ClosedRange<Double>] { [-1...1] }

  /// Starts at rest at an angle (state[0], rad; a random one if nil) with the valve closed, under a load of its own.
  package mutating func reset(to state: [Double]?, seed: UInt64) -> Measurement {
    noise = DrawKey(seed: seed, stream: .boomSensors)
    measurements = 0
    let u = noise.uniforms(particle: 1, step: 0, count: 1)[0]
    angle = state?[0] ?? (lowerStop + (upperStop - lowerStop) * (0.2 + 0.6 * u))
    rate = state.flatMap { $0.count > 1 ? $0[1] : nil } ?? 0
    (acceleration, spool) = (0, 0)
    pipeline = Array(repeating: 0, count: Int((transportDelay / innerStep).rounded()))
    pipelineHead = 0
    let spread = noise.uniforms(particle: 2, step: 0, count: 1)[0]
    loadFactor = 1 + loadSpread * (2 * spread - 1)
    demand = noise.normals(particle: 3, step: 0, count: 1)[0]
    disturb()
    return measure()
  }

  package mutating func step(_ action: [Double]) -> Measurement {
    for _ in 0..<Int((timeStep / innerStep).rounded()) { integrate(min(max(action[0], -1), 1)) }
    // An Ornstein-Uhlenbeck process, which stays over a step.
    let kept = supplyTime > 0 ? exp(-timeStep / supplyTime) : 0
    demand =
      kept * demand
      + (1 - kept * kept).squareRoot()
      * noise.normals(particle: 3, step: measurements, count: 1)[0]
    disturb()
    return measure()
  }

  /// The true angle (rad) and rate (rad/s), without noise.
  package var trueState: [Double] { [angle, rate] }

  private var load: Double { loadFraction * loadFactor }

  /// The boom rate (rad/s) at which the flow of an opened valve moves the boom in the long run.
  package func steadyRate(spool: Double, angle: Double) -> Double {
    let edge = spool >= 0 ? raising : lowering
    let points = [(deadband, 0.0)] + edge
    let opening = max(abs(spool), deadband)
    let segment = zip(points, points.dropFirst()).first { opening <= $1.0 }
    let (a, b) = segment ?? (points[points.count - 2], points[points.count - 1])
    let nominal = a.1 + (b.1 - a.1) * (opening - a.0) / (b.0 - a.0)
    let usual = pressureDrop(spool, 0, load: loadFraction, supply: 1)
    let flow = (pressureDrop(spool, angle, load: load, supply: supply) / usual).squareRoot()
    let gain = spool >= 0 ? raisingGain : -loweringGain
    return gain * nominal * flow * momentArm(0) / momentArm(angle)
  }

  private func pressureDrop(
    _ spool: Double, _ angle: Double, load: Double, supply: Double
  ) -> Double {
    let pressure = load * cos(angle) * momentArm(0) / momentArm(angle)
    return max(spool >= 0 ? supply - pressure : loweringPressure + pressure, 0.01)
  }

  /// The supply pressure from what the others draw.
  private mutating func disturb() { supply = 1 - supplySpread * 0.5 * (1 + tanh(demand)) }

  /// Lever of the cylinder about the joint, m: a b sin(theta) / cylinder length.
  private func momentArm(_ angle: Double) -> Double {
    let (a, b, theta) = (basePinDistance, rodPinDistance, pinAngle + angle)
    let length = (a * a + b * b - 2 * a * b * cos(theta)).squareRoot()
    return a * b * sin(theta) / length
  }

  /// One inner step, semi-implicit Euler.
  private mutating func integrate(_ command: Double) {
    var delayed = command
    if !pipeline.isEmpty {
      swap(&delayed, &pipeline[pipelineHead])
      pipelineHead = (pipelineHead + 1) % pipeline.count
    }
    spool += innerStep / spoolLag * (delayed - spool)
    let target = steadyRate(spool: spool, angle: angle)
    acceleration +=
      innerStep
      * (oilFrequency * oilFrequency * (target - rate) - 2 * oilDamping * oilFrequency
        * acceleration)
    rate += innerStep * acceleration
    angle += innerStep * rate
    if angle <= lowerStop || angle >= upperStop {
      angle = min(max(angle, lowerStop), upperStop)
      (rate, acceleration) = (0, 0)
    }
  }

  private mutating func measure() -> Measurement {
    let draws = noise.normals(particle: 0, step: measurements, count: 2)
    measurements += 1
    var measured = Measurement([angle + angleNoise * draws[0], rate + rateNoise * draws[1]])
    measured.disturbances = [load, supply]
    return measured
  }
}
