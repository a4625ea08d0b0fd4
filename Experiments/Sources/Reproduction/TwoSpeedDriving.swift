// SPDX-License-Identifier: Apache-2.0
// How the data of figure 4 are collected: the boom is raised and lowered by hand, first slowly, then fast.

import Bagel

/// A driver who goes to and fro between two turning points with one opening of the valve at a time.
struct TwoSpeedDriving {
  /// Angles, rad.
  let turningPoints: ClosedRange<Double>
  /// Openings of the valve, one after the other for an equal part of the time.
  let speeds: [Double]
  /// Of a row, and of the whole drive, s.
  let timeStep: Double
  let seconds: Double
  /// Hands are not instantaneous: full opening in 0.25 s.
  private let slewRate = 4.0
  private var direction = 1.0
  private var command = 0.0

  init(
    turningPoints: ClosedRange<Double>, speeds: [Double], timeStep: Double, seconds: Double
  ) {
    (self.turningPoints, self.speeds) = (turningPoints, speeds)
    (self.timeStep, self.seconds) = (timeStep, seconds)
  }

  /// The valve's command at a step and a measured angle.
  mutating func command(step: Int, angle: Double) -> Double {
    if angle > turningPoints.upperBound { direction = -1 }
    if angle < turningPoints.lowerBound { direction = 1 }
    let share = Double(step) * timeStep / seconds
    let speed = speeds[min(Int(share * Double(speeds.count)), speeds.count - 1)]
    let change = slewRate * timeStep
    command += min(max(direction * speed - command, -change), change)
    return command
  }
}
