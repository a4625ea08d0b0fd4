// SPDX-License-Identifier: Apache-2.0
// How the particles of a rollout are laid over a GPU. A team of lanes works on T particles at once:
//
//   lanes 1 ... 32, warps 1   32 / lanes teams a warp; spread values and table reads go over the lanes of a team.
//                             One lane a particle where particles fill the GPU, more where they do not.
//   lanes 32, T > 1           a warp for T particles: a weight is read once for all T (wide policies).
//   lanes 32, warps > 1       a block for T particles: the rows of a weighted sum go over all its threads.

import Programs

/// The layout of particles, a part of the emitted text.
package struct CUDASchedule: Hashable, Sendable, CustomStringConvertible {
  /// Lanes of a warp that share a particle: 1, 2, 4, 8, 16 or 32.
  package var lanes: Int
  /// T, particles that every lane of a team works on.
  package var particlesPerLane: Int
  /// Warps of a team; more than one share the rows of weighted sums.
  package var warps: Int

  package init(lanes: Int = 1, particlesPerLane: Int = 1, warps: Int = 1) {
    precondition([1, 2, 4, 8, 16, 32].contains(lanes), "\(lanes) lanes per particle")
    precondition([1, 2, 4, 8].contains(particlesPerLane), "\(particlesPerLane) particles per lane")
    precondition(
      particlesPerLane == 1 || lanes == 32,
      "\(particlesPerLane) particles per lane need 32 lanes, not \(lanes)")
    precondition(
      warps == 1 || lanes == 32 && [2, 4, 8].contains(warps), "\(warps) warps of \(lanes) lanes")
    self.lanes = lanes
    self.particlesPerLane = particlesPerLane
    self.warps = warps
  }

  /// What suits a rollout of B particles on a GPU with this many multiprocessors.
  package init(for rollout: RolloutProgram, particles: Int, multiprocessors: Int) {
    let functions = LocalFunctionNames(of: [rollout.initial, rollout.step])
    let isWide = rollout.parameterCount > 1_000
    if functions.hasWeightedSum {
      // One block a multiprocessor; as many particles each as that takes, so that a row is read for all of them.
      let each = (particles + multiprocessors - 1) / multiprocessors
      self.init(
        lanes: 32, particlesPerLane: Self.powerOfTwo(2 * each - 1, limit: isWide ? 4 : 8), warps: 8)
    } else if isWide {
      // Two warps a scheduler: more do not fit with 200 registers per thread.
      self.init(
        lanes: 32, particlesPerLane: Self.powerOfTwo(particles / (8 * multiprocessors), limit: 4))
    } else {
      // Two warps a scheduler, of four a multiprocessor; at most 128 sums of gradients a lane; lanes
      // read a grid variance's root side by side.
      let filling = Self.powerOfTwo(8 * multiprocessors * 32 / particles, limit: 32)
      let sums = Self.powerOfTwo(2 * ((rollout.parameterCount + 127) / 128) - 1, limit: 32)
      self.init(lanes: max(filling, sums, functions.hasGridVariance ? 8 : 1))
    }
  }

  /// One of each kind, for checks.
  package static var all: [CUDASchedule] {
    [
      CUDASchedule(lanes: 1), CUDASchedule(lanes: 4), CUDASchedule(lanes: 32),
      CUDASchedule(lanes: 32, particlesPerLane: 4),
      CUDASchedule(lanes: 32, particlesPerLane: 2, warps: 2),
      CUDASchedule(lanes: 32, particlesPerLane: 8, warps: 8),
    ]
  }

  /// Whether a rollout's gradient has registers for its sums under this schedule: wide layers want all lanes.
  package func suits(_ rollout: RolloutProgram) -> Bool {
    rollout.parameterCount <= 1_000 || lanes == 32 && particlesPerLane <= 4
  }

  /// The largest power of two up to `value` and `limit`, at least 1.
  private static func powerOfTwo(_ value: Int, limit: Int) -> Int {
    var result = 1
    while 2 * result <= min(value, limit) { result *= 2 }
    return result
  }

  /// Particles of a tile: of a warp, or of a block of several warps.
  package var particlesPerTile: Int { particlesPerLane * (32 / lanes) }

  /// Neurons of a large layer at most: T of every team's inputs lie in the 48 kB of shared memory that every GPU has,
  /// beside what the sums of several warps take there (CUDAPrelude.swift, CUDAProductPrelude.swift).
  var widestLayer: Int {
    let sums = warps > 1 ? warps * (32 * CUDAProductPrelude.slice + 8) * particlesPerLane * 4 : 0
    return (48_000 - sums) / (4 * particlesPerTile * largestBlock / 32)
  }

  /// Threads a block at most.
  var largestBlock: Int { warps > 1 ? 32 * warps : 128 }

  package var description: String {
    let team =
      warps > 1
      ? "\(warps) warps" : lanes == 32 ? "a warp" : lanes == 1 ? "a thread" : "\(lanes) lanes"
    return particlesPerLane == 1
      ? "\(team) per particle" : "\(team) for \(particlesPerLane) particles"
  }

  /// The schedule in the text; W particles side by side in a warp.
  var constants: String {
    """
    enum { T = \(particlesPerLane), LANES = \(lanes), WARPS = \(warps), W = 32 / LANES, TEAM = LANES * WARPS,
           LARGEST_BLOCK = \(largestBlock) };
    """
  }
}
