// SPDX-License-Identifier: Apache-2.0
// The simulated boom against the rates measured on a real one, and its stops, delay and noise.

import Bagel
import Foundation
import Plants
import Testing

@Suite("hydraulic boom")
struct PlantTests {
  @Test(
    "steady rates at 0 degrees are the measured ones",
    arguments: [
      (0.10, 0.046), (0.211, 0.103), (0.9, 0.47), (-0.10, -0.067), (-0.211, -0.133), (-0.9, -0.54),
    ])
  func steadyRates(command: Double, rate: Double) {
    #expect(abs(HydraulicBoom().steadyRate(spool: command, angle: 0) - rate) < 1e-12)
    // Driven there: the rate as the boom passes 0 degrees, whose steady value changes slowly around it.
    var boom = HydraulicBoom()
    _ = boom.reset(to: [command > 0 ? -0.25 : 0.25], seed: 1)
    var passed: Double?
    for _ in 0..<400 where passed == nil {
      let before = boom.trueState[0]
      _ = boom.step([command])
      if before * boom.trueState[0] <= 0 { passed = boom.trueState[1] }
    }
    #expect(abs((passed ?? 0) - rate) < 0.04 * abs(rate))
  }

  @Test("the deadband holds, commands arrive late, stops stop")
  func details() {
    var boom = HydraulicBoom()
    _ = boom.reset(to: [0.1], seed: 1)
    for _ in 0..<40 { _ = boom.step([0.039]) }
    #expect(boom.trueState == [0.1, 0])
    boom.transportDelay = 0.15
    _ = boom.reset(to: [0.1], seed: 1)
    for _ in 0..<3 { _ = boom.step([1]) }
    #expect(boom.trueState == [0.1, 0])
    _ = boom.step([1])
    #expect(boom.trueState[1] > 0)
    for _ in 0..<200 { _ = boom.step([1]) }
    #expect(boom.trueState == [boom.upperStop, 0])
  }

  @Test("noise has the stated deviations and depends on the seed alone")
  func noise() {
    var boom = HydraulicBoom()
    _ = boom.reset(to: [0], seed: 3)
    let n = 4_000
    let samples = (0..<n).map { _ in boom.step([0]) }
    for (channel, deviation) in [(0, boom.angleNoise), (1, boom.rateNoise)] {
      let variance = samples.reduce(0) { $0 + $1.states[channel] * $1.states[channel] } / Double(n)
      // The standard deviation of a variance is sqrt(2 / n).
      let tolerance = 4 * (2 / Double(n)).squareRoot()
      #expect(abs(variance / (deviation * deviation) - 1) < tolerance)
    }
    _ = boom.reset(to: [0], seed: 3)
    #expect(boom.step([0]) == samples[0])
  }
}
