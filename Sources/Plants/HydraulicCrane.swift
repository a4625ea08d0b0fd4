// SPDX-License-Identifier: Apache-2.0
// A crane of three joints in a plane, as the arm of a mini excavator: boom, stick and tool, one valve each.
//
//   command u_i --transport delay--> --spool lag--> spool s_i --deadband--> opening a_i in [-1, 1]
//   pump    p = min(1, largest flow / sum_i F_i |a_i|): a larger demand slows all joints
//   load    l_i = sqrt(1 - sign(a_i) c G_i / Gmax_i), G_i the torque of gravity about joint i, Gmax_i that of
//           the arm stretched out level: raising is slower than lowering
//   rate    r_i' = (a_i R_i p l_i - r_i) / oil lag, R_i the full rate in the direction of a_i
//
// Joints affect each other through the pump and through gravity. Angles: the boom's above the horizontal, the others'
// relative to the link before.

import Draws
import Foundation
import MachineLogs

/// A hydraulic crane, simulated.
package struct HydraulicCrane: SimulatedPlant {
  /// A link, and the joint at which it begins.
  package struct Joint: Sendable {
    /// m
    package var length: Double
    /// kg, in the link's middle.
    package var mass: Double
    /// Rates at full opening without load, rad/s, both positive.
    package var raisingRate: Double
    package var loweringRate: Double
    /// Oil that it takes at full opening, as a part of the boom's.
    package var flow: Double
    /// Hard stops, rad.
    package var lowerStop: Double
    package var upperStop: Double
  }

  package let name = "crane"
  /// Seconds between measurements.
  package var timeStep = 0.05
  /// Seconds of the integrator.
  package var innerStep = 0.0005
  package var boom = Joint(
    length: 1.7, mass: 60, raisingRate: 0.45, loweringRate: 0.55, flow: 1, lowerStop: -0.6,
    upperStop: 1.1)
  package var stick = Joint(
    length: 0.9, mass: 30, raisingRate: 0.8, loweringRate: 0.9, flow: 0.8, lowerStop: -2.4,
    upperStop: -0.4)
  package var tool = Joint(
    length: 0.5, mass: 25, raisingRate: 1.4, loweringRate: 1.5, flow: 0.5, lowerStop: -1.8,
    upperStop: 0.9)
  /// Seconds from command to spool motion.
  package var transportDelay = 0.05
  /// Time constant of the spools, s.
  package var spoolLag = 0.08
  /// |spool| below which nothing flows.
  package var deadband = 0.04
  /// Time constant from flow to rate, s.
  package var oilLag = 0.06
  /// c: part of the pressure that the largest load takes.
  package var loadFraction = 0.5
  /// Largest flow of the pump, as a part of the boom's at full opening.
  package var pumpFlow = 1.6
  /// Standard deviations of the measurement noise, rad and rad/s.
  package var angleNoise = 5e-4
  package var rateNoise = 5e-3

  private static let gravity = 9.81

  private var motion = Motion()
  /// Commands of the last `transportDelay`, oldest first, one an inner step.
  private var pipeline: [SIMD3<Double>] = []
  private var pipelineHead = 0
  private var noise = DrawKey(seed: 0)
  private var measurements = 0

  /// Angles, rates and spools of the three joints.
  private struct Motion {
    var angles = SIMD3<Double>()
    var rates = SIMD3<Double>()
    var spools = SIMD3<Double>()

    func moved(_ slope: Motion, _ seconds: Double) -> Motion {
      Motion(
        angles: angles + seconds * slope.angles, rates: rates + seconds * slope.rates,
        spools: spools + seconds * slope.spools)
    }
  }

  package init() {}

  package static var parameters:
    [(name: String, path: WritableKeyPath<HydraulicCrane, Double> & Sendable)]
  {
    [
      ("transportDelay", \.transportDelay), ("spoolLag", \.spoolLag), ("deadband", \.deadband),
      ("oilLag", \.oilLag), ("loadFraction", \.loadFraction), ("pumpFlow", \.pumpFlow),
      ("boomLength", \.boom.length), ("stickLength", \.stick.length),
      ("toolLength", \.tool.length), ("boomMass", \.boom.mass), ("stickMass", \.stick.mass),
      ("toolMass", \.tool.mass), ("boomRaisingRate", \.boom.raisingRate),
      ("stickRaisingRate", \.stick.raisingRate), ("toolRaisingRate", \.tool.raisingRate),
      ("boomLoweringRate", \.boom.loweringRate), ("stickLoweringRate", \.stick.loweringRate),
      ("toolLoweringRate", \.tool.loweringRate), ("boomFlow", \.boom.flow),
      ("stickFlow", \.stick.flow), ("toolFlow", \.tool.flow),
    ]
  }

  package var states: [Channel] {
    ["boom", "stick", "tool"].map { Channel(name: $0, units: "rad") }
      + ["boom_rate", "stick_rate", "tool_rate"].map { Channel(name: $0, units: "rad/s") }
  }
  package var actions: [Channel] {
    ["boom_valve", "stick_valve", "tool_valve"].map { Channel(name: $0, units: "-") }
  }
  package var actionLimits: [ClosedRange<Double>] { [-1...1, -1...1, -1...1] }

  private var joints: [Joint] { [boom, stick, tool] }

  /// Starts with closed valves at angles and rates (rad, rad/s); at rest at random angles if nil.
  package mutating func reset(to state: [Double]?, seed: UInt64) -> Measurement {
    noise = DrawKey(seed: seed, stream: .craneSensors)
    measurements = 0
    let u = noise.uniforms(particle: 1, step: 0, count: joints.count)
    let angles =
      state?.prefix(3)
      ?? zip(joints, u).map { $0.lowerStop + ($0.upperStop - $0.lowerStop) * (0.2 + 0.6 * $1) }[...]
    motion = Motion(angles: SIMD3(angles))
    if let state, state.count == 6 { motion.rates = SIMD3(state.suffix(3)) }
    pipeline = Array(
      repeating: SIMD3(), count: Int((transportDelay / innerStep).rounded()))
    pipelineHead = 0
    return measure()
  }

  package mutating func step(_ action: [Double]) -> Measurement {
    let command = SIMD3(action).clamped(
      lowerBound: SIMD3(repeating: -1), upperBound: SIMD3(repeating: 1))
    let joints = joints
    let level = gravityTorques(joints, cosines: SIMD3(repeating: 1))
    for _ in 0..<Int((timeStep / innerStep).rounded()) { integrate(command, joints, level: level) }
    return measure()
  }

  /// The true angles (rad) and rates (rad/s), without noise.
  package var trueState: [Double] {
    (0..<3).map { motion.angles[$0] } + (0..<3).map { motion.rates[$0] }
  }

  /// Torques of gravity about the joints, N m, positive where it turns the links down.
  ///
  /// - Parameters:
  ///   - joints: boom, stick, tool.
  ///   - cosines: of the links' angles above the horizontal; 1 of links that are level.
  private func gravityTorques(_ joints: [Joint], cosines: SIMD3<Double>) -> SIMD3<Double> {
    var torques = SIMD3<Double>()
    for i in 0..<3 {
      // Level way from joint i to the beginning of the link.
      var way = 0.0
      for k in i..<3 {
        torques[i] += joints[k].mass * Self.gravity * (way + joints[k].length / 2 * cosines[k])
        way += joints[k].length * cosines[k]
      }
    }
    return torques
  }

  /// Derivative of a motion by time.
  private func slope(
    _ motion: Motion, command: SIMD3<Double>, _ joints: [Joint], level: SIMD3<Double>
  ) -> Motion {
    var openings = SIMD3<Double>()
    var flow = 0.0
    for i in 0..<3 {
      let opening = max(abs(motion.spools[i]) - deadband, 0) / (1 - deadband)
      openings[i] = motion.spools[i] < 0 ? -opening : opening
      flow += joints[i].flow * opening
    }
    let pump = flow > pumpFlow ? pumpFlow / flow : 1
    let (boom, stick) = (motion.angles[0], motion.angles[0] + motion.angles[1])
    let torques = gravityTorques(
      joints, cosines: SIMD3(cos(boom), cos(stick), cos(stick + motion.angles[2])))
    var wanted = SIMD3<Double>()
    for i in 0..<3 {
      let isRaising = openings[i] > 0
      let load = loadFraction * torques[i] / level[i]
      let drop = max(1 - (isRaising ? load : -load), 0).squareRoot()
      let full = isRaising ? joints[i].raisingRate : joints[i].loweringRate
      wanted[i] = openings[i] * full * pump * drop
    }
    return Motion(
      angles: motion.rates, rates: (wanted - motion.rates) / oilLag,
      spools: (command - motion.spools) / spoolLag)
  }

  /// One inner step, by the midpoint rule.
  private mutating func integrate(
    _ command: SIMD3<Double>, _ joints: [Joint], level: SIMD3<Double>
  ) {
    var delayed = command
    if !pipeline.isEmpty {
      swap(&delayed, &pipeline[pipelineHead])
      pipelineHead = (pipelineHead + 1) % pipeline.count
    }
    let half = motion.moved(
      slope(motion, command: delayed, joints, level: level), innerStep / 2)
    motion = motion.moved(slope(half, command: delayed, joints, level: level), innerStep)
    for (i, joint) in joints.enumerated() {
      if motion.angles[i] < joint.lowerStop {
        (motion.angles[i], motion.rates[i]) = (joint.lowerStop, max(motion.rates[i], 0))
      }
      if motion.angles[i] > joint.upperStop {
        (motion.angles[i], motion.rates[i]) = (joint.upperStop, min(motion.rates[i], 0))
      }
    }
  }

  private mutating func measure() -> Measurement {
    let draws = noise.normals(particle: 0, step: measurements, count: 6)
    measurements += 1
    return Measurement(
      zip(trueState, draws).enumerated().map { i, both in
        both.0 + (i < 3 ? angleNoise : rateNoise) * both.1
      })
  }
}
