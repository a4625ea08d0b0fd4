// SPDX-License-Identifier: Apache-2.0
// Command sequences tried on a model: rollouts that play them back from where episodes start, each particle on a function of the
// posterior of its own.

import Draws
import Execution
import GaussianProcesses
import MachineLogs
import Plants
import Policies
import Programs
import Rollouts
import Samplers
import Tasks

/// Tries sequences of knots (`Policy.playback`).
struct CommandTrial {
  /// Commands of limits -1 ... 1, of one action after another [A * K].
  typealias Knots = [Double]

  let knotCount: Int
  /// Rows from one knot to the next.
  let spacing: Int
  private let model: DynamicsModel
  private let rollout: Rollout
  private let executor: any RolloutExecutor
  private let starts: [Double]
  private let key: DrawKey
  private let limits: [EpisodeRun.Limit]

  private static let particles = 16
  /// More knots slow rollouts down.
  private static let mostKnots = 200

  /// - Parameters:
  ///   - task: with starts and limits.
  ///   - model: of its machine.
  ///   - sampler: of the model.
  ///   - rows: of the longest sequence.
  ///   - seed: of starts and draws.
  ///   - device: where rollouts run.
  /// - Throws: `ExecutionError`, `LogError`.
  init(
    _ task: ControlTask, _ model: DynamicsModel, _ sampler: any PosteriorSampler, rows: Int,
    seed: UInt64, _ device: ExecutionDevice?
  ) throws {
    self.model = model
    spacing = max(2, (rows + Self.mostKnots - 1) / Self.mostKnots)
    knotCount = rows / spacing + 2
    let description = task.policyDescription
    let policy = Policy.playback(
      knots: knotCount, spacing: spacing,
      inputs: PolicyInputs(
        stateLength: model.layout.states.count, actionLength: description.lower.count,
        goalQuantities: task.objective.goalQuantities),
      lower: description.lower, upper: description.upper,
      largestChange: description.largestChanges, rest: description.rest)
    rollout = try task.makeRollout(
      model, sampler, policy: policy, dropout: 0,
      reward: Reward { inputs in inputs.state.builder.zeros(1) })
    executor = try ExecutionDevice.makeExecutor(
      on: device, rollout.program, data: rollout.data, particles: Self.particles, horizon: rows)
    key = DrawKey(seed: seed, iteration: Self.firstIteration)
    let drawn = task.objective.start.resolved(by: model).draw(
      Self.particles, key: key, for: .initialStates)
    let (rollout, own) = (rollout, key)
    starts = drawn.enumerated().flatMap {
      rollout.start(state: model.stateStandardiser.standardise($1), particle: $0, key: own)
    }
    limits = task.limitsOfProposals(model)
  }

  /// Draws that no search has.
  private static let firstIteration = UInt32(3) << 30

  /// What particles do, as far as their limits; the part of them that leaves limits; and the commands, physical units [rows][A].
  ///
  /// - Parameters:
  ///   - knots: of the sequence.
  ///   - rows: how many of it.
  /// - Throws: `ExecutionError`.
  func run(_ knots: Knots, rows: Int) throws
    -> (episodes: [Episode], leaving: Double, commands: [[Double]])
  {
    let trajectories = try executor.trajectories(
      RolloutBatch(
        parameters: knots, initialStates: starts,
        goals: Array(repeating: 0, count: Self.particles * rollout.program.goalLength),
        particles: Self.particles, horizon: rows, draws: key,
        functionDraws: rollout.functionDraws(Self.particles, key)))
    let whole = (0..<Self.particles).map { trajectories.episode(of: $0, model) }
    let ends = whole.map { episode in
      episode.states.firstIndex { state in
        limits.contains { !$0.range.contains($0.quantity.value(state)) }
      }
    }
    let episodes = zip(whole, ends).map { episode, end in
      end.map { episode.prefix(max($0, 1)) } ?? episode
    }
    let leaving = Double(ends.count { $0 != nil }) / Double(Self.particles)
    return (episodes, leaving, Array(whole[0].actions.prefix(rows)))
  }
}

extension ControlTask {
  /// Of the range that data have of a state, on either side: so far beyond them commands may lead where no limits are known.
  private static let stepOutside = 0.5

  /// Where commands that are proposed may lead: within the limits of states and quantities; where the task has none, half of the data's
  /// range beyond the data.
  fileprivate func limitsOfProposals(_ model: DynamicsModel) -> [EpisodeRun.Limit] {
    let own = episodeRun(seconds: layout.timeStep).limits
    if !own.isEmpty { return own }
    return layout.states.indices.filter { layout.states[$0].turn == nil }.compactMap { i in
      quantity(layout.states[i].name).map { quantity in
        let bounds = model.stateBounds[i]
        let margin = Self.stepOutside * (bounds.upperBound - bounds.lowerBound)
        return EpisodeRun.Limit(quantity, bounds.lowerBound - margin...bounds.upperBound + margin)
      }
    }
  }
}
