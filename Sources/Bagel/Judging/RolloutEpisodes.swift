// SPDX-License-Identifier: Apache-2.0
// Rollouts as episodes, which are judged and read for features like episodes on a plant.

import Draws
import Execution
import GaussianProcesses
import MachineLogs
import Rollouts

extension BatchTrajectories {
  /// A particle as an episode.
  func episode(of particle: Int, _ model: DynamicsModel) -> Episode {
    let count = model.layout.states.count
    let states = (0...horizon).map { k in
      model.stateStandardiser.restore(Array(carry(step: k, particle: particle).prefix(count)))
    }
    let actions = (0..<horizon).map { Array(action(step: $0, particle: particle)) }
    return Episode(
      name: "rollout \(particle)", timeStep: model.layout.timeStep, states: states,
      actions: actions + actions.suffix(1))
  }

  /// The particles as episodes, their states as sensors with noise would measure them.
  ///
  /// - Parameters:
  ///   - model: of the rollouts.
  ///   - noise: deviations of the sensors [S].
  ///   - key: of the noise.
  ///   - first: number of the first particle's draws.
  func measured(
    _ model: DynamicsModel, noise: [Double], key: DrawKey, from first: Int
  ) -> [Episode] {
    (0..<particles).map { b in
      var episode = episode(of: b, model)
      for k in episode.states.indices {
        let draws = key.normals(particle: first + b, step: k, count: noise.count)
        for i in noise.indices { episode.states[k][i] += noise[i] * draws[i] }
      }
      return episode
    }
  }
}
