// SPDX-License-Identifier: Apache-2.0
// Nonlinear least squares for a handful of constants, each within bounds (Levenberg 1944, Marquardt 1963): steps
// (J^T J + damping diag(J^T J))^-1 J^T r, cut off at the bounds; the damping falls after a step that helps and grows after one that
// does not. The Jacobian is by central differences. Own code: libLBFGS, which the project has, knows neither bounds nor the
// curvature from which the constants' errors follow.

import LinearAlgebra

/// Constants that make residuals small.
struct LeastSquaresSolution {
  let constants: [Double]
  /// Sum of the squared residuals.
  let sum: Double
  /// Standard errors from sigma^2 (J^T J)^-1, independent residuals; nil of a constant that the residuals do not tell.
  let errors: [Double?]
}

/// - Parameters:
///   - start: constants within their bounds.
///   - bounds: one a constant.
///   - residuals: of constants; more than there are constants, none of them NaN at the start.
func leastSquares(
  from start: [Double], within bounds: [ClosedRange<Double>], iterations: Int = 60,
  residuals: ([Double]) -> [Double]
) -> LeastSquaresSolution {
  func clamped(_ c: [Double]) -> [Double] {
    zip(c, bounds).map { min(max($0, $1.lowerBound), $1.upperBound) }
  }
  func sum(_ r: [Double]) -> Double { r.reduce(0) { $0 + $1 * $1 } }
  func jacobian(_ c: [Double]) -> Matrix {
    let columns = c.indices.map { k -> [Double] in
      let step = 1e-6 * max(abs(c[k]), 1e-3)
      var (up, down) = (c, c)
      (up[k], down[k]) = (c[k] + step, c[k] - step)
      (up, down) = (clamped(up), clamped(down))
      let width = up[k] - down[k]
      return zip(residuals(up), residuals(down)).map { ($0 - $1) / width }
    }
    return Matrix(columns).transposed
  }
  var c = clamped(start)
  var r = residuals(c)
  var best = sum(r)
  var damping = 1e-3
  search: for _ in 0..<iterations {
    let j = jacobian(c)
    let curvature = j.transposed * j
    let slope = (0..<c.count).map { dot(j.column($0), r) }
    while true {
      // No step helps: this is the bottom, or as near as rounding lets one come.
      if damping > largestDamping { break search }
      if let next = step(from: c, slope, curvature, damping).map(clamped) {
        let residual = residuals(next)
        let value = sum(residual)
        if value < best {
          let gain = (best - value) / best
          (c, r, best) = (next, residual, value)
          damping = max(damping / 5, 1e-12)
          if gain < leastGain { break search }
          break
        }
      }
      damping *= 4
    }
  }
  let j = jacobian(c)
  return LeastSquaresSolution(
    constants: c, sum: best,
    errors: standardErrors(
      j.transposed * j, variance: best / Double(max(r.count - c.count, 1))))
}

private let largestDamping = 1e10
/// Relative, of the sum of squares: a search ends with a step that gains less.
private let leastGain = 1e-9

/// c - (C + damping diag(C))^-1 slope; nil where that is singular.
private func step(
  from c: [Double], _ slope: [Double], _ curvature: Matrix, _ damping: Double
) -> [Double]? {
  var damped = curvature
  for k in c.indices { damped[k, k] += damping * curvature[k, k] + 1e-300 }
  guard let inverse = try? inverseAndLogDeterminant(damped, what: "constants").inverse else {
    return nil
  }
  return c.indices.map { c[$0] - dot(inverse.row($0), slope) }
}

/// sqrt(diag(variance C^-1)), where a constant has its own direction; nil where it has none.
private func standardErrors(_ curvature: Matrix, variance: Double) -> [Double?] {
  let n = curvature.rows
  // Scaled, so that the units of the constants do not matter.
  let scale = (0..<n).map { curvature[$0, $0].squareRoot() }
  guard scale.allSatisfy({ $0 > 0 && $0.isFinite }) else {
    let told = (0..<n).filter { scale[$0] > 0 && scale[$0].isFinite }
    if told.isEmpty { return scale.map { _ in nil } }
    let part = Matrix(told.map { i in told.map { curvature[i, $0] } })
    let errors = standardErrors(part, variance: variance)
    return (0..<n).map { i in told.firstIndex(of: i).flatMap { errors[$0] } }
  }
  let scaled = Matrix(
    (0..<n).map { i in (0..<n).map { curvature[i, $0] / (scale[i] * scale[$0]) } })
  guard let inverse = try? inverseAndLogDeterminant(scaled, what: "constants").inverse else {
    return scale.map { _ in nil }
  }
  return (0..<n).map { i in
    // Beyond 1e10 the direction is another constant's, to rounding.
    inverse[i, i] > 0 && inverse[i, i] < 1e10
      ? (variance * inverse[i, i]).squareRoot() / scale[i] : nil
  }
}
