// SPDX-License-Identifier: Apache-2.0
// Small matrices inside a program, element by element: what a step of moment matching does with covariances of a few
// states is differentiated and run as any other program.

import Programs

/// A matrix of scalar values.
struct ScalarMatrix {
  let rows: Int
  let columns: Int
  /// Row-major.
  var elements: [Value]

  init(rows: Int, columns: Int, _ element: (Int, Int) -> Value) {
    (self.rows, self.columns) = (rows, columns)
    elements = (0..<rows).flatMap { i in (0..<columns).map { element(i, $0) } }
  }

  /// From a value of rows * columns scalars.
  init(_ value: Value, rows: Int, columns: Int) {
    self.init(rows: rows, columns: columns) { value[$0 * columns + $1] }
  }

  subscript(_ i: Int, _ j: Int) -> Value {
    get { elements[i * columns + j] }
    set { elements[i * columns + j] = newValue }
  }

  var value: Value { elements[0].builder.concatenate(elements) }
  var transposed: ScalarMatrix { ScalarMatrix(rows: columns, columns: rows) { self[$1, $0] } }

  static func + (a: ScalarMatrix, b: ScalarMatrix) -> ScalarMatrix {
    ScalarMatrix(rows: a.rows, columns: a.columns) { a[$0, $1] + b[$0, $1] }
  }

  static func * (a: ScalarMatrix, b: ScalarMatrix) -> ScalarMatrix {
    precondition(a.columns == b.rows, "\(a.rows) x \(a.columns) times \(b.rows) x \(b.columns)")
    return ScalarMatrix(rows: a.rows, columns: b.columns) { i, j in
      (0..<a.columns).map { a[i, $0] * b[$0, j] }.sum
    }
  }

  /// L of a symmetric positive definite matrix L L^T; zeros above the diagonal are left out.
  func choleskyRows() -> [[Value]] {
    var lower: [[Value]] = []
    for i in 0..<rows {
      var row: [Value] = []
      for j in 0...i {
        let known = (0..<j).map { row[$0] * (j == i ? row : lower[j])[$0] }
        let rest = known.isEmpty ? self[i, j] : self[i, j] - known.sum
        row.append(j == i ? sqrt(rest) : rest / lower[j][j])
      }
      lower.append(row)
    }
    return lower
  }
}

extension [Value] {
  /// Of at least one value.
  var sum: Value { dropFirst().reduce(self[0], +) }
}
