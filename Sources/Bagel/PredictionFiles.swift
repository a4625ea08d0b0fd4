// SPDX-License-Identifier: Apache-2.0
// Predictions of held-out logs as CSV, for others to judge: from every row some steps ahead, and along whole episodes. The
// distributions are those of the measured values.

import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice
import SafeText
import Samplers

/// Writes a model's predictions of episodes.
public struct PredictionFiles {
  private let model: DynamicsModel
  private let episodes: [Episode]
  private let sampler: any PosteriorSampler

  /// Throws: `UnsuitableSampler`, `FactorizationError`, `ExecutionError`; `LogError` for episodes from no log.
  public init(_ model: DynamicsModel, of episodes: [Episode]) throws {
    (self.model, self.episodes) = (model, episodes)
    sampler = try model.predictionSampler()
  }

  /// file,start,steps,state,mean,q0.025 ... q0.975: from every row with enough rows before it, `Horizons.steps` ahead. `start` is
  /// the stamp of the last row that is known, s.
  ///
  /// Throws: `ExecutionError`.
  public func horizons() throws -> String {
    let names = Horizons.levels.map { "q" + number($0) }
    var lines = [(["file", "start", "steps", "state", "mean"] + names).joined(separator: ",")]
    for prediction in try model.horizonPredictions(episodes, sampler) {
      let episode = episodes[prediction.start.episode]
      let values = [prediction.mean] + prediction.quantiles
      lines.append(
        ([
          file(episode), "\(stamp(episode, prediction.start.row))", "\(prediction.steps)",
          escapedForCSV(model.layout.states[prediction.state].name),
        ] + values.map(number)).joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// file,time,state,mean,q0.025,q0.975: each episode's rows after the first `knownRows`, from these and the logged actions alone.
  ///
  /// Throws: `ExecutionError`.
  public func simulations(knownRows: Int) throws -> String {
    var lines = ["file,time,state,mean,q0.025,q0.975"]
    for prediction in try model.simulations(episodes, sampler, knownRows: knownRows) {
      let episode = episodes[prediction.start.episode]
      let quantiles = [prediction.quantiles.first ?? .nan, prediction.quantiles.last ?? .nan]
      lines.append(
        ([
          file(episode), "\(stamp(episode, prediction.start.row + prediction.steps))",
          escapedForCSV(model.layout.states[prediction.state].name),
        ] + ([prediction.mean] + quantiles).map(number)).joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  private func file(_ episode: Episode) -> String {
    escapedForCSV(URL(fileURLWithPath: episode.reading?.file ?? episode.name).lastPathComponent)
  }

  private func stamp(_ episode: Episode, _ row: Int) -> Double {
    episode.times.isEmpty ? Double(row) * episode.timeStep : episode.times[row]
  }

  /// Ten significant digits: more than any prediction knows.
  private func number(_ value: Double) -> String { String(format: "%.10g", value) }
}
