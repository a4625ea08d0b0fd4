// SPDX-License-Identifier: Apache-2.0
// Functions on a regular grid, read through the 4^d points around x. In: x [d], d <= 4, and shared arrays.
//
//   interpolation:  y = sum_p w_p(x) table_p                         one column per output
//   grid variance:  v = prod_a w_a^T T_a w_a - ||R^T w(x)||^2         of a process whose points are the grid's
//
// w(x) is the product of one cubic weight an axis: Keys' convolution or the B-spline.
//
// Shared data: `geometry` [d, 3], rows (lower, 1 / spacing, points per axis), where lower is the coordinate
// of grid index 0. One index at each end of an axis only supports the stencil: the box is [lower + spacing,
// upper - spacing]. Outside it a coordinate is clamped to the box (the gradient along it is then zero) and
// the step counted.

/// Which cubic weights four neighbouring grid points get.
package enum GridBasis: Int, Hashable, Sendable {
  /// Keys' cubic convolution (1981, a = -1/2): the table holds values; C1, reproduces quadratics,
  /// error O(spacing^3). The weights of KISS-GP.
  case cubicConvolution
  /// Cubic B-splines: the table holds coefficients (values after a prefilter); C2, error O(spacing^4).
  case cubicSpline

  /// Coefficients of t^3, t^2, t and 1 of the four weights, t in [0, 1] the fraction between the inner two.
  package var polynomials: [[Double]] {
    switch self {
    case .cubicConvolution:
      [[-0.5, 1.5, -1.5, 0.5], [1, -2.5, 2, -0.5], [-0.5, 0, 0.5, 0], [0, 1, 0, 0]]
    case .cubicSpline:
      [
        [-1 / 6, 0.5, -0.5, 1 / 6], [0.5, -1, 0.5, 0], [-0.5, 0, 0.5, 0],
        [1 / 6, 2 / 3, 1 / 6, 0],
      ]
    }
  }

  /// The four weights at fraction t and their derivatives.
  package func weights(_ t: Double) -> (value: [Double], slope: [Double]) {
    let c = polynomials
    return (
      (0..<4).map { ((c[0][$0] * t + c[1][$0]) * t + c[2][$0]) * t + c[3][$0] },
      (0..<4).map { (3 * c[0][$0] * t + 2 * c[1][$0]) * t + c[2][$0] }
    )
  }
}

/// A table read by cubic interpolation.
package struct Interpolation: Hashable, Sendable {
  /// Shared array [ceil(outputs / 4), n_1, ..., n_d, 4].
  package let table: String
  package let geometry: String
  /// 1 ... 4.
  package let dimensions: Int
  package let outputs: Int
  package let basis: GridBasis

  package init(
    table: String, geometry: String, dimensions: Int, outputs: Int,
    basis: GridBasis = .cubicConvolution
  ) {
    precondition(
      (1...4).contains(dimensions), "interpolation needs 1 to 4 inputs, not \(dimensions)")
    self.table = table
    self.geometry = geometry
    self.dimensions = dimensions
    self.outputs = outputs
    self.basis = basis
  }

  /// Outputs are stored four side by side; this many groups of four.
  package var groups: Int { (outputs + 3) / 4 }

  /// The table of columns [size], one per output: [ceil(columns / 4), size, 4].
  package static func sideBySide(_ columns: [[Double]]) -> [Double] {
    let size = columns.first?.count ?? 0
    var table = [Double](repeating: 0, count: (columns.count + 3) / 4 * size * 4)
    for (output, values) in columns.enumerated() {
      let start = output / 4 * size * 4 + output % 4
      table.withUnsafeMutableBufferPointer { table in
        for (i, value) in values.enumerated() { table[start + 4 * i] = value }
      }
    }
    return table
  }

  /// One of the columns that stand side by side in a table.
  package static func column(_ output: Int, of table: [Double], columns: Int) -> [Double] {
    let size = table.count / ((columns + 3) / 4 * 4)
    let start = output / 4 * size * 4 + output % 4
    return (0..<size).map { table[start + 4 * $0] }
  }
}

/// The predictive variance of a process on the grid's points, interpolated by cubic convolution (KISS-GP,
/// Wilson & Nickisch 2015, with the variance of LOVE, Pleiss 2018).
package struct GridVariance: Hashable, Sendable {
  /// Shared array R [n_1, ..., n_d, rank]: (prior - posterior) covariance of the grid = R R^T.
  package let root: String
  /// Shared array T [d, 4]: the prior's covariance 0, 1, 2, 3 spacings apart, a factor an axis.
  package let toeplitz: String
  package let geometry: String
  /// 1 ... 4.
  package let dimensions: Int
  /// Columns of R, a multiple of `columnBlock` (fill with zeros).
  package let rank: Int

  package static let columnBlock = 16

  package init(root: String, toeplitz: String, geometry: String, dimensions: Int, rank: Int) {
    precondition(
      (1...4).contains(dimensions), "a grid variance needs 1 to 4 inputs, not \(dimensions)")
    precondition(
      rank % Self.columnBlock == 0, "rank \(rank) is no multiple of \(Self.columnBlock)")
    self.root = root
    self.toeplitz = toeplitz
    self.geometry = geometry
    self.dimensions = dimensions
    self.rank = rank
  }
}
