// SPDX-License-Identifier: Apache-2.0
// A policy on the task's plant, episode after episode, each judged.

import MachineLogs
import Plants
import Policies
import Tasks

extension ControlTask {
  /// Drives the task's plant with a policy, each episode with its own noise and start.
  ///
  /// - Parameters:
  ///   - controller: the policy with its numbers.
  ///   - seed: of starts, goals, noise and parameters.
  ///   - spread: every parameter of a simulated plant varies within 1 - spread ... 1 + spread from episode to episode.
  ///   - data: behind the policy, where start or goal are drawn from it.
  ///   - logFolder: where what a machine did is written, line by line; nothing is written of simulations.
  ///   - logName: how the names of those files begin.
  ///   - goesOn: asked at every step; false ends the evaluation with the safe action.
  ///   - tell: called for every episode as it ends.
  /// - Throws: `LogError` where the task has no plant or a goal of its schedule is out of bounds, `EpisodeFailure`.
  package func evaluate(
    _ controller: PolicyController, seed: UInt64 = 0, spread: Double = 0,
    within data: SearchedData = SearchedData(), logFolder: String? = nil,
    logName: String = "evaluation",
    goesOn: @escaping () -> Bool = { true }, tell: (EpisodeRun.Outcome) -> Void = { _ in }
  ) throws -> Evaluation {
    try checkSchedule(for: controller.policy.inputs.goal, within: data)
    let session = try PlantSession(self)
    defer { session.close() }
    let judge = EpisodeJudge(self)
    var episodes: [EvaluatedEpisode] = []
    for index in 0..<evaluation.episodes {
      if spread > 0 { try session.vary(by: spread, seed: seed &+ UInt64(index)) }
      let log = try (session.isMachine ? logFolder : nil).map {
        try LogWriter(episode: "\(logName)-\(index + 1)", in: $0, layout)
      }
      defer { log?.close() }
      let (outcome, goals) = try session.drive(
        controller, index: index, seed: seed, within: data,
        name: "evaluation \(index + 1)", log: log, goesOn: goesOn)
      tell(outcome)
      if let failure = outcome.failure { throw failure }
      if outcome.isInterrupted { break }
      episodes.append(judge.judge(outcome, goals: goals))
    }
    return Evaluation(episodes: episodes)
  }
}
