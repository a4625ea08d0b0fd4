// SPDX-License-Identifier: Apache-2.0
// Linear least squares of any column of a table on any others, on any of its parts, from one pass over it: the sums of
// products of all columns. In: columns with mean 0 and deviation 1, or nearly so. Out: coefficients, squared errors.
//
//   b = argmin |y - [1 X] b|^2 of least norm;   |y - [1 X] b|^2 = y'y - 2 b'[1 X]'y + b'[1 X]'[1 X] b

/// Sums of products of a table's columns, a column of ones before them.
package struct SecondMoments: Sendable {
  /// [1 + columns, 1 + columns]
  private var sums: Matrix

  /// Columns that go together up to this part of their deviation do so: a log has five or six digits. Along such a direction
  /// nothing can be learnt, and it is left out.
  package static let tolerance = 1e-5

  /// - Parameter table: [rows, columns]. O(rows columns^2).
  package init(_ table: Matrix) {
    let ones = Matrix(table.rows == 0 ? [] : (0..<table.rows).map { [1] + table.row($0) })
    sums =
      table.rows == 0
      ? Matrix(rows: table.columns + 1, columns: table.columns + 1) : ones.transposed.times(ones)
  }

  /// Of the rows of `a` without those of `b`.
  package static func - (a: SecondMoments, b: SecondMoments) -> SecondMoments {
    var rest = a
    for i in rest.sums.values.indices { rest.sums.values[i] -= b.sums.values[i] }
    return rest
  }

  /// Coefficients of least squares of least norm, one list per target: a constant, then one per input.
  ///
  /// - Parameters:
  ///   - targets: columns.
  ///   - inputs: other columns.
  ///   - ridge: added to the sums of squares of the inputs.
  package func regression(
    of targets: [Int], on inputs: [Int], ridge: Double = 0
  ) -> [[Double]] {
    let indices = [0] + inputs.map { $0 + 1 }
    let normal = Matrix(indices.map { i in indices.map { sums[i, $0] } })
    let (values, vectors) = normal.symmetricEigenvalues
    let least = Self.tolerance * Self.tolerance * (values.last ?? 0)
    return targets.map { target in
      var coefficients = [Double](repeating: 0, count: indices.count)
      for (k, value) in values.enumerated() where value > least {
        let along = indices.indices.reduce(0) {
          $0 + vectors[$1, k] * sums[indices[$1], target + 1]
        }
        for i in indices.indices { coefficients[i] += vectors[i, k] * along / (value + ridge) }
      }
      return coefficients
    }
  }

  /// Mean squared error of a regression on these rows.
  package func meanSquaredError(
    _ coefficients: [Double], of target: Int, on inputs: [Int]
  ) -> Double {
    let indices = [0] + inputs.map { $0 + 1 }
    var sum = sums[target + 1, target + 1]
    for (i, a) in zip(indices, coefficients) {
      sum -= 2 * a * sums[i, target + 1]
      for (j, b) in zip(indices, coefficients) { sum += a * b * sums[i, j] }
    }
    return max(sum, 0) / max(sums[0, 0], 1)
  }
}
