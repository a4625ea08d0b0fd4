// SPDX-License-Identifier: Apache-2.0
// Which inputs of a process matter, so that a search may do with few of them: tables serve four at most. In: a fitted model. Out:
// for each output the inputs that lower the left-out error most, found one after the other, and what each other would still gain.
//
// The error is of leaving one row out, in closed form (Rasmussen and Williams 2006, equation 5.12), of the model's covariance on the
// inputs taken so far beside a line in them; what is not taken becomes noise, so some noises are tried. (Rejected: lengthscales,
// which say how often a function bends along an input and nothing of how far; slopes of the posterior mean, which are large and
// opposite along two inputs that nearly are one, such as a position and the one before it.)

import GaussianProcesses
import LinearAlgebra

/// How much each output depends on each of its inputs.
package struct InputRelevance: Sendable {
  /// The inputs of one output.
  package struct Output: Sendable {
    /// In the order in which they were taken.
    package let read: [InputFeature]
    /// Left-out error with these, over the targets' deviation.
    package let error: Double
    /// Relative, of that error: what each other input would still take off; the largest first.
    package let others: [(feature: InputFeature, gain: Double)]
  }

  package let outputs: [Output]

  /// Rows on which errors are taken.
  private static let rows = 240
  /// Factors of the process's noise variance that are tried.
  private static let noises = [1.0, 10, 100]

  /// - Parameters:
  ///   - model: whose processes read more.
  ///   - count: inputs that each output is to read.
  /// - Throws: `FactorizationError`.
  init(_ model: DynamicsModel, most count: Int) throws {
    outputs = try zip(model.processes, model.form.outputs).map { process, output in
      try Self.select(process, output.inputs.map { model.form.features[$0] }, count)
    }
  }

  private static func select(
    _ process: GaussianProcess, _ features: [InputFeature], _ count: Int
  ) throws -> Output {
    let rows = evenlySpreadRows(count: process.x.rows, wanted: rows)
    let x = process.x.selecting(rows: rows)
    let all = rows.map { process.y[$0] }
    let mean = all.reduce(0, +) / Double(all.count)
    let y = all.map { $0 - mean }
    let usual = (dot(y, y) / Double(y.count)).squareRoot()
    func errors(with taken: [Int], and left: [Int]) throws -> [Double] {
      try inParallel(left.count) {
        try leftOutError(process, x, y, inputs: Set(taken + [left[$0]]))
      }
    }
    var taken: [Int] = []
    var left = Array(features.indices)
    var error = usual
    while taken.count < count, !left.isEmpty {
      let found = try errors(with: taken, and: left)
      guard let best = found.indices.min(by: { found[$0] < found[$1] }) else { break }
      error = found[best]
      taken.append(left.remove(at: best))
    }
    let more = try errors(with: taken, and: left)
    return Output(
      read: taken.map { features[$0] }, error: error / usual,
      others: zip(left, more).map { (feature: features[$0], gain: 1 - $1 / error) }
        .sorted { $0.gain > $1.gain })
  }

  /// Root mean square of y_i - E[y_i | all others], the least over the noises.
  private static func leftOutError(
    _ process: GaussianProcess, _ x: Matrix, _ y: [Double], inputs: Set<Int>
  ) throws -> Double {
    // A column of zeros tells no rows apart.
    var read = x
    for d in 0..<x.columns where !inputs.contains(d) { for i in 0..<x.rows { read[i, d] = 0 } }
    let covariance =
      process.hyperparameters.covariance.matrix(read, read)
      + read.times(read, transposingSecond: true)
    let noise = process.hyperparameters.noiseVariance
    let errors = try noises.map { factor -> Double in
      var k = covariance
      for i in 0..<k.rows { k[i, i] += factor * noise }
      let inverse = try inverseAndLogDeterminant(k, what: "a left-out error").inverse
      let squares = (0..<k.rows).map { i -> Double in
        let residual = dot(inverse.row(i), y) / inverse[i, i]
        return residual * residual
      }
      return (squares.reduce(0, +) / Double(squares.count)).squareRoot()
    }
    return errors.min() ?? .infinity
  }

  /// The features that each output is to read.
  var selected: [Set<InputFeature>] { outputs.map { Set($0.read) } }
}
