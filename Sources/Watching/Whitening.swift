// SPDX-License-Identifier: Apache-2.0
// Innovations of a model of few rows follow from one another: a sensor's error enters two of them, and a lag that the model does not
// have makes many after each change of a command. The part that the last p rows predict is subtracted, by least squares:
//
//   w_t = e_t - sum over k = 1 ... p of (A_k e_(t-k) + B_k (u_(t-k) - u_(t-k-1)))
//
// with e in deviations of the innovations and u in those of the logged changes of commands. p is the one of the least information
// criterion of Akaike (1974), which errs on the side of the longer. (Rejected: an observer of one gain a state, found by trying gains. It took a run over the log for each,
// and left the lag.)

import Foundation
import LinearAlgebra

/// Takes away what earlier rows tell.
package struct Whitening: Hashable, Sendable {
  /// p
  package let order: Int
  /// S and A.
  let states: Int
  let actions: Int
  /// [S][p * (S + A)]: for each k the S numbers of A_k, then the A numbers of B_k.
  let coefficients: [[Double]]

  /// Orders that are compared.
  private static let orders = [0, 2, 4, 8, 16]
  /// Rows for each coefficient of a state, at least.
  private static let rowsEach = 15
  /// Of the regressors' variance, so that those that hardly move have no large coefficients.
  private static let ridge = 1e-3

  /// One row of an uninterrupted stretch: innovations [S] in deviations, and the last change of the commands [A] in deviations.
  package typealias Row = (innovation: [Double], change: [Double])

  init(order: Int, states: Int, actions: Int, coefficients: [[Double]]) {
    (self.order, self.states, self.actions) = (order, states, actions)
    self.coefficients = coefficients
  }

  /// The best for stretches of rows. Throws: `FactorizationError`.
  package init(fitting stretches: [[Row]], states: Int, actions: Int) throws {
    let longest = Self.orders.last ?? 0
    let rows = stretches.reduce(0) { $0 + max(0, $1.count - longest) }
    var best: (criterion: Double, whitening: Whitening)?
    for order in Self.orders where order * (states + actions) * Self.rowsEach <= rows {
      let (whitening, variances) = try Self.fit(
        stretches, order: order, from: longest, states, actions)
      let parameters = Double(states * order * (states + actions))
      let n = Double(max(rows, 1))
      let criterion =
        n * variances.reduce(0) { $0 + log(max($1, .leastNormalMagnitude)) } + 2 * parameters
      if criterion < best?.criterion ?? .infinity { best = (criterion, whitening) }
    }
    self =
      best?.whitening
      ?? Whitening(order: 0, states: states, actions: actions, coefficients: states.none)
  }

  private static func fit(
    _ stretches: [[Row]], order: Int, from first: Int, _ states: Int, _ actions: Int
  ) throws -> (Whitening, variances: [Double]) {
    var (regressors, targets) = ([[Double]](), [[Double]]())
    for stretch in stretches {
      for t in stride(from: first, to: stretch.count, by: 1) {
        regressors.append(Self.regressors(stretch, t, order))
        targets.append(stretch[t].innovation)
      }
    }
    let (n, width) = (Double(max(targets.count, 1)), order * (states + actions))
    func variances(_ residuals: [[Double]]) -> [Double] {
      (0..<states).map { i in residuals.reduce(0) { $0 + $1[i] * $1[i] } / n }
    }
    guard width > 0, !targets.isEmpty else {
      return (
        Whitening(order: 0, states: states, actions: actions, coefficients: states.none),
        variances(targets)
      )
    }
    let (x, y) = (Matrix(regressors), Matrix(targets))
    var normal = x.times(x, transposingFirst: true)
    for d in 0..<width { normal[d, d] += ridge * n }
    let right = x.times(y, transposingFirst: true)
    let factor = try Cholesky(normal, what: "regressors of innovations")
    let coefficients = (0..<states).map { factor.solve(right.column($0)) }
    let whitening = Whitening(
      order: order, states: states, actions: actions, coefficients: coefficients)
    let residuals = zip(regressors, targets).map { row, target in
      target.indices.map { target[$0] - dot(coefficients[$0], row) }
    }
    return (whitening, variances(residuals))
  }

  /// [p * (S + A)] of row t.
  private static func regressors(_ rows: [Row], _ t: Int, _ order: Int) -> [Double] {
    stride(from: 1, through: order, by: 1).flatMap {
      rows[t - $0].innovation + rows[t - $0 + 1].change
    }
  }

  /// w [S] of the last row, from `order` rows before it.
  package func whitened(_ rows: [Row]) -> [Double] {
    let last = rows.count - 1
    let row = Self.regressors(rows, last, order)
    return (0..<states).map { rows[last].innovation[$0] - dot(coefficients[$0], row) }
  }

  /// What a direction [rows][S] in which innovations move comes to in w [S], at its last row.
  func whitened(direction rows: [[Double]]) -> [Double] {
    let none = [Double](repeating: 0, count: actions)
    return whitened(rows.map { ($0, none) })
  }

  /// w of a state after an innovation of 1 in row 0 alone [p + 1]: what a sensor that is off from then on leaves.
  package func response(of state: Int) -> [Double] {
    [1]
      + (0..<order).map { k in -coefficients[state][k * (states + actions) + state] }
  }
}

extension Int {
  /// So many empty lists.
  fileprivate var none: [[Double]] { Array(repeating: [], count: self) }
}
