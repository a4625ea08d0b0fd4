// SPDX-License-Identifier: Apache-2.0
// A linear part fitted to the errors of runs ("simulation error", output error; Ljung 1999, section 10.3), by Gauss-Newton with
// the derivatives of the states carried along:
//
//   x' = A x + G (W z + c) + o,   S = dx / d(W, c):   S' = A S + G (W dz/dx S + [z 1])
//
//   minimise mean over horizons h of |e_h|^2 / |e_h|^2 of the first weights + |e_1|^2 / |e_1|^2 of the first weights, all rows
//
// A fit one step ahead follows the noise of the last row; this one follows what persists. It begins with the one-step weights, which
// the last term holds: runs alone, whose errors know each other, would follow what was chance in them.

import Foundation
import LinearAlgebra
import MachineLogs

/// Fits linear weights to runs of a model without processes.
struct RunFittedLinearPart {
  private let model: DynamicsModel
  private let map: AffineNextState
  private let episodes: [Episode]
  private let features: LoggedFeatures
  private let starts: [PredictionStart]
  private let steps: Int
  /// S, M, D
  private let states: Int
  private let outputs: Int
  private let dimensions: Int
  /// Of the model's measured states, which are what runs are compared by.
  private let measured: [Int]
  /// Half the second derivative of the last term: [z 1]^T [z 1] / (n |e_1|^2), one per output.
  private let anchors: [Matrix]

  /// Runs that are looked at, evenly spread.
  private static let mostStarts = 64
  private static let iterations = 10

  /// nil where there are too many weights, features that are not linear, or episodes too short.
  init?(_ model: DynamicsModel, _ first: LinearPart, _ episodes: [Episode], steps: Int) {
    (self.model, self.episodes, self.steps) = (model, episodes, steps)
    (states, outputs) = (model.layout.states.count, model.form.outputCount)
    dimensions = model.form.features.count
    let all = episodes.indices.flatMap { e in
      stride(from: model.form.longestLag, to: episodes[e].count - steps, by: 1).map {
        PredictionStart(episode: e, row: $0)
      }
    }
    guard model.form.canBeFittedToRuns, all.count >= Self.mostStarts / 4 else { return nil }
    starts = evenlySpreadRows(count: all.count, wanted: Self.mostStarts).map { all[$0] }
    map = AffineNextState(model)
    features = LoggedFeatures(model, episodes)
    measured = model.layout.measured
    let data = TransitionSet(episodes, form: model.form)
    let z = Matrix(data.features.map(model.featureStandardiser.standardise))
    let targets = Matrix(data.increments.map(model.incrementStandardiser.standardise))
    let errors = targets - first.values(z)
    let ones = Matrix((0..<z.rows).map { z.row($0) + [1] })
    let squares = ones.times(ones, transposingFirst: true)
    anchors = (0..<outputs).map { m in
      let left = errors.column(m)
      var anchor = squares
      for i in anchor.values.indices { anchor.values[i] /= max(dot(left, left), 1e-12) }
      return anchor
    }
  }

  /// The weights that runs are best with, from those of one step. Throws: `FactorizationError`.
  func fitted(from first: LinearPart) throws -> LinearPart {
    var part = first
    var scales = [Double](repeating: 1, count: steps)
    var sums = sums(part, scales: nil)
    scales = sums.squares.map { $0 > 0 ? 1 / (Double(steps) * $0) : 0 }
    sums = anchored(self.sums(part, scales: scales), part, first)
    // The first weights' runs diverge: there is nothing to go by.
    guard sums.loss.isFinite else { return first }
    var damping = 1e-3
    for _ in 0..<Self.iterations {
      var normal = sums.normal
      for p in 0..<normal.rows { normal[p, p] += damping * normal[p, p] + 1e-9 }
      guard let factor = try? Cholesky(normal, what: "weights of runs") else {
        damping *= 10
        continue
      }
      let change = factor.solve(sums.gradient)
      let tried = moved(part, by: change)
      let next = anchored(self.sums(tried, scales: scales), tried, first)
      // Not a number where a run diverged.
      if next.loss < sums.loss {
        let gain = 1 - next.loss / sums.loss
        (part, sums, damping) = (tried, next, max(damping / 10, 1e-9))
        if gain < 1e-4 { break }
      } else {
        damping *= 10
        if damping > 1e6 { break }
      }
    }
    return part
  }

  /// With the term that holds the first weights: its loss above theirs is quadratic.
  private func anchored(_ sums: Sums, _ part: LinearPart, _ first: LinearPart) -> Sums {
    var all = sums
    let count = dimensions + 1
    for m in 0..<outputs {
      let change = zip(
        part.weights.row(m) + [part.constants[m]], first.weights.row(m) + [first.constants[m]]
      ).map { $0 - $1 }
      let pull = anchors[m].times(change)
      all.loss += dot(change, pull)
      for i in 0..<count {
        all.gradient[m * count + i] -= pull[i]
        for j in 0..<count { all.normal[m * count + i, m * count + j] += anchors[m][i, j] }
      }
    }
    return all
  }

  private func moved(_ part: LinearPart, by change: [Double]) -> LinearPart {
    var (weights, constants) = (part.weights, part.constants)
    for m in 0..<outputs {
      for d in 0..<dimensions { weights[m, d] += change[m * (dimensions + 1) + d] }
      constants[m] += change[m * (dimensions + 1) + dimensions]
    }
    return LinearPart(weights: weights, constants: constants)
  }

  private struct Sums {
    var normal: Matrix
    var gradient: [Double]
    /// Of each horizon, unscaled.
    var squares: [Double]
    var loss = 0.0
  }

  /// J^T J, J^T e and the loss of runs with weights; horizons with their scales, nil for none.
  private func sums(_ part: LinearPart, scales: [Double]?) -> Sums {
    let count = outputs * (dimensions + 1)
    let parts = inParallel(starts.count) { run(part, scales: scales, from: starts[$0]) }
    var all = Sums(
      normal: Matrix(rows: count, columns: count), gradient: Array(repeating: 0, count: count),
      squares: Array(repeating: 0, count: steps))
    for sums in parts {
      for i in all.normal.values.indices { all.normal.values[i] += sums.normal.values[i] }
      for i in all.gradient.indices { all.gradient[i] += sums.gradient[i] }
      for i in all.squares.indices { all.squares[i] += sums.squares[i] }
      all.loss += sums.loss
    }
    return all
  }

  /// One run with its derivatives.
  private func run(
    _ part: LinearPart, scales: [Double]?, from start: PredictionStart
  ) -> Sums {
    let count = outputs * (dimensions + 1)
    let (standardiser, episode) = (model.stateStandardiser, episodes[start.episode])
    var sums = Sums(
      normal: Matrix(rows: count, columns: count), gradient: Array(repeating: 0, count: count),
      squares: Array(repeating: 0, count: steps))
    // Newest first: standardised states [1, S], and their derivatives [S, P].
    var past = (0...model.form.stateLag).map {
      Matrix([standardiser.standardise(episode.states[start.row - $0])])
    }
    var slopes = past.map { _ in Matrix(rows: states, columns: count) }
    for step in 0..<steps {
      let z = features.values(past, [start], step).values
      var f = part.constants
      var df = Matrix(rows: outputs, columns: count)
      for m in 0..<outputs {
        f[m] += dot(part.weights.row(m), z)
        for d in 0..<dimensions { df[m, m * (dimensions + 1) + d] = z[d] }
        df[m, m * (dimensions + 1) + dimensions] = 1
        for (d, feature) in model.form.features.enumerated() {
          guard case .state(let i, let lag) = feature else { continue }
          let weight = part.weights[m, d]
          for p in 0..<count { df[m, p] += weight * slopes[lag][i, p] }
        }
      }
      let next = map.offset.indices.map { i in
        map.offset[i] + dot(map.ofState.row(i), past[0].values) + dot(map.ofIncrements.row(i), f)
      }
      var slope = map.ofState.times(slopes[0])
      let more = map.ofIncrements.times(df)
      for i in slope.values.indices { slope.values[i] += more.values[i] }
      past.insert(Matrix([next]), at: 0)
      past.removeLast()
      slopes.insert(slope, at: 0)
      slopes.removeLast()
      let truth = standardiser.standardise(episode.states[start.row + step + 1])
      let scale = scales?[step] ?? 1
      for i in measured {
        let error = truth[i] - next[i]
        sums.squares[step] += error * error
        sums.loss += scale * error * error
        if scales == nil { continue }
        for p in 0..<count {
          let a = scale * slope[i, p]
          sums.gradient[p] += a * error
          for q in 0..<count { sums.normal[p, q] += a * slope[i, q] }
        }
      }
    }
    return sums
  }
}

extension LinearPart {
  /// The weights that runs are best with, where the options ask for it and it can be had; else these.
  ///
  /// Throws: `FactorizationError`.
  func fitted(
    toRunsOf episodes: [Episode], _ options: FitOptions, _ model: DynamicsModel
  ) throws -> LinearPart {
    guard options.linear == .alone, options.runSteps > 1,
      let runs = RunFittedLinearPart(model, self, episodes, steps: options.runSteps)
    else { return self }
    return try runs.fitted(from: self)
  }
}

extension ModelForm {
  /// Whether its linear part can be fitted to the errors of runs (`FitOptions.runSteps`): all features are linear, and with 30
  /// weights the derivatives take half a second.
  package var canBeFittedToRuns: Bool {
    let isLinear = features.allSatisfy {
      switch $0 {
      case .sine, .cosine, .formula: false
      case .state, .action, .disturbance, .filteredAction: true
      }
    }
    return isLinear && outputCount * (features.count + 1) <= 30
  }
}
