// SPDX-License-Identifier: Apache-2.0
// A machine that is learnt in a second: a second-order lag, its rate derived. In: a task with the states x and x_rate and the action u,
// at 0.05 s. Out: its model, from 400 rows.

import Bagel
import Draws
import GaussianProcesses
import Tasks
import TestSupport

enum DrivenLag {
  /// A model from logged driving.
  static func model(of task: ControlTask) throws -> DynamicsModel {
    let key = DrawKey(seed: 11)
    var (x, v, u) = (0.0, 0.0, 0.0)
    var rows: [String] = ["t,x,u"]
    for k in 0..<400 {
      if k % 10 == 0 { u = key.uniforms(particle: 0, step: k, count: 1)[0] * 2 - 1 }
      rows.append(
        "\(0.05 * Double(k)),\(x + 1e-4 * key.normals(particle: 1, step: k, count: 1)[0]),\(u)")
      v += 0.05 * (4 * u - 2 * v - 3 * x)
      x += 0.05 * v
    }
    let path = Scratch.path("driving.csv")
    try (rows.joined(separator: "\n") + "\n").write(
      toFile: path, atomically: true, encoding: .utf8)
    return try DynamicsModel.fit(
      task.layout.episodes(from: [path]), layout: task.layout, form: task.modelForm(),
      options: task.model.fit
    ).model
  }
}
