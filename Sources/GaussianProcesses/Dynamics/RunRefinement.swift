// SPDX-License-Identifier: Apache-2.0
// A mean, linear part and processes, refined on the errors of runs ("simulation error"; Ljung 1999, section 10.3, for linear models).
// One step ahead a process leaves out what is small beside the noise; over fifty steps that adds up. What is moved are the weights in
// the coordinates of their own posteriors, so that a change of size one costs as much wherever the data determine little:
//
//   W = W0 + Q^-T e_w,   [z 1]^T [z 1] + ridge = Q Q^T          linear part of standardised features z
//   a = a0 + L_P^-T L_A^-T e_a                                 f(x) = k(x, P) a on r pivots (LowRankPosterior)
//
//   minimise  mean over runs, horizons and states of w_h sqrt((error / q_hj)^2 + 1e-4)  +  0.3 / n |e|^2
//
// (an output without a process keeps its line) with q_hj the mean absolute error of the one-step weights, w_h = 0.95^(h - 1), n transitions. Adam, 100 steps of 64 runs, of
// which the shortness is part of the regularisation. The derivatives go back through the runs by hand: next state
// (AffineNextState), features (LoggedFeatures), processes (CovarianceFunction.inputSlopes).
//
// Left-out halves of nine logs told the constants (Documentation: Numerics).

import Draws
import Execution
import Foundation
import LinearAlgebra
import MachineLogs

/// Refines the mean of a model whose linear part is fitted first.
package struct RunRefinement {
  /// Pivots of a process.
  static let rank = 100

  private static let iterations = 100
  private static let batch = 64
  /// Runs that the scales q are taken from.
  private static let scaleStarts = 256
  private static let rates = (first: 0.1, last: 0.005)
  private static let largestGradient = 1.0
  private static let decay = 0.95
  private static let rounding = 1e-4
  private static let regularisation = 0.3
  private static let smallestRidge = 1e-6
  /// Of standardised errors.
  private static let smallestScale = 1e-4
  /// A run that leaves the training data by so much of their range stays there.
  private static let farthest = 0.5

  private let model: DynamicsModel
  private let linear: LinearPart
  private let posteriors: [LowRankPosterior?]
  private let steps: Int
  private let map: AffineNextState
  private let features: LoggedFeatures
  private let saturation: [ClosedRange<Double>]
  private let measured: [Int]
  private let starts: [PredictionStart]
  /// Standardised states, by episode [rows, S].
  private let truth: [Matrix]
  /// Lowest and highest standardised states of a run [S].
  private let bounds: [ClosedRange<Double>]
  private let transitions: Int
  /// Q^-T [D + 1, D + 1]
  private let linearRoot: Matrix
  /// L_P^-T L_A^-T of each process [r, r].
  private let processRoots: [Matrix?]
  private let inputs: [[Int]]

  /// Weights of the mean.
  package struct Weights {
    package var linear: LinearPart
    /// a of each output; empty without a process.
    package var processes: [[Double]]
  }

  /// - Parameters:
  ///   - model: form, standardisers and bounds; its linear part and processes are not read.
  ///   - linear: of the one-step fit.
  ///   - posteriors: the processes on what it leaves; nil for none, and then the output's linear part stays.
  ///   - z: standardised features of the transitions [n, D] ...
  ///   - episodes: ... of these episodes.
  ///   - options: steps of the runs, ridge.
  /// - Returns: nil where there are too few rows to run from.
  /// - Throws: `FactorizationError`.
  package init?(
    _ model: DynamicsModel, _ linear: LinearPart, _ posteriors: [LowRankPosterior?], _ z: Matrix,
    of episodes: [Episode], _ options: FitOptions
  ) throws {
    starts = PredictionStart.all(episodes, rowsBefore: model.form.longestLag)
    guard starts.count >= Self.batch else { return nil }
    (self.model, self.linear, self.posteriors) = (model, linear, posteriors)
    steps = options.runSteps
    map = AffineNextState(model)
    features = LoggedFeatures(model, episodes)
    saturation = model.saturation
    measured = model.layout.measured
    transitions = z.rows
    inputs = model.form.outputs.map(\.inputs)
    let standardiser = model.stateStandardiser
    truth = episodes.map { Matrix($0.states.map(standardiser.standardise)) }
    bounds = model.stateBounds.enumerated().map { i, range in
      let (mean, scale) = (standardiser.mean[i], standardiser.scale[i])
      let margin = Self.farthest * (range.upperBound - range.lowerBound)
      return (range.lowerBound - margin - mean) / scale...(range.upperBound + margin - mean) / scale
    }
    let ones = z.beside(Matrix(rows: z.rows, columns: 1, repeating: 1))
    var squares = ones.times(ones, transposingFirst: true)
    let ridge = max(options.ridge, Self.smallestRidge) * Double(z.rows)
    for d in 0..<squares.rows { squares[d, d] += ridge }
    linearRoot = try Cholesky(squares, what: "weights of runs").inverseLower().transposed
    processRoots = posteriors.map { $0?.weightRoot }
  }

  /// The weights that runs are best with. Where runs of one-step weights make nothing but nonsense, these.
  package func refined() -> Weights {
    var moves = [Double](repeating: 0, count: count)
    let start = weights(moves)
    let scales = scales(start)
    var ascent = Adam(count: count)
    for iteration in 0..<Self.iterations {
      let key = DrawKey(seed: 0, stream: .runStarts)
      let batch = key.uniforms(particle: 0, step: iteration, count: Self.batch).map {
        starts[min(Int($0 * Double(starts.count)), starts.count - 1)]
      }
      // Two halves, whatever the number of threads: the same bits everywhere.
      let halves = inParallel(2) { half in
        lossAndGradient(
          moves, Array(batch[half * batch.count / 2..<(half + 1) * batch.count / 2]), scales
        ).gradient
      }
      var gradient = zip(halves[0], halves[1]).map { 0.5 * ($0 + $1) }
      let size = dot(gradient, gradient).squareRoot()
      guard size.isFinite else { return start }
      let factor = -min(1, Self.largestGradient / max(size, 1e-300))
      for p in gradient.indices { gradient[p] *= factor }
      let turn = Double(iteration) / Double(Self.iterations)
      let rate =
        Self.rates.last + 0.5 * (Self.rates.first - Self.rates.last) * (1 + cos(.pi * turn))
      ascent.ascend(&moves, gradient: gradient, rate: rate)
    }
    return weights(moves)
  }

  /// Numbers that are moved.
  package var count: Int {
    processRoots.reduce(0) { sum, root in sum + (root.map { linearRoot.rows + $0.rows } ?? 0) }
  }

  /// Mean absolute errors of runs with weights, by horizon and measured state.
  package func scales(_ weights: Weights) -> [[Double]] {
    let some = evenlySpreadRows(count: starts.count, wanted: Self.scaleStarts).map { starts[$0] }
    let run = run(weights, some, keepsSteps: false)
    return (1...steps).map { step in
      measured.map { state in
        var (sum, known) = (0.0, 0.0)
        for b in some.indices {
          guard let error = error(run, some, b, step, state) else { continue }
          sum += abs(error)
          known += 1
        }
        return max(known > 0 ? sum / known : 0, Self.smallestScale)
      }
    }
  }

  /// What is minimised, and its derivatives.
  ///
  /// - Parameters:
  ///   - moves: e [count], of each output with a process e_w, then e_a.
  ///   - starts: of the runs.
  ///   - scales: q [steps][measured].
  package func lossAndGradient(
    _ moves: [Double], _ starts: [PredictionStart], _ scales: [[Double]]
  ) -> (loss: Double, gradient: [Double]) {
    let weights = weights(moves)
    let run = run(weights, starts, keepsSteps: true)
    let lag = model.form.stateLag
    var adjoints = run.states.map { Matrix(rows: $0.rows, columns: $0.columns) }
    var (loss, total, weight) = (0.0, 0.0, 1.0)
    for step in 1...steps {
      for (j, state) in measured.enumerated() {
        for b in starts.indices {
          guard let error = error(run, starts, b, step, state) else { continue }
          let relative = error / scales[step - 1][j]
          let root = (relative * relative + Self.rounding).squareRoot()
          loss += weight * root
          total += weight
          adjoints[lag + step][b, state] = weight * relative / root / scales[step - 1][j]
        }
      }
      weight *= Self.decay
    }
    if total == 0 { return (0, moves.map { _ in 0 }) }
    for k in adjoints.indices {
      for i in adjoints[k].values.indices { adjoints[k].values[i] /= total }
    }
    var gradient = moved(pullBack(run, weights, &adjoints))
    let pull = Self.regularisation / Double(transitions)
    for p in moves.indices { gradient[p] += 2 * pull * moves[p] }
    return (loss / total + pull * dot(moves, moves), gradient)
  }

  // MARK: - Weights

  /// The weights so far from the first.
  private func weights(_ moves: [Double]) -> Weights {
    var (values, constants) = (linear.weights, linear.constants)
    var processes: [[Double]] = []
    let d = values.columns
    var next = 0
    func take(_ count: Int) -> [Double] {
      defer { next += count }
      return Array(moves[next..<next + count])
    }
    for m in posteriors.indices {
      guard let posterior = posteriors[m], let root = processRoots[m] else {
        processes.append([])
        continue
      }
      let line = linearRoot.times(take(d + 1))
      for c in 0..<d { values[m, c] += line[c] }
      constants[m] += line[d]
      processes.append(zip(posterior.meanWeights, root.times(take(root.rows))).map { $0 + $1 })
    }
    return Weights(linear: LinearPart(weights: values, constants: constants), processes: processes)
  }

  /// Adjoints of the moves from those of the weights.
  private func moved(_ adjoints: Weights) -> [Double] {
    posteriors.indices.flatMap { m -> [Double] in
      guard let root = processRoots[m] else { return [] }
      let line = adjoints.linear.weights.row(m) + [adjoints.linear.constants[m]]
      return linearRoot.times(line, transposed: true)
        + root.times(adjoints.processes[m], transposed: true)
    }
  }

  // MARK: - Runs

  private struct Run {
    /// Standardised [starts, S], the oldest that features read first; that of step t at `stateLag` + t.
    var states: [Matrix]
    var steps: [Step] = []
  }

  /// What the derivatives need of a step.
  private struct Step {
    /// Features [starts, D], and what the processes read of them.
    let z: Matrix
    let saturated: Matrix
    /// k(x, P) of each process [starts, r].
    let covariances: [Matrix?]
    /// 1 where the next state was not held at a bound [starts, S].
    let free: Matrix
  }

  private func run(_ weights: Weights, _ starts: [PredictionStart], keepsSteps: Bool) -> Run {
    let lag = model.form.stateLag
    var run = Run(
      states: (0...lag).map { k in
        Matrix(starts.map { truth[$0.episode].row($0.row - lag + k) })
      })
    for step in 0..<steps {
      let past = (0...lag).map { run.states[lag + step - $0] }
      // Runs whose episodes have ended go on with the last command; nobody looks at them.
      let rows = starts.map { start in
        PredictionStart(
          episode: start.episode, row: min(start.row, truth[start.episode].rows - 2 - step))
      }
      let z = features.values(past, rows[...], step)
      var f = weights.linear.values(z)
      let saturated = saturated(z)
      let covariances = posteriors.enumerated().map { m, posterior -> Matrix? in
        guard let posterior else { return nil }
        let k = posterior.hyperparameters.covariance.matrix(
          saturated.selecting(columns: inputs[m]), posterior.pivots)
        for (b, value) in k.times(weights.processes[m]).enumerated() { f[b, m] += value }
        return k
      }
      var next = past[0].times(map.ofState, transposingSecond: true)
      let more = f.times(map.ofIncrements, transposingSecond: true)
      var free = Matrix(rows: next.rows, columns: next.columns, repeating: 1)
      for k in next.values.indices {
        let i = k % next.columns
        let value = next.values[k] + more.values[k] + map.offset[i]
        next.values[k] = min(max(value, bounds[i].lowerBound), bounds[i].upperBound)
        if value != next.values[k] { free.values[k] = 0 }
      }
      run.states.append(next)
      if keepsSteps {
        run.steps.append(Step(z: z, saturated: saturated, covariances: covariances, free: free))
      }
    }
    return run
  }

  private func saturated(_ z: Matrix) -> Matrix {
    var x = z
    for k in x.values.indices {
      let range = saturation[k % x.columns]
      x.values[k] = min(max(x.values[k], range.lowerBound), range.upperBound)
    }
    return x
  }

  /// Standardised; nil where the episode has ended.
  private func error(
    _ run: Run, _ starts: [PredictionStart], _ b: Int, _ step: Int, _ state: Int
  ) -> Double? {
    let (states, row) = (truth[starts[b].episode], starts[b].row + step)
    guard row < states.rows else { return nil }
    return run.states[model.form.stateLag + step][b, state] - states[row, state]
  }

  /// Adjoints of the weights from those of the states, which are filled in.
  private func pullBack(_ run: Run, _ weights: Weights, _ adjoints: inout [Matrix]) -> Weights {
    let lag = model.form.stateLag
    let dimensions = model.form.features.count
    var line = Matrix(rows: posteriors.count, columns: dimensions)
    var constants = [Double](repeating: 0, count: posteriors.count)
    var processes = weights.processes.map { $0.map { _ in 0.0 } }
    for (t, step) in run.steps.enumerated().reversed() {
      var next = adjoints[lag + t + 1]
      for i in next.values.indices { next.values[i] *= step.free.values[i] }
      let df = next.times(map.ofIncrements)
      add(next.times(map.ofState), to: &adjoints[lag + t])
      add(df.times(step.z, transposingFirst: true), to: &line)
      var dz = df.times(weights.linear.weights)
      for (m, posterior) in posteriors.enumerated() {
        let own = df.column(m)
        constants[m] += own.reduce(0, +)
        guard let posterior, let k = step.covariances[m] else { continue }
        for (p, value) in k.times(own, transposed: true).enumerated() { processes[m][p] += value }
        let outer = Matrix(rows: own.count, columns: 1, values: own).times(
          Matrix(rows: 1, columns: k.columns, values: weights.processes[m]))
        let dx = posterior.hyperparameters.covariance.inputSlopes(
          outer, step.saturated.selecting(columns: inputs[m]), posterior.pivots)
        for (c, d) in inputs[m].enumerated() {
          for b in own.indices {
            let k = b * dimensions + d
            if step.z.values[k] == step.saturated.values[k] {
              dz.values[k] += dx.values[b * dx.columns + c]
            }
          }
        }
      }
      features.pullBack(dz, at: run.states[lag + t], to: &adjoints, row: lag + t)
    }
    return Weights(
      linear: LinearPart(weights: line, constants: constants), processes: processes)
  }

  private func add(_ term: Matrix, to sum: inout Matrix) {
    for i in sum.values.indices { sum.values[i] += term.values[i] }
  }
}
