// SPDX-License-Identifier: Apache-2.0
// How many blocks a batch takes and what it keeps for its adjoint. A step keeps its state and its tape (KEPT
// numbers per particle). If H of them do not fit, every K-th state is kept, and K steps are run again
// and kept at a time: B (H / K S + K KEPT) numbers, least for K = sqrt(H S / KEPT), for one more forward run.

import Programs

/// Blocks, kept steps and bytes of a batch on a GPU.
package struct CUDAMemoryPlan: Hashable, Sendable, CustomStringConvertible {
  package let schedule: CUDASchedule
  package let particles: Int
  package let blocks: Int
  package let threads: Int
  /// Steps whose tape is kept at once; H where all have room.
  package let segment: Int
  package let horizon: Int
  /// Tiles, those past the last particle included.
  let tiles: Int
  private let sizes: KernelSizes

  /// Enough for Experiment 1's tape and for B = 1,000 with wide policies; small beside any card. Not measured.
  package static let defaultBudget = 128 << 20

  package init(
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
    let (kept, carry) = (source.keptPerStep, rollout.carryLength)
    if horizon * kept * padded * MemoryLayout<Float>.size <= budget {
      segment = horizon
    } else {
      let best = (Double(horizon * carry) / Double(kept)).squareRoot().rounded()
      segment = max(1, min(horizon, Int(best)))
    }
    var sizes = KernelSizes(
      rollout: rollout, particles: particles, padded: padded, horizon: horizon,
      gradientRows: blocks, records: false)
    sizes.tapeSteps = segment
    sizes.checkpoints = segment == horizon ? 0 : (horizon + segment - 1) / segment
    sizes.warpRows = schedule.warps > 1 ? 0 : tiles
    sizes.keptPerStep = kept
    sizes.scratchRows = source.scratchRows
    sizes.transposed = source.transposed.reduce(0) { $0 + $1.rows * $1.columns }
    self.sizes = sizes
  }

  /// What a rollout's kernels have on a GPU beside the pointers of every device.
  static let arguments = [
    KernelArgument("tape", .write) { $0.tapeSteps * $0.keptPerStep * $0.padded },
    KernelArgument("checkpoints", .write) { $0.checkpoints * $0.rollout.carryLength * $0.padded },
    KernelArgument("warp_gradients", .write) { $0.warpRows * $0.rollout.parameterCount },
    KernelArgument("scratch", .write) { $0.scratchRows * $0.padded },
    KernelArgument("transposed", .write) { $0.transposed },
  ]

  /// Particles with those of tiles past the last one.
  var paddedParticles: Int { tiles * schedule.particlesPerTile }

  /// What buffers' lengths depend on.
  func sizes(records: Bool) -> KernelSizes {
    var sizes = sizes
    sizes.records = records
    return sizes
  }

  /// Bytes that one iteration takes on the GPU, the shared arrays and recorded trajectories left out.
  package var bytes: Int {
    (KernelArguments.rollout + Self.arguments).reduce(0) { $0 + $1.count(sizes) * $1.element.bytes }
  }

  package var description: String {
    let megabytes = Double(bytes / 10_000) / 100
    let kept =
      segment == horizon
      ? "all \(horizon) steps kept" : "1 state in \(segment) kept, the steps between run again"
    return "\(schedule), \(blocks) blocks of \(threads), \(kept) (\(megabytes) MB)"
  }
}
