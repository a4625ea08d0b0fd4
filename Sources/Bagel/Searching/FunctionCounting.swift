// SPDX-License-Identifier: Apache-2.0
// Counting of constraint violations: rollouts through functions of the posterior, spread as far as the mean is really off on rows
// that a model has not seen, whose answers to commands are off as they are there (`UnseenErrors`). Through tables where the model reads few
// inputs, else one function per particle.

import Execution
import GaussianProcesses
import LinearAlgebra
import PolicySearch
import Rollouts
import Samplers
import Tasks

extension ControlTask {
  /// Particles that go through one function of a table: two vectors of the host's lanes; more on a GPU, which takes as long for one.
  private static let (hostParticles, deviceParticles) = (32, 256)
  /// Points of a function's table. Coarser than a search's, whose errors are far below what functions are spread; made in less time than
  /// it takes to go through them.
  private static let tablePoints = 1 << 14

  /// nil without constraints, and where the covariance has no functions to draw.
  ///
  /// - Parameters:
  ///   - model: of the search.
  ///   - reward: of the search.
  ///   - device: where it runs; nil for the host.
  /// - Throws: `GridError`, `FactorizationError`, `ExecutionError`.
  func makeCounter(
    _ model: DynamicsModel, _ reward: Reward, _ device: ExecutionDevice?
  ) throws -> ViolationCounter? {
    guard !constraints.isEmpty else { return nil }
    let errors = try unseenErrors(of: model)
    guard let functions = try functionSampler(of: model, spreads: errors.spreads) else {
      return nil
    }
    func counter(
      _ sampler: any PosteriorSampler, _ functions: ViolationCounter.Functions, particles: Int
    ) throws -> ViolationCounter {
      let rollout = try makeRollout(
        model, sampler, dropout: 0, reward: reward, commandErrors: errors.ofCommands)
      return ViolationCounter(
        rollout, try makeExecutor(rollout, device: device), functions: functions,
        particles: particles)
    }
    if let (table, tables) = try functionTables(of: model, functions) {
      return try counter(
        table, .ofBatches(tables.tables),
        particles: device == .cuda ? Self.deviceParticles : Self.hostParticles)
    }
    return try counter(functions, .ofParticles, particles: search.particles)
  }

  /// Nothing is known of rows that a model has not seen where it has too few to leave some out.
  private func unseenErrors(of model: DynamicsModel) throws -> UnseenErrors {
    guard obstacleToPromise(model) == nil else { return UnseenErrors(spreads: [], ofCommands: []) }
    do {
      return UnseenErrors(try model.halves(), of: model)
    } catch is FactorizationError {
      return UnseenErrors(spreads: [], ofCommands: [])
    }
  }

  /// A tabulated sampler and functions that stand in its tables; nil where the model reads too many inputs for tables.
  private func functionTables(
    of model: DynamicsModel, _ functions: any PosteriorSampler
  ) throws -> (any PosteriorSampler, FunctionTables)? {
    var options = self.model.sampler
    (options.name, options.tablePoints) = (.tabulated, Self.tablePoints)
    do {
      let table = try model.sampler(options, actionLimits: actionLimits).sampler
      let noise = model.processNoise == nil ? options.noise : .observed
      return FunctionTables(table, functions, noise: noise).map { (table, $0) }
    } catch is UnsuitableSampler {
      return nil
    }
  }

  /// A sampler whose particles draw functions; nil where the covariance has none to draw.
  ///
  /// - Parameters:
  ///   - model: whose posterior they are of.
  ///   - spreads: how many times wider than it they spread, by output; empty for once.
  /// - Throws: `GridError`.
  func functionSampler(
    of model: DynamicsModel, spreads: [Double] = []
  ) throws -> (any PosteriorSampler)? {
    var options = self.model.sampler
    options.functionSpreads = spreads
    return try model.functionSampler(options, actionLimits: actionLimits)
  }
}

extension DynamicsModel {
  /// A sampler whose particles draw functions; nil where the covariance has none to draw.
  ///
  /// - Parameters:
  ///   - options: of its size.
  ///   - actionLimits: commands that it covers.
  /// - Throws: `GridError`.
  func functionSampler(
    _ options: SamplerOptions, actionLimits: [ClosedRange<Double>]
  ) throws -> (any PosteriorSampler)? {
    var options = options
    options.name = .sparsePathwise
    do {
      return try sampler(options, actionLimits: actionLimits).sampler
    } catch is UnsuitableSampler {
      return nil
    } catch is FactorizationError {
      return nil
    }
  }
}
