// SPDX-License-Identifier: Apache-2.0
// How many blocks a batch takes and what it keeps for its adjoint. A step keeps its state and its tape (KEPT
// numbers a particle). Where H of them have no room, every K-th state is kept, and K steps are run again
// and kept at a time: B (H / K S + K KEPT) numbers, least for K = sqrt(H S / KEPT), for one more forward run.

import Programs

/// Blocks, kept steps and bytes of a batch on a GPU.
public struct CUDAMemoryPlan: Hashable, Sendable, CustomStringConvertible {
  public let schedule: CUDASchedule
  public let particles: Int
  public let blocks: Int
  public let threads: Int
  /// Steps whose tape is kept at once; H where all have room.
  public let segment: Int
  public let horizon: Int
  /// Tiles, those past the last particle included.
  let tiles: Int
  /// Floats of one batch's buffers by their names in the text.
  private let counts: [String: Int]
  /// Those of `counts` that every batch in flight has its own of.
  private static let inputs = ["initial_states", "goals", "function_draws"]

  /// Enough for Experiment 1's tape and for B = 1,000 with wide policies; small beside any card. Not measured.
  public static let defaultBudget = 128 << 20

  public init(
    _ source: KernelSource, _ schedule: CUDASchedule, rollout: RolloutProgram, particles: Int,
    horizon: Int, multiprocessors: Int, budget: Int
  ) {
    self.schedule = schedule
    self.particles = particles
    self.horizon = horizon
    let used = (particles + schedule.particlesPerTile - 1) / schedule.particlesPerTile
    if schedule.warps > 1 {
      (blocks, threads, tiles) = (used, 32 * schedule.warps, used)
    } else {
      // One warp a block, so that they spread evenly, until there are plenty.
      let warps = used / multiprocessors >= 16 ? 4 : 1
      blocks = (used + warps - 1) / warps
      threads = 32 * warps
      tiles = blocks * warps
    }
    let padded = tiles * schedule.particlesPerTile
    let (kept, state) = (source.keptPerStep, rollout.stateLength)
    if horizon * kept * padded * MemoryLayout<Float>.size <= budget {
      segment = horizon
    } else {
      let best = (Double(horizon * state) / Double(kept)).squareRoot().rounded()
      segment = max(1, min(horizon, Int(best)))
    }
    let segments = (horizon + segment - 1) / segment
    let parameters = rollout.parameterCount
    counts = [
      "parameters": parameters, "initial_states": particles * state,
      "goals": particles * rollout.goalLength, "function_draws": padded * rollout.functionLength,
      "returns": padded, "outside_steps": padded, "alive_steps": padded, "truncations": padded,
      "gradients": blocks * parameters,
      "warp_gradients": schedule.warps > 1 ? 0 : tiles * parameters,
      "tape": segment * kept * padded,
      "checkpoints": segments > 1 ? segments * state * padded : 0,
      "scratch": source.scratchRows * padded,
      "transposed": source.transposed.reduce(0) { $0 + $1.rows * $1.columns },
    ]
  }

  /// Particles with those of tiles past the last one.
  var paddedParticles: Int { tiles * schedule.particlesPerTile }

  /// Numbers of every buffer of single precision, with room for the inputs of several batches.
  func floats(batches: Int) -> [String: Int] {
    var counts = counts
    for name in Self.inputs { counts[name] = batches * (counts[name] ?? 0) }
    return counts
  }

  /// Bytes that one iteration takes on the GPU, the shared arrays and recorded trajectories left out.
  public var bytes: Int { counts.values.reduce(0, +) * MemoryLayout<Float>.size }

  public var description: String {
    let megabytes = Double(bytes / 10_000) / 100
    let kept =
      segment == horizon
      ? "all \(horizon) steps kept" : "1 state in \(segment) kept, the steps between run again"
    return "\(schedule), \(blocks) blocks of \(threads), \(kept) (\(megabytes) MB)"
  }
}
