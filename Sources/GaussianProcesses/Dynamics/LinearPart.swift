// SPDX-License-Identifier: Apache-2.0
// The part of the increments that is linear in the features: by least squares of least norm, before the Gaussian processes,
// which learn the rest; it is also the usual baseline. It costs a dot product, so it may read rows that the
// processes do not.

import LinearAlgebra
import MachineLogs

/// Standardised increments = W z + c, standardised features z.
package struct LinearPart: Hashable, Sendable {
  /// W [M, D]
  package let weights: Matrix
  /// c [M]
  package let constants: [Double]

  init(weights: Matrix, constants: [Double]) {
    (self.weights, self.constants) = (weights, constants)
  }

  /// Of features z [n, D] and increments y [n, M], both standardised; of features that go together the smallest weights.
  /// A ridge is added to their sums of squares.
  init(fitting z: Matrix, _ y: Matrix, ridge: Double = 0) {
    let d = z.columns
    // About the means, so that a ridge leaves the constants alone.
    let (zMeans, yMeans) = (z.columnMeans, y.columnMeans)
    let means = zMeans + yMeans
    let table = Matrix(
      (0..<z.rows).map { i in zip(z.row(i) + y.row(i), means).map { $0 - $1 } })
    let coefficients = SecondMoments(table).regression(
      of: (0..<y.columns).map { d + $0 }, on: Array(0..<d), ridge: ridge)
    weights = Matrix(coefficients.map { Array($0.dropFirst()) })
    constants = coefficients.enumerated().map { m, row in
      yMeans[m] + row[0] - dot(Array(row.dropFirst()), zMeans)
    }
  }

  /// W z + c at features [m, D]: [m, M].
  func values(_ z: Matrix) -> Matrix {
    var values = z.times(weights, transposingSecond: true)
    for i in 0..<values.rows {
      for m in constants.indices { values[i, m] += constants[m] }
    }
    return values
  }

  /// The same map where increments are measured in other units: each divided by its factor.
  func dividing(by factors: [Double]) -> LinearPart {
    LinearPart(
      weights: weights.scalingRows(by: factors.map { 1 / $0 }),
      constants: zip(constants, factors).map { $0 / $1 })
  }
}
