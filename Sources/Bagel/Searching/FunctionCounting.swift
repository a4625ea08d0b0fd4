// SPDX-License-Identifier: Apache-2.0
// What counts violations of constraints: rollouts through functions of the posterior, spread as far as the mean is really off on rows
// that a model has not seen, whose answers to commands are off as they are there (`UnseenErrors`). Through tables where the search reads a table, else a function a particle.

import Execution
import GaussianProcesses
import PolicySearch
import Rollouts
import Samplers
import Tasks

extension ControlTask {
  /// Particles that go through one function of a table: two vectors of the host's lanes; more on a GPU, which takes as long for one.
  private static let (hostParticles, deviceParticles) = (32, 256)

  /// nil without constraints, and where the covariance has no functions to draw.
  ///
  /// - Parameters:
  ///   - model: of the search.
  ///   - reward: of the search.
  ///   - sampler: of the search.
  ///   - device: where it runs; nil for the host.
  /// - Throws: `GridError`, `FactorizationError`, `ExecutionError`.
  func makeCounter(
    _ model: DynamicsModel, _ reward: Reward, _ sampler: any PosteriorSampler,
    _ device: ExecutionDevice?
  ) throws -> ViolationCounter? {
    guard !constraints.isEmpty else { return nil }
    let errors = try model.unseenErrors()
    guard let functions = try functionSampler(of: model, spreads: errors.spreads) else {
      return nil
    }
    func rollout(_ sampler: any PosteriorSampler) throws -> Rollout {
      try makeRollout(
        model, sampler, dropout: 0, reward: reward, commandErrors: errors.ofCommands)
    }
    let noise = model.processNoise == nil ? self.model.sampler.noise : .observed
    if let tables = FunctionTables(sampler, functions.sampler, noise: noise) {
      let rollout = try rollout(sampler)
      return ViolationCounter(
        rollout, try makeExecutor(rollout, device: device),
        functions: .ofBatches(tables.tables), particles: device == .cuda ? Self.deviceParticles : Self.hostParticles)
    }
    let rollout = try rollout(functions.sampler)
    return ViolationCounter(
      rollout, try makeExecutor(rollout, device: device), functions: .ofParticles,
      particles: search.particles)
  }

  /// A sampler whose particles draw functions; nil where the covariance has none to draw.
  ///
  /// - Parameters:
  ///   - model: whose posterior they are of.
  ///   - spreads: how many times wider than it they spread, by output; empty for once.
  /// - Throws: `GridError`.
  func functionSampler(
    of model: DynamicsModel, spreads: [Double] = []
  ) throws -> MeasuredSampler? {
    var options = self.model.sampler
    options.name = .sparsePathwise
    options.functionSpreads = spreads
    do {
      return try model.sampler(options, actionLimits: actionLimits)
    } catch is UnsuitableSampler {
      return nil
    } catch is FactorizationError {
      return nil
    }
  }
}
