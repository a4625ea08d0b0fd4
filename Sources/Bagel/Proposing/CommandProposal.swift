// SPDX-License-Identifier: Apache-2.0
// What to drive next: the commands that reduce the model's variance most where the policy drives. In: a model, and a policy on it. Out:
// commands, and the variance that they are expected to remove. Rows beyond the limits count for nothing, and leaving the limits costs.
//
// The policy's rollouts say where the model matters: states and commands on its way to its goals. A sequence of commands is worth as much
// as rows along its rollouts would take of the model's variance there (`ModelGain`), which is known before it is driven. Sequences grow
// piece by piece, each the best of many random ones: the worth of rows falls with those there are, so that greed comes near to the best
// (Krause, Singh, Guestrin 2008, Near-optimal sensor placements in Gaussian processes).

import Draws
import Execution
import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs
import Policies
import Rollouts
import Samplers
import Tasks

/// Commands that are worth driving.
package struct CommandProposal: Sendable {
  /// Physical units, a row a time step [T][A].
  package let commands: [[Double]]
  /// The part of the model's variance on the policy's way that is expected to be left after them, 0 to 1.
  package let remainingVariance: Double
  /// The part of rollouts that leave limits with them.
  package let leaving: Double
  /// What is promised of the policy now, and what is expected to be promised of it once they are driven; nil where nothing can be.
  package let promises: (now: Promise, expected: Promise)?
  /// Sequences that were tried, and seconds.
  package let tried: Int
  package let seconds: Double
}

/// Why nothing can be proposed.
package struct CannotPropose: Fault {
  package let statement: String

  package init(_ statement: String) { self.statement = statement }
}

extension ControlTask {
  /// Seconds of a piece, and pieces at most.
  private static let (pieceSeconds, mostPieces) = (3.0, 12)
  /// Sequences that are tried for each piece.
  private static let candidates = 24
  /// Points on the policy's way, and rows of each piece, by which a sequence is judged.
  private static let (points, judgedRows) = (200, 40)
  /// Rollouts of a sequence whose rows are judged.
  private static let judgedRollouts = 2
  /// Rows with which an expected model is made.
  private static let expectedRows = 600
  /// What a rollout that leaves its limits costs beside its rows: it takes as much as telling this part of the variance gives.
  private static let leavingCost = 0.25

  /// The commands that reduce the uncertainty along a policy's path most.
  ///
  /// - Parameters:
  ///   - controller: the policy; found on the model.
  ///   - model: of this task's machine.
  ///   - seconds: of driving.
  ///   - seed: of what is tried.
  ///   - device: where rollouts run.
  ///   - judges: whether promises are made, now and as expected.
  ///   - goesOn: asked with the fraction done; false ends it.
  /// - Returns: nil where `goesOn` ended it.
  /// - Throws: `CannotPropose`, `UnsuitableSampler`, `ExecutionError`, `FactorizationError`, `LogError`.
  package func proposeCommands(
    for controller: PolicyController, on model: DynamicsModel, seconds: Double, seed: UInt64 = 0,
    device: ExecutionDevice? = nil, judges: Bool = true,
    goesOn: (_ fraction: Double) -> Bool = { _ in true }
  ) throws -> CommandProposal? {
    let start = ContinuousClock.now
    guard layout.disturbances.isEmpty else {
      throw CannotPropose(
        "commands cannot be proposed for a machine with disturbances: future disturbances are not known"
      )
    }
    let sampler = try judgingSampler(of: model, device)
    let rows = Int((seconds / layout.timeStep).rounded())
    let trial = try CommandTrial(self, model, sampler, rows: rows, seed: seed, device)
    let way = try policyWay(controller, model, sampler, device)
    let gain = try ModelGain(model, at: way.features)
    var chosen = RandomCommands.resting(nil, from: 0, self, trial)
    var (told, tried) = ([[Double]](), 0)
    let pieces = min(max(Int((seconds / Self.pieceSeconds).rounded()), 1), Self.mostPieces)
    for piece in 0..<pieces {
      let range = piece * rows / pieces..<(piece + 1) * rows / pieces
      var best: (knots: CommandTrial.Knots, features: [[Double]], score: Double)?
      for candidate in 0..<Self.candidates {
        let number = piece * Self.candidates + candidate
        guard goesOn(Double(number) / Double(pieces * Self.candidates)) else { return nil }
        let random = RandomCommands(
          self, trial, seed: seed, number: number,
          recorded: number % 3 == 0 ? way.actions[number / 3 % way.actions.count] : nil)
        // Among them rest, which hardly leaves anything.
        let knots =
          candidate == 0
          ? RandomCommands.resting(chosen, from: range.lowerBound, self, trial)
          : random.replacing(range, of: chosen)
        // With rest after it: what cannot come to rest inside its limits is no beginning of anything.
        let (episodes, leaving, _) = try trial.run(
          knots, rows: min(range.upperBound + range.count, rows))
        tried += 1
        let features = features(
          of: episodes.prefix(Self.judgedRollouts), in: range, model, count: Self.judgedRows)
        let left = features.isEmpty ? 1 : try gain.remaining(observing: told + features)
        let score = left + Self.leavingCost * leaving
        if best.map({ score < $0.score }) ?? true { best = (knots, features, score) }
      }
      guard let best else { preconditionFailure("no sequence was tried") }
      chosen = best.knots
      told += best.features
    }
    let (episodes, leaving, commands) = try trial.run(chosen, rows: rows)
    let expected = features(
      of: episodes.prefix(1), in: 0..<rows, model, count: Self.expectedRows)
    let promises =
      judges && !expected.isEmpty
      ? try promise(of: controller, on: model, device: device).flatMap { now in
        try promise(of: controller, on: model.expected(with: expected), device: device).map {
          (now: now, expected: $0)
        }
      } : nil
    return CommandProposal(
      commands: commands,
      remainingVariance: told.isEmpty ? 1 : try gain.remaining(observing: told), leaving: leaving,
      promises: promises, tried: tried, seconds: start.duration(to: .now).seconds)
  }

  /// Where the policy goes: features of its rollouts, evenly spread [m][D], and the commands of some [particles][T][A].
  private func policyWay(
    _ controller: PolicyController, _ model: DynamicsModel, _ sampler: any PosteriorSampler,
    _ device: ExecutionDevice?
  ) throws -> (features: [[Double]], actions: [[[Double]]]) {
    let particles = 20
    let loop = try PolicyLoop(
      self, controller, on: model, sampler, makeReward(model), particles: particles, device)
    let trajectories = try loop.executor.trajectories(loop.batch(iteration: .max - 1))
    let episodes = (0..<particles).map { trajectories.episode(of: $0, model) }
    return (
      features(of: episodes, in: 0..<trajectories.horizon, model, count: Self.points),
      episodes.map(\.actions)
    )
  }

  /// Features of rows of rollouts, evenly spread [count][D].
  private func features(
    of episodes: some Collection<Episode>, in rows: Range<Int>, _ model: DynamicsModel, count: Int
  ) -> [[Double]] {
    let all = episodes.flatMap { episode -> [[Double]] in
      let features = EpisodeFeatures(model.form, episode)
      return rows.filter { $0 >= model.form.longestLag && $0 < episode.count }.map { features[$0] }
    }
    // A rollout that diverged says nothing.
    let finite = all.filter { $0.allSatisfy(\.isFinite) }
    return evenlySpreadRows(count: finite.count, wanted: count).map { finite[$0] }
  }
}
