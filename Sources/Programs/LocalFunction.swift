// SPDX-License-Identifier: Apache-2.0
// Functions R^d -> R^m with d and m small and large shared data behind them: the two operations that
// carry a GP posterior. Value and Jacobian come out of the same pass over the data, so a rollout
// stores the Jacobian (m d scalars) on its way forward and the reverse loop never reads the data
// again. One tangent rule (J xdot) and one adjoint rule (J^T ybar) serve them all.

/// A function of few inputs and few outputs, evaluated from shared arrays.
public enum LocalFunction: Hashable, Sendable {
  case interpolation(Interpolation)
  case weightedSum(WeightedSum)

  public var inputs: Int {
    switch self {
    case .interpolation(let f): f.dimensions
    case .weightedSum(let f): f.dimensions
    }
  }

  public var outputs: Int {
    switch self {
    case .interpolation(let f): f.outputs
    case .weightedSum(let f): f.outputs
    }
  }
}

/// Cubic convolution on a regular grid (Keys 1981, a = -1/2): C1, reproduces quadratics,
/// error O(spacing^3).
///
/// Shared data: `geometry` [dimensions, 3] rows (lower, 1 / spacing, points per axis), where lower is
/// the coordinate of grid index 0; `table` [ceil(outputs / 4), n_1, ..., n_d, 4]. One index at each
/// end of an axis only supports the stencil: the box is [lower + spacing, upper - spacing]. Outside
/// it a coordinate is clamped to the box (the gradient along it is then zero) and the step counted.
public struct Interpolation: Hashable, Sendable {
  /// Shared array holding the values.
  public let table: String
  /// Shared array holding lower, 1 / spacing and point count of each axis.
  public let geometry: String
  /// 1 ... 4.
  public let dimensions: Int
  public let outputs: Int

  public init(table: String, geometry: String, dimensions: Int, outputs: Int) {
    precondition(
      (1...4).contains(dimensions), "interpolation needs 1 to 4 inputs, not \(dimensions)")
    self.table = table
    self.geometry = geometry
    self.dimensions = dimensions
    self.outputs = outputs
  }

  /// Outputs are stored four side by side; this many groups of four.
  public var groups: Int { (outputs + 3) / 4 }

  /// Keys' weights of the four grid points around fraction t in [0, 1], and their derivatives.
  static func weights(_ t: Double) -> (value: [Double], slope: [Double]) {
    (
      [
        ((-0.5 * t + 1) * t - 0.5) * t, (1.5 * t - 2.5) * t * t + 1,
        ((-1.5 * t + 2) * t + 0.5) * t, (0.5 * t - 0.5) * t * t,
      ],
      [
        (-1.5 * t + 2) * t - 0.5, (4.5 * t - 5) * t, (-4.5 * t + 4) * t + 0.5, (1.5 * t - 1) * t,
      ]
    )
  }
}

/// KeOps' generic reduction (Charlier 2021): y_j = sum_i g(x; Z_i) C_ij, never holding g for all
/// particles and rows at once, and one more output ||S^T g||^2, where g_i = g(x; Z_i).
///
/// Serves the exact and the low-rank posterior: mean = k^T alpha, variance = k(x,x) - ||S^T k||^2
/// with S = L^-T (K = L L^T) or a Lanczos root. Shared data: `rows` Z [count, rowLength], `weights` C
/// [count, columns], `squared` S [count, squaredColumns].
public struct WeightedSum: Hashable, Sendable {
  /// g: inputs "x" [dimensions] and "row" [rowLength], one output of length 1.
  public let summand: Program
  /// The gradient of g with respect to x, by the adjoint of `summand`: output of length dimensions.
  public let summandGradient: Program
  public let rows: SharedMatrix
  public let weights: SharedMatrix
  public let squared: SharedMatrix?
  /// Whether S is upper triangular (S_ij = 0 for i > j), so that half the products are skipped.
  public let squaredIsUpperTriangular: Bool
  public let dimensions: Int

  /// - Parameter summand: builds g from x [dimensions] and a row of Z.
  public init(
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

  public var outputs: Int { weights.columns + (squared == nil ? 0 : 1) }
}
