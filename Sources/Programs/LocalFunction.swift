// SPDX-License-Identifier: Apache-2.0
// Functions R^d -> R^m with d and m small and large shared data behind them: the two operations that
// carry a GP posterior. Value and Jacobian come out of the same pass over the data, so a rollout
// stores the Jacobian (m d scalars) on its way forward and the reverse loop never reads the data
// again. One tangent rule (J xdot) and one adjoint rule (J^T ybar) serve them all.

/// A function of few inputs and few outputs, evaluated from shared arrays.
package enum LocalFunction: Hashable, Sendable {
  case interpolation(Interpolation)
  case gridVariance(GridVariance)
  case weightedSum(WeightedSum)

  package var inputs: Int {
    switch self {
    case .interpolation(let f): f.dimensions
    case .gridVariance(let f): f.dimensions
    case .weightedSum(let f): f.dimensions
    }
  }

  package var outputs: Int {
    switch self {
    case .interpolation(let f): f.outputs
    case .gridVariance: 1
    case .weightedSum(let f): f.outputs
    }
  }
}

/// KeOps' generic reduction (Charlier 2021): y_j = sum_i g(x; Z_i) C_ij, never holding g for all
/// particles and rows at once, and one more output ||S^T g||^2, where g_i = g(x; Z_i).
///
/// Serves the exact and the low-rank posterior: mean = k^T alpha, variance = k(x,x) - ||S^T k||^2
/// with S = L^-T (K = L L^T) or a Lanczos root; random Fourier features; radial-basis policies. Shared
/// data: `rows` Z [count, rowLength], `weights` C [count, columns] (of `RolloutProgram.functionDraw`, where
/// every particle has its own), `squared` S [count, squaredColumns].
package struct WeightedSum: Hashable, Sendable {
  /// g: inputs "x" [dimensions] and "row" [rowLength], one output of length 1.
  package let summand: Program
  /// The gradient of g with respect to x, by the adjoint of `summand`: output of length dimensions.
  package let summandGradient: Program
  package let rows: SharedMatrix
  package let weights: SharedMatrix
  package let squared: SharedMatrix?
  /// Whether S is upper triangular (S_ij = 0 for i > j), so that half the products are skipped.
  package let squaredIsUpperTriangular: Bool
  package let dimensions: Int

  /// - Parameters:
  ///   - dimensions: of x.
  ///   - rows: Z
  ///   - weights: C
  ///   - squared: S, or nil where no ||S^T g||^2 is wanted.
  ///   - squaredIsUpperTriangular: the lower half of S is zero, and not read.
  ///   - summand: builds g from x [dimensions] and a row of Z.
  package init(
    dimensions: Int, rows: SharedMatrix, weights: SharedMatrix, squared: SharedMatrix? = nil,
    squaredIsUpperTriangular: Bool = false, summand: (Value, Value) -> Value
  ) {
    let builder = ProgramBuilder()
    let x = builder.input("x", length: dimensions)
    let g = summand(x, builder.input("row", length: rows.columns))
    precondition(g.length == 1, "a weighted sum's summand is a scalar, not of length \(g.length)")
    builder.output("g", g)
    self.summand = builder.finish()
    let reverse = self.summand.adjoint(withRespectTo: ["x"])
    self.summandGradient = reverse
    self.dimensions = dimensions
    self.rows = rows
    self.weights = weights
    self.squared = squared
    self.squaredIsUpperTriangular = squaredIsUpperTriangular
  }

  package var outputs: Int { weights.columns + (squared == nil ? 0 : 1) }
}
