// SPDX-License-Identifier: Apache-2.0
// The memory of a search on the host, computed before anything is allocated. Every thread has a workspace of its own: for a tile
// of T W particles the H + 1 steps' states and tapes (KEPT numbers each) and a gradient. Everything else grows with the
// number of particles or of parameters.

import Foundation
import Programs

/// Bytes of a search with B particles over H steps.
package struct HostMemoryPlan: Hashable, Sendable {
  /// Steps' states and tapes, of all threads together.
  package let steps: Int
  /// Parameters, moments, gradients of tiles and threads.
  package let parameters: Int
  /// Initial states, goals, function draws; the best policy's trajectories.
  package let particles: Int

  package var bytes: Int { steps + parameters + particles }

  /// Numbers W of this processor's vectors, as the kernel's text chooses them when it is compiled.
  static let lanes: Int = {
    #if arch(x86_64)
      let features = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)
      return features?.contains(" avx512f") == true ? 16 : 8
    #else
      return 4
    #endif
  }()

  /// Copies of theta: present, best, best of the start, moments, gradients, and what is saved.
  private static let parameterCopies = 12

  /// - Parameters:
  ///   - kept: numbers of a step per particle, state and tape.
  ///   - carry: S, what a particle carries.
  ///   - actions: A.
  ///   - draws: G + F, goals and function draws of a particle.
  ///   - parameterCount: P.
  ///   - horizon: H.
  ///   - particles: B.
  ///   - vectors: T.
  ///   - threads: that run at once.
  ///   - hasWorkspaces: whether the host itself runs it.
  package init(
    kept: Int, carry: Int, actions: Int, draws: Int, parameterCount: Int, horizon: Int,
    particles: Int, vectors: Int, threads: Int, hasWorkspaces: Bool = true
  ) {
    let (float, double) = (MemoryLayout<Float>.size, MemoryLayout<Double>.size)
    let width = vectors * Self.lanes
    let tiles = (particles + width - 1) / width
    let workers = hasWorkspaces ? min(threads, tiles) : 0
    steps = workers * width * (horizon + 1) * kept * float
    parameters =
      parameterCount
      * (Self.parameterCopies * double + ((hasWorkspaces ? tiles : 0) + workers * width) * float)
    // Drawn as a list of states, then flat in double, then in single precision.
    let drawn = particles * (carry + draws) * (3 * double + float)
    let recorded = particles * ((horizon + 1) * carry + horizon * actions) * (double + float)
    self.particles = drawn + recorded
  }

  /// Of a rollout that is known.
  package init(
    _ rollout: RolloutProgram, particles: Int, horizon: Int, threads: Int, hasWorkspaces: Bool
  ) {
    let source = KernelSource(rollout, target: .host(particles: particles))
    self.init(
      kept: source.keptPerStep, carry: rollout.carryLength, actions: rollout.actionLength,
      draws: rollout.goalLength + rollout.functionLength, parameterCount: rollout.parameterCount,
      horizon: horizon, particles: particles, vectors: source.vectors, threads: threads,
      hasWorkspaces: hasWorkspaces)
  }
}
