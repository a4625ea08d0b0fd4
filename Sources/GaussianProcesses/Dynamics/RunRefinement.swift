// SPDX-License-Identifier: Apache-2.0
// A mean, linear part and processes, refined on the errors of runs ("simulation error": Ljung 1999, section 10.3, has it for linear
// models). One step ahead, a process leaves out what is small beside the noise; over fifty steps that adds up.
//
// Weights move in the coordinates of their own one-step posteriors, so that a move of length one costs the same wherever it goes:
//
//   W = W0 + Q^-T e_w,   [z 1]^T [z 1] + n ridge I = Q Q^T      linear part of standardised features z, n transitions
//   a = a0 + L_P^-T L_A^-T e_a                                 f(x) = k(x, P) a on r pivots (LowRankPosterior)
//
//   minimise  mean over runs, horizons and states of w_h sqrt((error / q_hj)^2 + 1e-4)  +  0.3 / n |e|^2
//
// q_hj is the mean absolute error of the one-step weights, w_h = 0.95^(h - 1). An output without a process keeps its line. Adam takes 100
// iterations of 64 runs, with gradients of length one at most and a rate that falls by a cosine from 0.1 to 0.005. More iterations gain
// nothing: that there are few is part of the regularisation. Splits of nine logs settled the constants (Documentation/Numerics.md).

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
  /// Runs of a horizon from which a scale is told.
  private static let fewest = 10
  private static let learningRates = (first: 0.1, last: 0.005)
  private static let largestGradient = 1.0
  private static let decay = 0.95
  private static let rounding = 1e-4
  private static let regularisation = 0.3
  private static let smallestRidge = 1e-6
  /// Of standardised errors.
  private static let smallestScale = 1e-4

  private let linear: LinearPart
  private let posteriors: [LowRankPosterior?]
  private let steps: Int
  private let mean: MeanAdjoint
  private let measured: [Int]
  private let starts: [PredictionStart]
  private let transitions: Double
  /// Q^-T [D + 1, D + 1]
  private let linearRoot: Matrix
  /// L_P^-T L_A^-T of each process [r, r].
  private let processRoots: [Matrix?]

  /// - Parameters:
  ///   - model: form, standardisers and bounds; its linear part and processes are not read.
  ///   - linear: of the one-step fit.
  ///   - posteriors: of the processes on what it leaves; nil for none, and then the output's linear part stays.
  ///   - episodes: that they were learnt from.
  ///   - options: steps of the runs, ridge.
  /// - Throws: `LogError` where there are too few rows to run from, `FactorizationError`.
  package init(
    _ model: DynamicsModel, linear: LinearPart, posteriors: [LowRankPosterior?],
    on episodes: [Episode], _ options: FitOptions
  ) throws {
    starts = PredictionStart.all(episodes, rowsBefore: model.form.longestLag)
    guard starts.count >= Self.batch else {
      throw LogError(
        file: episodes.first?.name ?? "",
        "\(starts.count) rows to run from are too few for a refinement: it takes \(Self.batch)")
    }
    (self.linear, self.posteriors) = (linear, posteriors)
    steps = options.runSteps
    mean = MeanAdjoint(model, posteriors, along: episodes)
    measured = model.layout.measured
    let z = Matrix(
      TransitionSet(episodes, form: model.form).features.map(model.featureStandardiser.standardise))
    transitions = Double(z.rows)
    let ones = z.beside(Matrix(rows: z.rows, columns: 1, repeating: 1))
    var squares = ones.times(ones, transposingFirst: true)
    let ridge = max(options.ridge, Self.smallestRidge) * transitions
    for d in 0..<squares.rows { squares[d, d] += ridge }
    linearRoot = try Cholesky(squares, what: "features of a refinement").inverseLower().transposed
    processRoots = posteriors.map { $0?.weightRoot }
  }

  /// The weights that runs are best with; the one-step weights where there is no process.
  ///
  /// Throws: `LogError` where runs come to no number.
  package func refined() throws -> MeanWeights {
    var moves = [Double](repeating: 0, count: count)
    if moves.isEmpty { return weights(moves) }
    let scales = scales(weights(moves))
    var ascent = Adam(count: count)
    for iteration in 0..<Self.iterations {
      let key = DrawKey(seed: 0, stream: .runStarts)
      let batch = key.uniforms(particle: 0, step: iteration, count: Self.batch).map {
        starts[min(Int($0 * Double(starts.count)), starts.count - 1)]
      }
      // Two halves, whatever the number of threads, so that it does not change the bits.
      let halves = inParallel(2) { [moves] half in
        let size = batch.count / 2
        return lossAndGradient(moves, Array(batch[half * size..<(half + 1) * size]), scales)
          .gradient
      }
      var gradient = zip(halves[0], halves[1]).map { 0.5 * ($0 + $1) }
      let length = dot(gradient, gradient).squareRoot()
      guard length.isFinite else {
        throw LogError(file: "", "runs of the refinement are not finite")
      }
      let factor = -min(1, Self.largestGradient / max(length, 1e-300))
      for p in gradient.indices { gradient[p] *= factor }
      let done = Double(iteration) / Double(Self.iterations)
      let (first, last) = Self.learningRates
      ascent.ascend(
        &moves, gradient: gradient, rate: last + 0.5 * (first - last) * (1 + cos(.pi * done)))
    }
    return weights(moves)
  }

  /// Numbers that are moved.
  package var count: Int {
    processRoots.reduce(0) { sum, root in sum + (root.map { linearRoot.rows + $0.rows } ?? 0) }
  }

  /// q [steps][measured]: mean absolute standardised errors of runs with weights; nil where few episodes are so long.
  private func scales(_ weights: MeanWeights) -> [[Double?]] {
    let some = evenlySpreadRows(count: starts.count, wanted: Self.scaleStarts).map { starts[$0] }
    let runs = mean.runs(weights, from: some, steps: steps, keepsSteps: false)
    return (1...steps).map { step in
      measured.map { state in
        let errors = some.indices.compactMap {
          mean.error(runs, some, run: $0, step: step, state: state)
        }
        if errors.count < Self.fewest { return nil }
        let sum = errors.reduce(0) { $0 + abs($1) }
        return max(sum / Double(errors.count), Self.smallestScale)
      }
    }
  }

  /// What is minimised, and its derivatives.
  ///
  /// - Parameters:
  ///   - moves: e [count], of each output with a process e_w, then e_a.
  ///   - starts: of the runs.
  ///   - scales: q [steps][measured]; nil where errors do not count.
  package func lossAndGradient(
    _ moves: [Double], _ starts: [PredictionStart], _ scales: [[Double?]]
  ) -> (loss: Double, gradient: [Double]) {
    let weights = weights(moves)
    let runs = mean.runs(weights, from: starts, steps: steps, keepsSteps: true)
    var adjoints = runs.states.suffix(steps).map { Matrix(rows: $0.rows, columns: $0.columns) }
    var (loss, total, weight) = (0.0, 0.0, 1.0)
    for step in 1...steps {
      for (j, state) in measured.enumerated() {
        guard let scale = scales[step - 1][j] else { continue }
        for b in starts.indices {
          guard let error = mean.error(runs, starts, run: b, step: step, state: state) else {
            continue
          }
          let relative = error / scale
          let root = (relative * relative + Self.rounding).squareRoot()
          loss += weight * root
          total += weight
          adjoints[step - 1][b, state] = weight * relative / root / scale
        }
      }
      weight *= Self.decay
    }
    // Of runs that all end before any horizon that counts nothing is known.
    let share = total > 0 ? 1 / total : 0
    for k in adjoints.indices {
      for i in adjoints[k].values.indices { adjoints[k].values[i] *= share }
    }
    var gradient = movesAdjoint(mean.pullBack(runs, weights, adjoints))
    let pull = Self.regularisation / transitions
    for p in moves.indices { gradient[p] += 2 * pull * moves[p] }
    return (share * loss + pull * dot(moves, moves), gradient)
  }

  /// The weights at moves e.
  private func weights(_ moves: [Double]) -> MeanWeights {
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
    return MeanWeights(
      linear: LinearPart(weights: values, constants: constants), processes: processes)
  }

  /// Adjoints of the moves from those of the weights.
  private func movesAdjoint(_ adjoints: MeanWeights) -> [Double] {
    posteriors.indices.flatMap { m -> [Double] in
      guard let root = processRoots[m] else { return [] }
      let line = adjoints.linear.weights.row(m) + [adjoints.linear.constants[m]]
      return linearRoot.times(line, transposed: true)
        + root.times(adjoints.processes[m], transposed: true)
    }
  }
}
