// SPDX-License-Identifier: Apache-2.0
// The references of a model: for each state and horizon the better, on left-out blocks, of no change and of least squares
// on 1, 2, 3, 5 or 8 rows of states and commands, each with the distribution that its own errors there make.

import Foundation
import GaussianProcesses
import MachineLogs

/// The references of a log.
package struct HorizonReference: Sendable {
  /// CRPS sums on the left-out blocks by steps, measured state and block.
  let scores: [Int: [[Double]]]
  /// By steps and measured state: index among `candidates`.
  private let best: [Int: [Int]]
  private let candidates: [HorizonForecasts]
  private let measured: [Int]

  /// - Parameters:
  ///   - blocks: of the training data.
  ///   - linear: models by least squares, conditioned on all episodes, with their runs over the blocks.
  ///   - layout: of the channels.
  ///   - usual: means of the measured states.
  init(
    _ blocks: [LeftOutBlock], linear: [(mean: DynamicsMean, runs: HorizonRuns)],
    layout: LogLayout, usual: [Double]
  ) {
    measured = layout.measured
    var staying = HorizonRuns()
    for (number, block) in blocks.enumerated() {
      staying.add(
        persistenceRuns(
          from: block.starts(lookingBack: 0), in: block.judge, block: number,
          measured: layout.measured))
    }
    let runs = [staying] + linear.map(\.runs)
    candidates = zip([nil] + linear.map { Optional($0.mean) }, runs).map { mean, runs in
      HorizonForecasts(mean, runs, measured: layout.measured, usual: usual)
    }
    var (scores, best): ([Int: [[Double]]], [Int: [Int]]) = ([:], [:])
    for steps in staying.horizons(with: Horizons.fewest) {
      for state in layout.measured.indices {
        let all = runs.map {
          $0.scores(steps: steps, state: state, usual: usual[state], blocks: blocks.count)
        }
        let index =
          all.indices.min { all[$0].reduce(0, +) < all[$1].reduce(0, +) } ?? 0
        scores[steps, default: []].append(all[index])
        best[steps, default: []].append(index)
      }
    }
    (self.scores, self.best) = (scores, best)
  }

  /// Forecasts of episodes by the best reference of each state and horizon.
  func horizons(_ episodes: [Episode], from starts: [PredictionStart]) -> [HorizonForecast] {
    candidates.enumerated().flatMap { index, candidate -> [HorizonForecast] in
      let isUsed = best.values.contains { $0.contains(index) }
      guard isUsed else { return [] }
      return candidate.horizons(episodes, from: starts).filter {
        guard let place = measured.firstIndex(of: $0.state) else { return false }
        return best[$0.steps]?[place] == index
      }
    }
  }

  /// Of training data alone. Throws: `LogError`, `FactorizationError`.
  package init(of episodes: [Episode], layout: LogLayout) throws {
    let blocks = LeftOutBlock.blocks(of: episodes)
    var layout = layout
    layout.rewardColumn = nil
    let all = ModelForm(
      states: layout.states.count, actions: layout.actions.count,
      disturbances: layout.disturbances.count)
    let forms = CandidateForms(
      layout: layout, rates: [:], plain: PlainModel(form: all, options: FitOptions()), fixed: [])
    let linear = try Self.histories.compactMap { rows -> (DynamicsMean, HorizonRuns)? in
      let shape = CandidateShape(rows: rows)
      let options = forms.options(shape)
      guard
        let model = try? DynamicsModel.fit(
          episodes, layout: layout, form: forms.form(shape), options: options, most: 1
        ).model
      else { return nil }
      return (
        try DynamicsMean(
          model, conditionedOn: episodes, options: options, rank: LeftOutBlock.rank),
        try blocks.runs(of: model, options)
      )
    }
    self.init(
      blocks, linear: linear, layout: layout, usual: usualValues(episodes, layout.measured))
  }

  /// Rows of states and commands that least squares reads.
  static let histories = [1, 2, 3, 5, 8]
}
