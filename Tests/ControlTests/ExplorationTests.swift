// SPDX-License-Identifier: Apache-2.0
// Exploration: within limits, reproducible, and of the kind it says. Simulated plants: energy, periods, parameters.

import Bagel
import Foundation
import Plants
import Tasks
import Testing

@Suite("exploration and simulated plants")
struct ExplorationTests {
  private func actions(_ kind: ExplorationKind, seed: UInt64 = 1, steps: Int = 2_000) -> [Double] {
    var options = ExplorationOptions()
    options.kind = kind
    options.turningPoints = [-1...1]
    var explorer = Explorer(options, limits: [-2...4], rest: [0], timeStep: 0.1, seed: seed)
    return (0..<steps).map { explorer.action(step: $0, states: [0])[0] }
  }

  @Test(
    "actions stay within their limits and depend on the seed alone",
    arguments: ExplorationKind.allCases)
  func limits(kind: ExplorationKind) {
    let first = actions(kind)
    #expect(first.allSatisfy { (-2...4).contains($0) })
    #expect(first == actions(kind) && first != actions(kind, seed: 2))
    // It moves through most of the range.
    #expect((first.max() ?? 0) > 2.5 && (first.min() ?? 0) < -0.5)
  }

  @Test("random actions are independent, smooth ones are not, with the stated time constant")
  func correlation() {
    func correlation(_ x: [Double], lag: Int) -> Double {
      let mean = x.reduce(0, +) / Double(x.count)
      let variance = x.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      return zip(x, x.dropFirst(lag)).reduce(0) { $0 + ($1.0 - mean) * ($1.1 - mean) } / variance
    }
    let n = 20_000
    let bound = 4 / Double(n).squareRoot()
    #expect(abs(correlation(actions(.random, steps: n), lag: 1)) < bound)
    // First-order filter with a time constant of five steps; clipping at the limits takes a few per cent off.
    #expect(abs(correlation(actions(.smooth, steps: n), lag: 5) - exp(-1)) < 0.06)
  }

  @Test("an unforced cart-pole without friction keeps its energy")
  func cartPoleEnergy() {
    var plant = CartPole()
    (plant.friction, plant.noise) = (0, 0)
    _ = plant.reset(to: [0, 0.3, 2.5, 1], seed: 1)
    // Rod: kinetic 1/2 m (v^2 + l v w cos a + l^2 w^2 / 3), height of the centre -l/2 cos a.
    func energy() -> Double {
      let (m, l, s) = (plant.poleMass, plant.poleLength, plant.trueState)
      let (v, a, w) = (s[1], s[2], s[3])
      return 0.5 * (plant.cartMass + m) * v * v + 0.5 * m * l * v * w * cos(a) + m * l * l * w * w
        / 6
        - 0.5 * m * plant.gravity * l * cos(a)
    }
    let before = energy()
    for _ in 0..<60 { _ = plant.step([0]) }
    // Fourth order at 5 ms over 3 s.
    #expect(abs(energy() - before) < 1e-6)
  }

  @Test("a pendulum swings with the period of a rod, and cannot be held up by its motor from below")
  func pendulumPeriod() {
    var plant = Pendulum()
    (plant.friction, plant.angleNoise, plant.rateNoise, plant.timeStep) = (0, 0, 0, 0.01)
    plant.innerSteps = 2
    _ = plant.reset(to: [0.01, 0], seed: 1)
    var crossings: [Double] = []
    var last = 0.01
    for k in 1...400 {
      let angle = plant.step([0]).states[0]
      if last > 0 && angle <= 0 { crossings.append(0.01 * (Double(k) - angle / (angle - last))) }
      last = angle
    }
    // T = 2 pi sqrt(2 l / 3 g)
    let period = 2 * Double.pi * (2 / (3 * 9.82)).squareRoot()
    #expect(abs((crossings[1] - crossings[0]) / period - 1) < 1e-4)
    #expect(plant.largestTorque < 0.5 * plant.mass * plant.gravity * plant.length)
  }

  @Test("parameters have names and vary by the stated spread")
  func parameters() throws {
    var boom = HydraulicBoom()
    let isSet = boom.set("transportDelay", to: 0.15)
    #expect(isSet && boom.transportDelay == 0.15)
    let isUnknownSet = boom.set("colour", to: 1)
    #expect(!isUnknownSet)
    for name in BuiltInPlants.names {
      let nominal = try #require(BuiltInPlants.make(name))
      var varied = nominal
      varied.vary(by: 0.2, seed: 4)
      let again = {
        var plant = nominal; plant.vary(by: 0.2, seed: 4); return "\(plant)"
      }()
      #expect("\(varied)" == again && "\(varied)" != "\(nominal)")
    }
    var cart = CartPole()
    cart.vary(by: 0.2, seed: 4)
    #expect((0.4...0.6).contains(cart.poleMass) && cart.poleMass != 0.5)
  }
}
