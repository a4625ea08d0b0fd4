// SPDX-License-Identifier: Apache-2.0
// The simulated boom after a quarter of a minute of driving, fitted once for all tests of a run.

import Bagel
import GaussianProcesses
import Tasks

package enum SmallBoom {
  /// 300 rows; two evaluations of the likelihood of all of them.
  package static func task() throws -> ControlTask {
    var task = try ControlTask("boom")
    task.exploration.seconds = 15
    task.model.fit.fullIterations = 2
    return task
  }

  private static let result = Result {
    let task = try SmallBoom.task()
    return (task: task, model: try task.fit().model)
  }

  /// The task and its model.
  package static func fitted() throws -> (task: ControlTask, model: DynamicsModel) {
    try result.get()
  }
}
