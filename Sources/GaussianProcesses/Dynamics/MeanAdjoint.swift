// SPDX-License-Identifier: Apache-2.0
// Runs of a mean, linear part and processes, along logged actions, and the derivatives of any function of their states by the weights:
// back through next state (AffineNextState), features (LoggedFeatures) and processes (CovarianceFunction.inputSlopes), written by
// hand because a hundred of such gradients are a fit and a kernel would be compiled for each.
//
//   f_m = W_m z + c_m + k_m(x, P_m) a_m,   x the features in the box of the data,   next state affine in state and f

import LinearAlgebra
import MachineLogs

/// Weights of a mean.
package struct MeanWeights {
  /// W, c
  package var linear: LinearPart
  /// a of each output [r]; empty without a process.
  package var processes: [[Double]]
}

/// Runs a mean with any weights, there and back.
struct MeanAdjoint {
  private let model: DynamicsModel
  private let posteriors: [LowRankPosterior?]
  private let map: AffineNextState
  private let features: LoggedFeatures
  /// Features that each process reads.
  private let inputs: [[Int]]
  /// Standardised states, by episode [rows, S].
  private let truth: [Matrix]
  /// Lowest and highest standardised states of a run [S], where it stays (as `MeanRun`).
  private let bounds: [ClosedRange<Double>]
  /// Rows before the present one that features read of the states.
  private var lag: Int { model.form.stateLag }

  /// Runs, with what the way back needs.
  struct Runs {
    /// Standardised [starts, S], the oldest that features read first; that of step t at `stateLag` + t.
    fileprivate(set) var states: [Matrix]
    fileprivate var steps: [Step] = []
  }

  fileprivate struct Step {
    /// Features [starts, D], and what the processes read of them.
    let z: Matrix
    let saturated: Matrix
    /// k(x, P) of each process [starts, r].
    let covariances: [Matrix?]
    /// 1 where the next state was not held at a bound [starts, S].
    let free: Matrix
  }

  /// - Parameters:
  ///   - model: form, standardisers and bounds; its linear part and processes are not read.
  ///   - posteriors: pivots and covariances of the processes; nil for none.
  ///   - episodes: to run along.
  init(_ model: DynamicsModel, _ posteriors: [LowRankPosterior?], along episodes: [Episode]) {
    (self.model, self.posteriors) = (model, posteriors)
    map = AffineNextState(model)
    features = LoggedFeatures(model, episodes)
    inputs = model.form.outputs.map(\.inputs)
    truth = episodes.map { Matrix($0.states.map(model.stateStandardiser.standardise)) }
    bounds = zip(model.standardisedStateBounds, model.standardisedStateMargins).map {
      $0.lowerBound - $1...$0.upperBound + $1
    }
  }

  /// Runs from starts.
  ///
  /// - Parameter keepsSteps: whether `pullBack` will be asked.
  func runs(
    _ weights: MeanWeights, from starts: [PredictionStart], steps: Int, keepsSteps: Bool
  ) -> Runs {
    var runs = Runs(
      states: (0...lag).map { k in
        Matrix(starts.map { truth[$0.episode].row($0.row - lag + k) })
      })
    for step in 0..<steps {
      let past = (0...lag).map { runs.states[lag + step - $0] }
      // A run whose episode has ended goes on with the last command that is known; `error` does not read it.
      let rows = starts.map { start in
        PredictionStart(
          episode: start.episode, row: min(start.row, truth[start.episode].rows - 2 - step))
      }
      let z = features.values(past, rows[...], step)
      let saturated = model.kept(z)
      var f = weights.linear.values(z)
      let covariances = posteriors.enumerated().map { m, posterior -> Matrix? in
        guard let posterior else { return nil }
        let covariance = posterior.hyperparameters.covariance.matrix(
          saturated.selecting(columns: inputs[m]), posterior.pivots)
        for (b, value) in covariance.times(weights.processes[m]).enumerated() { f[b, m] += value }
        return covariance
      }
      let (next, free) = bounded(
        past[0].times(map.ofState, transposingSecond: true),
        f.times(map.ofIncrements, transposingSecond: true))
      runs.states.append(next)
      if keepsSteps {
        runs.steps.append(Step(z: z, saturated: saturated, covariances: covariances, free: free))
      }
    }
    return runs
  }

  /// Sums and the map's offset, held within the bounds; 1 where they were not held.
  private func bounded(_ a: Matrix, _ b: Matrix) -> (next: Matrix, free: Matrix) {
    var next = a
    var free = Matrix(rows: a.rows, columns: a.columns, repeating: 1)
    for k in next.values.indices {
      let i = k % a.columns
      let value = a.values[k] + b.values[k] + map.offset[i]
      next.values[k] = min(max(value, bounds[i].lowerBound), bounds[i].upperBound)
      if value != next.values[k] { free.values[k] = 0 }
    }
    return (next, free)
  }

  /// Predicted less true state, standardised; nil where the episode has ended.
  func error(
    _ runs: Runs, _ starts: [PredictionStart], run b: Int, step: Int, state: Int
  ) -> Double? {
    let (states, row) = (truth[starts[b].episode], starts[b].row + step)
    guard row < states.rows else { return nil }
    return runs.states[lag + step][b, state] - states[row, state]
  }

  /// Adjoints of the weights.
  ///
  /// - Parameter adjoints: of the states after each step [starts, S].
  func pullBack(_ runs: Runs, _ weights: MeanWeights, _ adjoints: [Matrix]) -> MeanWeights {
    var states = runs.states[...lag].map { Matrix(rows: $0.rows, columns: $0.columns) } + adjoints
    var linearAdjoint = Matrix(rows: posteriors.count, columns: model.form.features.count)
    var constantsAdjoint = [Double](repeating: 0, count: posteriors.count)
    var processesAdjoint = weights.processes.map { $0.map { _ in 0.0 } }
    for (t, step) in runs.steps.enumerated().reversed() {
      var nextAdjoint = states[lag + t + 1]
      for i in nextAdjoint.values.indices { nextAdjoint.values[i] *= step.free.values[i] }
      let fAdjoint = nextAdjoint.times(map.ofIncrements)
      states[lag + t] += nextAdjoint.times(map.ofState)
      linearAdjoint += fAdjoint.times(step.z, transposingFirst: true)
      var zAdjoint = fAdjoint.times(weights.linear.weights)
      for (m, posterior) in posteriors.enumerated() {
        let own = fAdjoint.column(m)
        constantsAdjoint[m] += own.reduce(0, +)
        guard let posterior, let covariance = step.covariances[m] else { continue }
        let sums = covariance.times(own, transposed: true)
        for p in sums.indices { processesAdjoint[m][p] += sums[p] }
        let covarianceAdjoint = Matrix.outer(own, weights.processes[m])
        addSaturated(
          posterior.hyperparameters.covariance.inputSlopes(
            covarianceAdjoint, step.saturated.selecting(columns: inputs[m]), posterior.pivots),
          of: inputs[m], step, to: &zAdjoint)
      }
      features.pullBack(zAdjoint, at: runs.states[lag + t], to: &states, row: lag + t)
    }
    return MeanWeights(
      linear: LinearPart(weights: linearAdjoint, constants: constantsAdjoint),
      processes: processesAdjoint)
  }

  /// Adds adjoints of a process's inputs to those of the features that are within the box.
  private func addSaturated(
    _ xAdjoint: Matrix, of inputs: [Int], _ step: Step, to zAdjoint: inout Matrix
  ) {
    for (c, d) in inputs.enumerated() {
      for b in 0..<xAdjoint.rows {
        let k = b * zAdjoint.columns + d
        if step.z.values[k] == step.saturated.values[k] {
          zAdjoint.values[k] += xAdjoint.values[b * xAdjoint.columns + c]
        }
      }
    }
  }
}
