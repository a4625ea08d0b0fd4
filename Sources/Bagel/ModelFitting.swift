// SPDX-License-Identifier: Apache-2.0
// Algorithm 1, lines 3 and 6: get the transitions, learn the dynamics, judge them.

import Foundation
import GaussianProcesses
import MachineLogs
import Plants
import Tasks

/// A learnt model and how it was learnt.
public struct FittedModel: Sendable {
  public var model: DynamicsModel
  /// One an output.
  public var results: [FitResult]
  /// Seconds of learning, without reading the logs.
  public var seconds: Double
  public var training: [Episode]
  /// One a state; empty without held-out episodes.
  public var heldOut: [HeldOutFigures]

  public init(
    model: DynamicsModel, results: [FitResult], seconds: Double, training: [Episode],
    heldOut: [HeldOutFigures]
  ) {
    self.model = model
    self.results = results
    self.seconds = seconds
    self.training = training
    self.heldOut = heldOut
  }
}

extension ControlTask {
  /// Episodes to learn from: the task's logs, or manual-like driving of its plant.
  ///
  /// - Parameter seed: of the driving and its noise.
  /// - Throws: `LogError`.
  public func trainingEpisodes(seed: UInt64 = 0) throws -> [Episode] {
    if !logs.isEmpty { return try layout.episodes(from: logs) }
    guard plant != nil, let seconds = collectSeconds else {
      throw LogError(file: name, "has no logs and no plant with collectSeconds to learn from")
    }
    var plant = try makePlant()
    var driver = ManualDriving.boom(timeStep: layout.timeStep, seed: seed)
    let steps = Int((seconds / layout.timeStep).rounded())
    return [
      try plant.run(steps: steps, seed: seed, name: "manual driving") { _, state in
        [driver.command(at: state[0])]
      }
    ]
  }

  /// Learns the dynamics.
  ///
  /// - Parameters:
  ///   - seed: of collected data, where there are no logs.
  ///   - progress: an estimate of the fraction done, after every evaluation of the likelihood.
  /// - Throws: `LogError`, `FactorizationError`.
  public func fit(
    seed: UInt64 = 0, progress: @escaping (Double) -> Void = { _ in }
  ) throws -> FittedModel {
    let training = try trainingEpisodes(seed: seed)
    let held = try layout.episodes(from: heldOutLogs, needsExcitation: false)
    let start = ContinuousClock.now
    let (model, results) = try DynamicsModel.fit(
      training, layout: layout, form: try modelForm(), options: model.fit,
      restCount: self.model.restPseudoData, progress: progress)
    return FittedModel(
      model: model, results: results, seconds: start.duration(to: .now).seconds,
      training: training,
      heldOut: held.isEmpty ? [] : try model.heldOutFigures(held, training: training))
  }
}

extension ManualDriving {
  /// A driver for the boom who stays off its stops.
  public static func boom(timeStep: Double, seed: UInt64) -> ManualDriving {
    ManualDriving(
      lower: -37 * Double.pi / 180, upper: 50 * Double.pi / 180, timeStep: timeStep, seed: seed)
  }
}
