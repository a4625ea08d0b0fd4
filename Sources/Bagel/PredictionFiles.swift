// SPDX-License-Identifier: Apache-2.0
// Predictions of held-out logs as CSV, for others to judge: from every row some steps ahead, and along whole episodes. The
// distributions are those of the measured values.

import Foundation
import GaussianProcesses
import MachineLogs
import ModelChoice
import SafeText

/// Writes a model's predictions of episodes.
public struct PredictionFiles {
  private let model: DynamicsModel
  private let forecasts: HorizonForecasts
  private let episodes: [Episode]

  public init(_ model: DynamicsModel, _ forecasts: HorizonForecasts, of episodes: [Episode]) {
    (self.model, self.forecasts, self.episodes) = (model, forecasts, episodes)
  }

  /// file,start,steps,state,mean,q0.025 ... q0.975: from every row with enough rows before it, `Horizons.steps` ahead. `start` is
  /// the stamp of the last row that is known, s. Throws: `FactorizationError`.
  public func horizons() throws -> String {
    let names = Horizons.levels.map { "q" + number($0) }
    var lines = [(["file", "start", "steps", "state", "mean"] + names).joined(separator: ",")]
    for prediction in try forecasts.horizons(model, episodes) {
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

  /// file,time,state,mean,q0.025,q0.975: each episode's rows after the first `knownRows`, from these and the logged actions alone. Throws: `FactorizationError`.
  public func simulations(knownRows: Int) throws -> String {
    var lines = ["file,time,state,mean,q0.025,q0.975"]
    for prediction in try forecasts.simulations(model, episodes, knownRows: knownRows) {
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
