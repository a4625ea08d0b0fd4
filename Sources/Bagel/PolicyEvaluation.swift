// SPDX-License-Identifier: Apache-2.0
// A policy on a plant, judged as a control engineer would: rise time, overshoot, steady-state error,
// chatter, success.

import Foundation
import MachineLogs
import Plants
import Policies
import PolicySearch
import Programs
import Tasks

/// One episode of a policy on a plant, and its figures for state 0 (physical units, seconds).
public struct EvaluatedEpisode: Sendable {
  public var episode: Episode
  public var goal: [Double]
  /// Time from 10 % to 90 % of the way; nil if it did not get there.
  public var riseTime: Double?
  /// Largest excursion beyond the goal.
  public var overshoot: Double
  /// Mean |state - goal| from the settling time on.
  public var steadyStateError: Double
  /// Largest |state - goal| from the settling time on.
  public var largestError: Double
  /// Mean |u_k - u_(k-1)| from the settling time on, the largest over the actions.
  public var actionChange: Double
  public var isSuccess: Bool
}

/// The episodes of an evaluation.
public struct Evaluation: Sendable {
  public var episodes: [EvaluatedEpisode]
  public var successes: Int { episodes.count { $0.isSuccess } }
  /// Mean over the episodes.
  public var steadyStateError: Double {
    episodes.reduce(0) { $0 + $1.steadyStateError } / Double(max(episodes.count, 1))
  }
}

extension ControlTask {
  /// Drives the task's plant with a policy, each episode with its own noise and start.
  ///
  /// Throws: `LogError` where the task has no plant.
  public func evaluate(_ controller: PolicyController, seed: UInt64 = 0) throws -> Evaluation {
    var plant = try makePlant()
    let key = DrawKey(seed: seed, iteration: 0x6576_616c)
    let steps = Int((evaluation.seconds / layout.timeStep).rounded())
    let starts = start.draw(evaluation.episodes, key: key, for: .initialStates)
    let goals = goal.draw(evaluation.episodes, key: key, for: .goals)
    let episodes = try (0..<evaluation.episodes).map { index in
      var first = starts[index]
      let spread = key.uniforms(particle: index, step: 0, count: 1)[0]
      first[0] += evaluation.startSpread * (2 * spread - 1)
      let target = goals[index]
      let episode = try plant.run(
        steps: steps, from: first, seed: seed &* 1_000_003 &+ 7_919 &+ UInt64(index),
        name: "evaluation \(index + 1)"
      ) { _, state in controller.action(state: state, goal: target) }
      return judge(episode, goal: target)
    }
    return Evaluation(episodes: episodes)
  }

  /// The figures of one step response of state 0.
  func judge(_ episode: Episode, goal: [Double]) -> EvaluatedEpisode {
    let response = episode.states.map { $0[0] }
    let (first, target) = (response[0], goal[0])
    let settled = min(Int((evaluation.settle / layout.timeStep).rounded()), episode.count - 1)
    let errors = response[settled...].map { abs($0 - target) }
    let changes = layout.actions.indices.map { j in
      let actions = episode.actions[settled..<max(episode.count - 1, settled + 1)].map { $0[j] }
      let differences = zip(actions.dropFirst(), actions).map { abs($0 - $1) }
      return differences.reduce(0, +) / Double(max(differences.count, 1))
    }
    let way = response.map { target == first ? 1 : ($0 - first) / (target - first) }
    let tenth = way.firstIndex { $0 >= 0.1 }
    let ninetieth = way.firstIndex { $0 >= 0.9 }
    let largest = errors.max() ?? .infinity
    let change = changes.max() ?? 0
    return EvaluatedEpisode(
      episode: episode, goal: goal,
      riseTime: tenth.flatMap { a in ninetieth.map { Double($0 - a) * layout.timeStep } },
      overshoot: max(0, ((way.max() ?? 1) - 1) * abs(target - first)),
      steadyStateError: errors.reduce(0, +) / Double(errors.count), largestError: largest,
      actionChange: change,
      isSuccess: largest <= evaluation.tolerance && change < evaluation.largestActionChange)
  }
}
