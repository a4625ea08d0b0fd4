// SPDX-License-Identifier: Apache-2.0
// A pendulum that is quick to learn badly, for tests of what happens around the learning.

import Bagel
import Tasks

enum QuickPendulum {
  /// - Parameters:
  ///   - iterations: of each of two starts.
  static func yaml(iterations: Int = 10, trials: Int = 3) -> String {
    """
    name: quick
    timeStep: 0.1
    states: [{name: angle, units: rad}, {name: rate, units: rad/s}]
    actions: [{name: torque, units: N m, limits: [-2.5, 2.5]}]
    plant: pendulum
    explore: {kind: smooth, seconds: 3}
    model:
      covariance: squared-exponential
      mean: linear
      stateHistory: 0
      angles: [angle]
      sampler: tabulated
      tablePoints: 4000
    policy: {layers: [4]}
    reward: {formula: exp(-(1 + cos(angle)))}
    start: [0, 0]
    goal: [3.1415927, 0]
    optimise: {particles: 16, horizon: 20, iterations: \(iterations), starts: 2}
    evaluate: {seconds: 2, success: [{measure: sqrt(2 + 2 * cos(angle)), below: 0.2}]}
    learn: {trials: \(trials), untilSolved: false}
    """
  }

  /// The task with a shell script as its plant.
  static func task(plant script: String, in folder: String) throws -> ControlTask {
    try script.write(toFile: folder + "/plant.sh", atomically: true, encoding: .utf8)
    return try task {
      $0.replacingOccurrences(
        of: "plant: pendulum", with: "plant: {process: [sh, \(folder)/plant.sh]}")
    }
  }

  static func task(_ change: (String) -> String = { $0 }) throws -> ControlTask {
    try ControlTask(yaml: change(yaml()), file: "quick.yaml", folder: ".")
  }
}
