// SPDX-License-Identifier: Apache-2.0
// Every method that the paper compares in figure 2, and what it is here.

import Bagel

/// A row of figure 2.
enum ComparedMethod: CaseIterable {
  case gpuBatch
  case cpuBatch
  case cpuSequential
  case pathwise
  case exact
  case pilco
  case blackDrops
  case evolution

  var name: String {
    switch self {
    case .gpuBatch: "BAGEL, GPU batch"
    case .cpuBatch: "BAGEL, CPU batch"
    case .cpuSequential: "BAGEL, CPU sequential"
    case .pathwise: "pathwise conditioning"
    case .exact: "autodiff + exact GP"
    case .pilco: "autodiff + PILCO"
    case .blackDrops: "Black-DROPS"
    case .evolution: "CMA-ES on BAGEL's rollouts"
    }
  }

  /// What it is here.
  var description: String {
    switch self {
    case .gpuBatch: "100 rollouts an iteration through a table of the posterior, on an NVIDIA GPU"
    case .cpuBatch:
      "100 rollouts an iteration through a table of the posterior, emitted C on all cores"
    case .cpuSequential: "the same, one rollout an iteration"
    case .pathwise:
      "100 rollouts an iteration, each through a function drawn from the posterior (Wilson 2021)"
    case .exact: "one rollout an iteration through the exact posterior (equations 2 and 3)"
    case .pilco:
      "moments of the state propagated analytically (Deisenroth 2011); the network's by a cubature rule; their adjoint"
    case .blackDrops:
      "CMA-ES on the mean return of \(Self.blackDropsRollouts) rollouts through the exact posterior a candidate, no gradient "
        + "(Chatzilygeroudis 2017)"
    case .evolution:
      "the same search on the 100 rollouts of BAGEL, CPU batch: what the gradient is worth"
    }
  }

  /// What fills both threads' lanes of this machine's size: fewer would take as long.
  static let blackDropsRollouts = 32

  /// Seconds of searching: fast methods are done long before.
  func budget(_ options: Figure2Options) -> Double {
    switch self {
    case .gpuBatch, .cpuBatch, .cpuSequential, .evolution: options.fastBudget
    case .pathwise: options.slowBudget / 3
    case .exact, .pilco, .blackDrops: options.slowBudget
    }
  }

  /// Why it cannot run on this machine, if it cannot.
  var unavailable: String? {
    guard self == .gpuBatch else { return nil }
    do {
      try ExecutionDevice.cuda.checkAvailable()
      return nil
    } catch {
      return "\(error)"
    }
  }

  /// Throws: what samplers and executors throw, `CannotMatchMoments`.
  func search(_ experiment: Experiment1, seed: UInt64) throws -> any ComparedSearch {
    func optimizer(
      _ sampler: SamplerName, _ particles: Int, _ device: ExecutionDevice = .host
    ) throws -> PolicyOptimizer {
      try experiment.task.optimizer(
        of: experiment.model, sampler: sampler, particles: particles, device: device, seed: seed)
    }
    switch self {
    case .gpuBatch: return SampledGradientSearch(try optimizer(.automatic, 100, .cuda))
    case .cpuBatch: return SampledGradientSearch(try optimizer(.automatic, 100))
    case .cpuSequential: return SampledGradientSearch(try optimizer(.automatic, 1))
    case .pathwise: return SampledGradientSearch(try optimizer(.pathwise, 100))
    case .exact: return SampledGradientSearch(try optimizer(.exact, 1))
    case .pilco: return try MomentMatchingSearch(experiment, seed: seed)
    case .blackDrops:
      return EvolutionSearch(try optimizer(.exact, Self.blackDropsRollouts), seed: seed)
    case .evolution: return EvolutionSearch(try optimizer(.automatic, 100), seed: seed)
    }
  }
}
