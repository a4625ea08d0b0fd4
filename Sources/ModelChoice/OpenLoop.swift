// SPDX-License-Identifier: Apache-2.0
// A model driven by logged actions: from many rows of episodes at once, so many particles each, step by step. In: starts (an
// episode's row with the rows before it that the model reads). Out: states [particles, S] after each step, physical units. The
// step is the rollouts' own, compiled; only the actions come from the log.

import Draws
import Execution
import GaussianProcesses
import MachineLogs
import Programs
import Samplers

/// A row of an episode from which predictions begin.
public struct PredictionStart: Hashable, Sendable {
  /// Index of the episode.
  public let episode: Int
  /// The last row that is known.
  public let row: Int
}

/// Simulates a model along logged actions.
public struct OpenLoop {
  private let model: DynamicsModel
  private let step: PointwiseEvaluator
  private let particles: Int

  /// Standardised states beyond this count as diverged, as in rollouts.
  private static let stateLimit = 1_000.0
  /// Most particles that move together.
  private static let together = 1 << 15

  /// - Parameters:
  ///   - model: of the machine.
  ///   - sampler: of that model's posterior, whose draws are marginal.
  ///   - particles: from each start.
  /// - Throws: `ExecutionError`.
  public init(_ model: DynamicsModel, _ sampler: any PosteriorSampler, particles: Int) throws {
    precondition(sampler.functionLength == 0, "function draws last longer than a step")
    self.model = model
    self.particles = particles
    let expressions = StepExpressions(model)
    let (s, a) = (model.layout.states.count, model.layout.actions.count)
    let stateRows = model.form.stateLag + 1
    var slots = StepSlots()
    let draws = slots.draws("model", length: model.form.outputCount)
    step = try PointwiseEvaluator(
      inputs: s * stateRows + a * (model.form.actionLag + 1),
      data: SharedArrays.joined([expressions.data, sampler.data]), points: Self.together
    ) { x in
      func state(_ lag: Int) -> Value { x[lag * s..<(lag + 1) * s] }
      func action(_ lag: Int) -> Value {
        x[stateRows * s + lag * a..<stateRows * s + (lag + 1) * a]
      }
      let features = expressions.features(state: state, action: action)
      return expressions.next(
        state(0),
        increments: sampler.increments(
          at: features, draws: x.builder.normal(draws), functionOffset: 0))
    }
  }

  /// Starts of episodes with so many rows before them, and at least a row after.
  public static func starts(
    _ episodes: [Episode], rowsBefore: Int
  ) -> [PredictionStart] {
    episodes.indices.flatMap { e in
      stride(from: rowsBefore, to: episodes[e].count - 1, by: 1).map {
        PredictionStart(episode: e, row: $0)
      }
    }
  }

  /// Moves particles from starts as long as the log goes, at most so many steps.
  ///
  /// - Parameters:
  ///   - starts: with `form.longestLag` rows before them.
  ///   - episodes: that they are rows of.
  ///   - steps: most steps.
  ///   - seed: of the draws.
  ///   - visit: hears a start's states [particles][S] after a step, physical units; a particle that diverges stays where it was,
  ///     as in rollouts.
  /// - Throws: `ExecutionError`.
  public func run(
    from starts: [PredictionStart], in episodes: [Episode], steps: Int, seed: UInt64 = 0,
    visit: (_ start: Int, _ step: Int, _ states: ArraySlice<Double>) -> Void
  ) throws {
    // The longest first, so that those that end leave the end of a chunk.
    func left(_ index: Int) -> Int {
      min(steps, episodes[starts[index].episode].count - 1 - starts[index].row)
    }
    let order = starts.indices.sorted { (left($0), $1) > (left($1), $0) }
    let size = max(1, Self.together / particles)
    for first in stride(from: 0, to: order.count, by: size) {
      let chunk = Array(order[first..<min(first + size, order.count)])
      try run(
        chunk, starts, episodes, lengths: chunk.map(left), seed: seed &+ UInt64(first), visit)
    }
  }

  private func run(
    _ chunk: [Int], _ starts: [PredictionStart], _ episodes: [Episode], lengths: [Int],
    seed: UInt64, _ visit: (Int, Int, ArraySlice<Double>) -> Void
  ) throws {
    let standardiser = model.stateStandardiser
    let (s, a) = (model.layout.states.count, model.layout.actions.count)
    let (stateRows, actionRows) = (model.form.stateLag + 1, model.form.actionLag + 1)
    // Standardised states of each particle, newest first [stateRows][S].
    var past = chunk.flatMap { index -> [Double] in
      let (episode, row) = (episodes[starts[index].episode], starts[index].row)
      let rows = (0..<stateRows).flatMap { standardiser.standardise(episode.states[row - $0]) }
      return (0..<particles).flatMap { _ in rows }
    }
    var alive = chunk.count
    var step = 0
    while true {
      while alive > 0 && lengths[alive - 1] <= step { alive -= 1 }
      if alive == 0 { return }
      let count = alive * particles
      var points: [Double] = []
      points.reserveCapacity(count * (s * stateRows + a * actionRows))
      for p in 0..<count {
        points += past[p * s * stateRows..<(p + 1) * s * stateRows]
        let start = starts[chunk[p / particles]]
        for lag in 0..<actionRows {
          points += episodes[start.episode].actions[start.row + step - lag]
        }
      }
      let next = try self.step.values(
        at: points,
        draws: DrawKey(seed: seed &+ UInt64(step) << 32, stream: .predictions))
      for p in 0..<count
      where (0..<s).allSatisfy({ abs(next[p * s + $0]) <= Self.stateLimit }) {
        let old = p * s * stateRows
        for k in stride(from: s * stateRows - 1, through: s, by: -1) {
          past[old + k] = past[old + k - s]
        }
        for i in 0..<s { past[old + i] = next[p * s + i] }
      }
      step += 1
      for c in 0..<alive {
        let states = (c * particles..<(c + 1) * particles).flatMap { p in
          (0..<s).map {
            standardiser.mean[$0] + standardiser.scale[$0] * past[p * s * stateRows + $0]
          }
        }
        visit(chunk[c], step, states[...])
      }
    }
  }
}
