// SPDX-License-Identifier: Apache-2.0
// Symmetric matrices that are never formed: what conjugate gradients and Lanczos need of them.

/// A symmetric matrix A [size, size] known by its products.
public protocol SymmetricOperator: Sendable {
  var size: Int { get }
  /// A V for V [size, t].
  func times(_ v: Matrix) -> Matrix
}

extension SymmetricOperator {
  /// A v.
  public func times(_ v: [Double]) -> [Double] {
    times(Matrix(rows: v.count, columns: 1, values: v)).values
  }
}

/// A matrix that is in memory, its lower triangle read.
public struct DenseOperator: SymmetricOperator {
  private let matrix: Matrix

  public init(lowerTriangle: Matrix) { matrix = lowerTriangle }

  public var size: Int { matrix.rows }

  public func times(_ v: Matrix) -> Matrix { matrix.symmetricTimes(v) }
}
