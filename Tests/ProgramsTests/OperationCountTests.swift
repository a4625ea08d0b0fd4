// SPDX-License-Identifier: Apache-2.0
// Counts of operations, by hand.

import Programs
import Testing

@Suite("operation counts")
struct OperationCountTests {
  @Test("a network of two layers: 2 m n a product, one an elementary function")
  func network() {
    let builder = ProgramBuilder()
    let x = builder.input("x", length: 3)
    let first = SharedMatrix(array: "w", rows: 5, columns: 3)
    let second = SharedMatrix(array: "w", offset: 15, rows: 2, columns: 5)
    builder.output(
      "y", builder.affine(second, bias: nil, tanh(builder.affine(first, bias: nil, x))))
    #expect(builder.finish().operationCount == 2 * 15 + 5 + 2 * 10)
  }

  @Test(
    "a weighted sum: rows times summand and columns, and half the square where it is triangular")
  func weightedSum() {
    func count(triangular: Bool) -> Double {
      let builder = ProgramBuilder()
      let x = builder.input("x", length: 2)
      let sum = WeightedSum(
        dimensions: 2, rows: SharedMatrix(array: "z", rows: 10, columns: 2),
        weights: SharedMatrix(array: "c", rows: 10, columns: 3),
        squared: SharedMatrix(array: "s", rows: 10, columns: 10),
        squaredIsUpperTriangular: triangular
      ) { x, row in dot(x, row) }
      builder.output("y", builder.apply(.weightedSum(sum), x))
      return builder.finish().operationCount
    }
    // dot of length 2: 4; three columns: 6; ten rows; S^T g: 2 x 100.
    #expect(count(triangular: false) == 10 * (4 + 6) + 200)
    #expect(count(triangular: true) == 10 * (4 + 6) + 100)
  }

  @Test("the adjoint counts its sums over parameters")
  func adjoint() {
    let builder = ProgramBuilder()
    let x = builder.input("x", length: 3)
    let w = SharedMatrix(array: "parameters", rows: 4, columns: 3)
    builder.output("y", builder.affine(w, bias: nil, x))
    let adjoint = builder.finish().adjoint(withRespectTo: [], sharedArrays: ["parameters"])
    #expect(adjoint.operationCount == 2 * 12)
  }
}
