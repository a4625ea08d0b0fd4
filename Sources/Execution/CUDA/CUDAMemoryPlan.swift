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
  /// Bytes of tape, checkpoints and scratch memory.
  let tapeBytes: Int
  let checkpointBytes: Int
  let scratchBytes: Int

  /// About what a data-centre GPU's second-level cache holds twice over.
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
    let lanes = tiles * schedule.particlesPerTile
    let (kept, state) = (source.keptPerStep, rollout.stateLength)
    let bytes = { (numbers: Int) in numbers * lanes * MemoryLayout<Float>.size }
    if bytes(horizon * kept) <= budget {
      segment = horizon
    } else {
      let best = (Double(horizon * state) / Double(kept)).squareRoot().rounded()
      segment = max(1, min(horizon, Int(best)))
    }
    let segments = (horizon + segment - 1) / segment
    tapeBytes = bytes(segment * kept)
    checkpointBytes = segments > 1 ? bytes(segments * state) : 0
    scratchBytes = bytes(source.scratchRows)
  }

  /// Bytes of everything that grows with particles and steps.
  public var bytes: Int { tapeBytes + checkpointBytes + scratchBytes }

  public var description: String {
    let megabytes = Double(bytes / 10_000) / 100
    let kept =
      segment == horizon
      ? "all \(horizon) steps kept" : "1 state in \(segment) kept, the steps between run again"
    return "\(schedule), \(blocks) blocks of \(threads), \(kept) (\(megabytes) MB)"
  }
}
