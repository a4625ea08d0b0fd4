// SPDX-License-Identifier: Apache-2.0
// The double sum of moment matching for a pair of outputs (formulas in MomentMatcher.swift), its rows dealt to all
// cores. Each of its n^2 exponentials is computed once; for an output with itself only half of them.

import CMomentSums
import Foundation
import LinearAlgebra

/// E_ab and the sums from which its derivatives come. Below, w_ij is a term of the double sum with its weight.
struct PairSums: Sendable {
  /// E_ab
  let value: Double
  /// sigma_a^2 sigma_b^2 |R|^-1/2
  let scale: Double
  /// sum_ij w_ij (a_i + b_j) [D]
  let first: [Double]
  /// sum_ij w_ij (a_i + b_j)(a_i + b_j)^T
  let second: Matrix
  /// R^-1
  let inverse: Matrix
  /// The diagonal of P.
  let precisions: [Double]

  /// Number of shares into which rows are dealt, more cores than that are of no use; the sums are added in their order, so that bits
  /// do not depend on threads.
  private static let shares = 32

  init(
    _ a: MomentMatcher.Output, _ b: MomentMatcher.Output, isSame: Bool, x: Matrix,
    at input: Gaussian
  ) throws {
    let (n, dimensions) = (x.rows, x.columns)
    precisions = zip(a.inverseSquares, b.inverseSquares).map { $0 + $1 }
    let roots = precisions.map { $0.squareRoot() }
    let (inner, logDeterminant) = try inverseAndLogDeterminant(
      Matrix.identity(dimensions)
        + input.covariance.scalingRows(by: roots).scalingColumns(by: roots),
      what: "covariance of an uncertain input")
    inverse = inner.scalingRows(by: roots.map { 1 / $0 }).scalingColumns(by: roots)
    let t = (inverse * input.covariance).symmetrised
    scale = a.signalVariance * b.signalVariance * Foundation.exp(-0.5 * logDeterminant)
    let left = ScaledInputs(x, input.mean, a.inverseSquares, t)
    let right = isSame ? left : ScaledInputs(x, input.mean, b.inverseSquares, t)
    let slopes = left.points.times(t)  // rows T a_i
    let shares: [Share] = inParallel(Self.shares) { share in
      var sums = Share(n, dimensions)
      for i in stride(from: share, to: n, by: Self.shares) {
        sums.add(
          row: i, left: left, slopes: slopes, right: right, weight: a.weights[i],
          weights: b.weights, corrections: isSame ? a.inverse : nil)
      }
      return sums
    }
    var all = shares[0]
    for share in shares.dropFirst() { all.add(share) }
    if isSame { all.mirror(left, slopes: slopes, weights: a.weights, inverse: a.inverse) }
    value = scale * all.total
    let (rows, columns) = (left.moments(all.rowSums), right.moments(all.columnSums))
    first = zip(rows.first, columns.first).map { $0 + $1 }
    second = rows.second + columns.second + all.cross + all.cross.transposed
  }
}

/// Lambda^-1 (x_i - m) of all rows, and their part of the exponent.
private struct ScaledInputs: Sendable {
  /// [n, D]
  let points: Matrix
  /// The same by columns [D, n].
  let byColumns: [Double]
  /// -nu_i^T a_i / 2 + a_i^T T a_i / 2 [n]
  let offsets: [Double]

  init(_ x: Matrix, _ mean: [Double], _ inverseSquares: [Double], _ t: Matrix) {
    let dimensions = x.columns
    var points = x
    var offsets = [Double](repeating: 0, count: x.rows)
    for i in 0..<x.rows {
      for d in 0..<dimensions {
        let nu = x[i, d] - mean[d]
        points[i, d] = nu * inverseSquares[d]
        offsets[i] -= 0.5 * nu * points[i, d]
      }
      for d in 0..<dimensions {
        for e in 0..<dimensions { offsets[i] += 0.5 * points[i, d] * t[d, e] * points[i, e] }
      }
    }
    self.points = points
    byColumns = points.transposed.values
    self.offsets = offsets
  }

  /// sum_i r_i a_i and sum_i r_i a_i a_i^T.
  func moments(_ weights: [Double]) -> (first: [Double], second: Matrix) {
    (
      points.times(weights, transposed: true),
      points.scalingRows(by: weights).times(points, transposingFirst: true)
    )
  }
}

/// Sums over some of the rows.
private struct Share: Sendable {
  var total = 0.0
  /// sum_j w_ij [n]
  var rowSums: [Double]
  /// sum_i w_ij [n]
  var columnSums: [Double]
  /// sum_ij w_ij a_i b_j^T
  var cross: Matrix

  init(_ n: Int, _ dimensions: Int) {
    rowSums = Array(repeating: 0, count: n)
    columnSums = rowSums
    cross = Matrix(rows: dimensions, columns: dimensions)
  }

  /// Adds row i: all columns, or those before the diagonal where there are corrections.
  mutating func add(
    row i: Int, left: ScaledInputs, slopes: Matrix, right: ScaledInputs, weight: Double,
    weights: [Double], corrections: Matrix?
  ) {
    let (n, dimensions) = (weights.count, slopes.columns)
    var sums = [Double](repeating: 0, count: 1 + dimensions)
    right.offsets.withUnsafeBufferPointer { offsets in
      right.byColumns.withUnsafeBufferPointer { points in
        slopes.values.withUnsafeBufferPointer { slopes in
          weights.withUnsafeBufferPointer { weights in
            withCorrections(corrections, row: i) { corrections in
              var row = exponential_row(
                offset: left.offsets[i], offsets: offsets.baseAddress,
                slopes: slopes.baseAddress.map { $0 + i * dimensions },
                points: points.baseAddress, dimensions: dimensions, stride: n, weight: weight,
                weights: weights.baseAddress, corrections: corrections)
              weighted_exponential_sums(&row, corrections == nil ? n : i, &sums, &columnSums)
            }
          }
        }
      }
    }
    total += sums[0]
    rowSums[i] += sums[0]
    for d in 0..<dimensions {
      for e in 0..<dimensions { cross[d, e] += left.points[i, d] * sums[1 + e] }
    }
  }

  private func withCorrections(
    _ matrix: Matrix?, row: Int, _ body: (UnsafePointer<Double>?) -> Void
  ) {
    guard let matrix else { return body(nil) }
    matrix.values.withUnsafeBufferPointer { values in
      body(values.baseAddress.map { $0 + row * matrix.columns })
    }
  }

  mutating func add(_ other: Share) {
    total += other.total
    for i in rowSums.indices {
      rowSums[i] += other.rowSums[i]
      columnSums[i] += other.columnSums[i]
    }
    cross += other.cross
  }

  /// Completes sums over j < i of symmetric terms: the other half, and the diagonal.
  mutating func mirror(
    _ inputs: ScaledInputs, slopes: Matrix, weights: [Double], inverse: Matrix
  ) {
    total *= 2
    cross += cross.transposed
    let dimensions = slopes.columns
    for i in rowSums.indices {
      var exponent = 2 * inputs.offsets[i]
      for d in 0..<dimensions { exponent += slopes[i, d] * inputs.points[i, d] }
      let term = (weights[i] * weights[i] - inverse[i, i]) * Foundation.exp(exponent)
      total += term
      rowSums[i] += columnSums[i] + term
      for d in 0..<dimensions {
        for e in 0..<dimensions {
          cross[d, e] += term * inputs.points[i, d] * inputs.points[i, e]
        }
      }
    }
    columnSums = rowSums
  }
}
