// SPDX-License-Identifier: Apache-2.0
// The methods of figure 2: those that the paper compares there, and those that it names beside them.

import Bagel
import Execution
import Foundation
import PolicySearch
import Samplers

/// A row of figure 2.
enum ComparedMethod: CaseIterable {
  case gpuBatch
  case cpuBatch
  case cpuSequential
  case pathwise
  case exact
  case exactBatch
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
    case .exactBatch: "autodiff + exact GP, batch"
    case .pilco: "autodiff + PILCO"
    case .blackDrops: "Black-DROPS"
    case .evolution: "CMA-ES on BAGEL's rollouts"
    }
  }

  /// Whether the paper's figure 2 has it too.
  var isInPaper: Bool {
    switch self {
    case .gpuBatch, .cpuBatch, .cpuSequential, .exact, .pilco: true
    case .pathwise, .exactBatch, .blackDrops, .evolution: false
    }
  }

  /// What it is here.
  ///
  /// - Parameter sampler: in words, of BAGEL's rollouts.
  func description(sampler: String) -> String {
    switch self {
    case .gpuBatch: "100 rollouts an iteration through \(sampler), on an NVIDIA GPU"
    case .cpuBatch:
      "100 rollouts an iteration through \(sampler), emitted C on all cores"
    case .cpuSequential: "the same kernel with one rollout an iteration, in one of its lanes"
    case .pathwise:
      "100 rollouts an iteration, each through a function drawn from the posterior (Wilson 2021)"
    case .exact:
      "one rollout an iteration through the exact posterior (equations 2 and 3), as in the paper; a kernel whose time is that of reading both triangles"
    case .exactBatch: "100 rollouts an iteration through the exact posterior, on all cores"
    case .pilco:
      "moments of the state propagated analytically (Deisenroth 2011); the network's by a cubature rule; their adjoint"
    case .blackDrops:
      "CMA-ES on the mean return of \(Self.blackDropsRollouts) rollouts through the exact posterior a candidate, no gradient, candidates "
        + "on all cores (Chatzilygeroudis 2017, there with restarts and a test of the returns' noise)"
    case .evolution:
      "the same search on the 100 rollouts of BAGEL, CPU batch: what the gradient is worth"
    }
  }

  /// A tile of the exact sampler's kernel, with AVX-512: fewer would take as long.
  static let blackDropsRollouts = 64

  /// Seconds of searching: fast methods are done long before.
  func budget(_ options: Figure2Options) -> Double {
    switch self {
    case .gpuBatch, .cpuBatch, .cpuSequential, .evolution: options.fastBudget
    case .pathwise: options.slowBudget / 3
    case .exact, .exactBatch, .pilco, .blackDrops: options.slowBudget
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

  /// What rollouts read; PILCO has none, and reads the posterior itself.
  private func sampler(_ experiment: Experiment1) throws -> any PosteriorSampler {
    let name: SamplerName
    switch self {
    case .gpuBatch, .cpuBatch, .cpuSequential, .evolution, .pilco:
      return experiment.sampler.sampler
    case .pathwise: name = .pathwise
    case .exact, .exactBatch, .blackDrops: name = .exact
    }
    return try experiment.task.withSampler(name).makeSampler(experiment.model).sampler
  }

  /// What makes the searches of its trials, of a seed each; the sampler is made once for all.
  ///
  /// Throws: what samplers and executors throw, `CannotMatchMoments`; the maker too.
  func searches(_ experiment: Experiment1) throws -> (UInt64) throws -> any ComparedSearch {
    let (task, model) = (experiment.task, experiment.model)
    let sampler = try sampler(experiment)
    func optimizer(
      _ particles: Int, _ seed: UInt64, _ device: ExecutionDevice = .host, threads: Int? = nil
    ) throws -> PolicyOptimizer {
      try task.optimizer(
        of: model, sampler: sampler, particles: particles, device: device, threads: threads,
        seed: seed)
    }
    func evolution(_ particles: Int, _ seed: UInt64) throws -> EvolutionSearch {
      try EvolutionSearch(seed: seed, cores: ProcessInfo.processInfo.activeProcessorCount) {
        try optimizer(particles, seed, threads: 1)
      }
    }
    switch self {
    case .gpuBatch: return { SampledGradientSearch(try optimizer(100, $0, .cuda)) }
    case .cpuBatch, .pathwise, .exactBatch:
      return { SampledGradientSearch(try optimizer(100, $0)) }
    case .cpuSequential, .exact: return { SampledGradientSearch(try optimizer(1, $0)) }
    case .blackDrops: return { try evolution(Self.blackDropsRollouts, $0) }
    case .evolution: return { try evolution(100, $0) }
    case .pilco: return { try MomentMatchingSearch(experiment, seed: $0) }
    }
  }
}
