// SPDX-License-Identifier: Apache-2.0
// Predictions of held-out logs as CSV, for others to judge: from every row some steps ahead, and along whole episodes. The
// distributions are those of the measured values.

import Foundation
import MachineLogs
import ModelChoice
import SafeText

/// Writes a model's predictions of episodes.
package struct PredictionFiles {
  private let layout: LogLayout
  private let forecasts: HorizonForecasts
  private let episodes: [Episode]

  package init(_ forecasts: HorizonForecasts, _ layout: LogLayout, of episodes: [Episode]) {
    (self.forecasts, self.layout, self.episodes) = (forecasts, layout, episodes)
  }

  /// file,start,steps,state,mean,q0.025 ... q0.975: from every row with enough rows before it, `Horizons.steps` ahead. `start` is
  /// the stamp of the last row that is known, s.
  package func horizons() -> String {
    let names = Horizons.levels.map { "q" + number($0) }
    var lines = [(["file", "start", "steps", "state", "mean"] + names).joined(separator: ",")]
    for prediction in forecasts.horizons(episodes) {
      let episode = episodes[prediction.start.episode]
      let values = [prediction.mean] + prediction.quantiles
      lines.append(
        ([
          file(episode), "\(stamp(episode, prediction.start.row))", "\(prediction.steps)",
          escapedForCSV(layout.states[prediction.state].name),
        ] + values.map(number)).joined(separator: ","))
    }
    return lines.joined(separator: "\n") + "\n"
  }

  /// file,time,state,mean,q0.025,q0.975: each episode's rows after the first `knownRows`, from these and the logged actions alone.
  package func simulations(knownRows: Int) -> String {
    var lines = ["file,time,state,mean,q0.025,q0.975"]
    for prediction in forecasts.simulations(episodes, knownRows: knownRows) {
      let episode = episodes[prediction.start.episode]
      let quantiles = [prediction.quantiles.first ?? .nan, prediction.quantiles.last ?? .nan]
      lines.append(
        ([
          file(episode), "\(stamp(episode, prediction.start.row + prediction.steps))",
          escapedForCSV(layout.states[prediction.state].name),
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

  /// The shortest that tells it from its neighbours: a small deviation may stand beside a large offset.
  private func number(_ value: Double) -> String { "\(value)" }
}
