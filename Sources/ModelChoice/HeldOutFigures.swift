// SPDX-License-Identifier: Apache-2.0
// Errors of a model on episodes that it has not seen, compared with two baselines, by state and in physical
// units: persistence ("the last change again") and linear least squares on all of the model's features.

import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// One state's figures on held-out episodes.
public struct HeldOutFigures: Hashable, Sendable {
  public var state: String
  package var units: String
  /// One step ahead.
  public var rmse: Double
  /// Mean negative log density of the next state, nats.
  package var nll: Double
  /// Fraction of next states within 1.96 predicted standard deviations.
  package var coverage95: Double
  package var persistenceRMSE: Double
  public var linearRMSE: Double
  /// After `freeRunSteps` steps on the model's own predictions with the logged actions, kept within half a range of the training
  /// data; not a number where the episodes are too short.
  package var freeRunRMSE: Double
  package var linearFreeRunRMSE: Double
  package var freeRunSteps: Int

  /// Whether the model beats both baselines one step ahead.
  package var beatsBaselines: Bool { rmse <= min(persistenceRMSE, linearRMSE) }
}

extension DynamicsModel {
  /// Figures on `episodes`; linear least squares is fitted to `training`.
  ///
  /// - Parameters:
  ///   - episodes: that were not learnt from.
  ///   - training: that were.
  ///   - freeRunSeconds: how far ahead the free run looks, shortened to fit the episodes.
  /// - Throws: `LogError` where no episode is long enough, `FactorizationError`.
  package func heldOutFigures(
    _ episodes: [Episode], training: [Episode], freeRunSeconds: Double = 5
  ) throws -> [HeldOutFigures] {
    var options = FitOptions()
    options.linear = .alone
    var layout = layout
    layout.rewardColumn = nil
    let linear = try DynamicsModel.fit(
      training, layout: layout, form: form, options: options, most: 1)
    let (map, linearMap) = (AffineNextState(self), AffineNextState(linear.model))
    let (own, straight) = (try DynamicsMean(self), try DynamicsMean(linear.model))
    var sums = layout.states.map { _ in Sums() }
    let longest = episodes.map(\.count).max() ?? 0
    let lag = max(form.longestLag, 1)
    let steps = max(
      1, min(Int((freeRunSeconds / layout.timeStep).rounded()), (longest - lag) / 2))
    for episode in episodes where episode.count > lag + 1 {
      oneStep(episode, lag..<episode.count - 1, map, linear.model, linearMap, &sums)
      // At every half of its length.
      let starts = stride(from: lag, to: episode.count - steps, by: max(steps / 2, 1)).map {
        PredictionStart(episode: 0, row: $0)
      }
      freeRun(own, episode, starts, steps) { i, square in
        sums[i].runs += 1
        sums[i].free += square
      }
      freeRun(straight, episode, starts, steps) { i, square in
        sums[i].linearFree += square
      }
    }
    guard sums[0].count > 0 else {
      throw LogError(
        file: episodes.map(\.name).joined(separator: ", "),
        "no held-out episode is long enough: the model reads \(form.longestLag) earlier rows")
    }
    return zip(layout.states, sums).map { channel, sum in
      let n = Double(sum.count)
      let runs = sum.runs > 0 ? Double(sum.runs) : .nan
      return HeldOutFigures(
        state: channel.name, units: channel.units, rmse: (sum.squared / n).squareRoot(),
        nll: sum.nll / n, coverage95: sum.covered / n,
        persistenceRMSE: (sum.persistence / n).squareRoot(),
        linearRMSE: (sum.linear / n).squareRoot(), freeRunRMSE: (sum.free / runs).squareRoot(),
        linearFreeRunRMSE: (sum.linearFree / runs).squareRoot(), freeRunSteps: steps)
    }
  }

  private struct Sums {
    var count = 0
    var runs = 0
    var squared = 0.0
    var nll = 0.0
    var covered = 0.0
    var persistence = 0.0
    var linear = 0.0
    var free = 0.0
    var linearFree = 0.0
  }

  private func oneStep(
    _ episode: Episode, _ rows: Range<Int>, _ map: AffineNextState, _ linear: DynamicsModel,
    _ linearMap: AffineNextState, _ sums: inout [Sums]
  ) {
    let table = EpisodeFeatures(form, episode)
    let features = rows.map { table[$0] }
    let prediction = predictIncrements(features)
    let linearPrediction = linear.predictIncrements(features).mean
    for (index, k) in rows.enumerated() {
      let (state, actual) = (episode.states[k], episode.states[k + 1])
      let next = map.next(state, increments: prediction.mean[index])
      let linearNext = linearMap.next(state, increments: linearPrediction[index])
      let deviation = map.deviation(prediction.observed[index]).map { max($0, 1e-300) }
      for i in state.indices {
        let error = actual[i] - next[i]
        sums[i].count += 1
        sums[i].squared += error * error
        let z = error / deviation[i]
        sums[i].nll += 0.5 * log(2 * .pi * deviation[i] * deviation[i]) + 0.5 * z * z
        sums[i].covered += abs(z) <= 1.96 ? 1 : 0
        let last = state[i] - episode.states[k - 1][i]
        let persistence = actual[i] - state[i] - last
        sums[i].persistence += persistence * persistence
        sums[i].linear += (actual[i] - linearNext[i]) * (actual[i] - linearNext[i])
      }
    }
  }

  /// Squared errors of each state after so many steps of a run's own predictions.
  private func freeRun(
    _ mean: DynamicsMean, _ episode: Episode, _ starts: [PredictionStart], _ steps: Int,
    add: (_ state: Int, _ square: Double) -> Void
  ) {
    MeanRun(mean, along: [episode]).run(from: starts, steps: steps) { step, starts, states, _ in
      guard step == steps else { return }
      for (b, start) in starts.enumerated() {
        let actual = episode.states[start.row + steps]
        for i in actual.indices { add(i, (states[b, i] - actual[i]) * (states[b, i] - actual[i])) }
      }
    }
  }
}
