// SPDX-License-Identifier: Apache-2.0
// A model's mean driven by logged actions: from many rows of episodes at once, step by step. In: starts (an episode's row, with
// the rows before it that the model reads). Out: states [starts, S] after each step, physical units.

import Foundation
import GaussianProcesses
import LinearAlgebra
import MachineLogs

/// Runs the mean of a model.
struct MeanRun {
  private let mean: DynamicsMean
  private var model: DynamicsModel { mean.model }
  private let map: AffineNextState
  private let episodes: [Episode]
  private let features: LoggedFeatures

  /// - Parameters:
  ///   - mean: of the model that is run.
  ///   - episodes: with the actions that drive it.
  init(_ mean: DynamicsMean, along episodes: [Episode]) {
    (self.mean, self.episodes) = (mean, episodes)
    map = AffineNextState(mean.model)
    features = LoggedFeatures(mean.model, episodes)
  }

  /// Moves from starts as long as the log goes, at most so many steps.
  ///
  /// - Parameters:
  ///   - starts: rows of the episodes, with `form.longestLag` rows before them.
  ///   - steps: most steps.
  ///   - draw: adds to the standardised increments [starts, M] at standardised features what a particle draws.
  ///   - visit: hears, after each step, which starts go on, their states [starts, S], physical units, and how far from the
  ///     data they have been: the mean of `DataSpread.distances` over the steps so far [starts].
  func run(
    from starts: [PredictionStart], steps: Int,
    draw: (_ step: Int, _ features: Matrix, _ increments: inout Matrix) -> Void = { _, _, _ in },
    visit: (
      _ step: Int, _ starts: ArraySlice<PredictionStart>, _ states: Matrix, _ novelty: [Double]
    ) -> Void
  ) {
    // The longest first, so that those that end leave the end.
    func left(_ start: PredictionStart) -> Int {
      min(steps, episodes[start.episode].count - 1 - start.row)
    }
    let order = starts.enumerated().sorted { (left($0.1), $1.0) > (left($1.1), $0.0) }.map(\.1)
    let lag = model.form.longestLag
    precondition(starts.allSatisfy { $0.row >= lag }, "starts before row \(lag)")
    let standardiser = model.stateStandardiser
    // Standardised states, newest first.
    var past = (0...model.form.stateLag).map { lag in
      Matrix(order.map { standardiser.standardise(episodes[$0.episode].states[$0.row - lag]) })
    }
    let (bounds, margin) = (model.standardisedStateBounds, model.standardisedStateMargins)
    let first = past[0]
    var alive = order.count
    var distances = [Double](repeating: 0, count: alive)
    for step in 0..<(order.first.map(left) ?? 0) {
      while alive > 0 && left(order[alive - 1]) <= step { alive -= 1 }
      if alive < past[0].rows {
        let rows = Array(0..<alive)
        past = past.map { $0.selecting(rows: rows) }
      }
      let now = order[..<alive]
      let z = features.values(past, now, step)
      for (b, distance) in mean.spread.distances(z).enumerated() { distances[b] += distance }
      var next = past[0].times(map.ofState, transposingSecond: true)
      var increments = mean.increments(z)
      draw(step, z, &increments)
      let moved = increments.times(map.ofIncrements, transposingSecond: true)
      for b in 0..<alive {
        for i in 0..<next.columns {
          let value = next[b, i] + moved[b, i] + map.offset[i]
          let low = min(bounds[i].lowerBound, first[b, i]) - margin[i]
          let high = max(bounds[i].upperBound, first[b, i]) + margin[i]
          next[b, i] = min(max(value, low), high)
        }
      }
      past.insert(next, at: 0)
      past.removeLast()
      visit(
        step + 1, now, Matrix((0..<alive).map { standardiser.restore(next.row($0)) }),
        (0..<alive).map { distances[$0] / Double(step + 1) })
    }
  }
}
