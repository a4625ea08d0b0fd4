// SPDX-License-Identifier: Apache-2.0
// A driver who moves one joint up and down by hand: holds a valve position for a while, changes it at a
// finite speed, rests now and then, and turns round before the stops. For collecting a first log.

import Draws

/// Commands for one action that moves one position.
package struct ManualDriving {
  /// Position bounds at which the driver turns round.
  package var lower: Double
  package var upper: Double
  /// Shortest and longest hold, s.
  package var shortestHold = 0.4
  package var longestHold = 2.5
  /// Share of holds that are rests.
  package var restShare = 0.2
  /// Fastest change of the command, 1/s.
  package var slewRate = 6.0
  /// Distance from a bound at which the driver begins to slow down, in units of the position.
  package var slowingRange: Double
  private let timeStep: Double
  private let draws: DrawKey
  /// Which of several it moves; each has draws of its own.
  private let lever: Int
  private var holds = 0
  private var left = 0
  private var target = 0.0
  private var command = 0.0

  package init(lower: Double, upper: Double, timeStep: Double, seed: UInt64, lever: Int = 0) {
    self.lower = lower
    self.upper = upper
    slowingRange = 0.15 * (upper - lower)
    (self.timeStep, self.lever) = (timeStep, lever)
    draws = DrawKey(seed: seed, stream: .manualDriving)
  }

  /// The next command in [-1, 1] at a measured position.
  package mutating func command(at position: Double) -> Double {
    if left == 0 {
      let u = draws.uniforms(particle: holds, step: lever, count: 4)
      holds += 1
      left = max(1, Int((shortestHold + (longestHold - shortestHold) * u[0]) / timeStep))
      // Small openings are used more often than large ones.
      let size = 0.05 + 0.95 * u[1]
      target = u[2] < restShare ? 0 : (u[3] < 0.5 ? -size : size)
    }
    left -= 1
    if position > upper { target = -max(abs(target), 0.2) }
    if position < lower { target = max(abs(target), 0.2) }
    let change = slewRate * timeStep
    command += min(max(target - command, -change), change)
    // Slower towards the ends, as a driver who hears the stops coming.
    let room = command > 0 ? upper - position : position - lower
    return command * min(1, max(room / slowingRange, 0.1))
  }
}
