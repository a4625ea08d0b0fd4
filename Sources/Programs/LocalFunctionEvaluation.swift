// SPDX-License-Identifier: Apache-2.0
// The definition of the local functions in double precision: value and Jacobian at one point.

extension Interpreter {
  struct LocalEvaluation {
    /// [outputs]
    var value: [Double]
    /// [outputs, inputs] row-major
    var jacobian: [Double]
    var isOutside = false
  }

  func evaluate(_ function: LocalFunction, at x: [Double]) -> LocalEvaluation {
    switch function {
    case .interpolation(let f): evaluate(f, at: x)
    case .weightedSum(let f): evaluate(f, at: x)
    }
  }

  /// sum over the 4^d grid points around x of the product of the axes' weights and the value there.
  private func evaluate(_ f: Interpolation, at x: [Double]) -> LocalEvaluation {
    let geometry = array(f.geometry)
    let table = array(f.table)
    let counts = (0..<f.dimensions).map { Int(geometry[3 * $0 + 2]) }
    let groupStride = 4 * counts.reduce(1, *)
    var outside = false
    var first: [Int] = []
    var weights: [(value: [Double], slope: [Double])] = []
    for axis in 0..<f.dimensions {
      let (lower, inverse) = (geometry[3 * axis], geometry[3 * axis + 1])
      let position = (x[axis] - lower) * inverse
      let upper = Double(counts[axis] - 2)
      let isInside = position >= 1 && position <= upper
      if !isInside { outside = true }
      // In this form NaN lands on the upper face, as it does in kernels.
      let below = position < upper ? position : upper
      let clamped = below > 1 ? below : 1
      let cell = min(clamped.rounded(.down), upper - 1)
      first.append(Int(cell) - 1)
      var (value, slope) = Interpolation.weights(clamped - cell)
      slope = slope.map { isInside ? $0 * inverse : 0 }
      weights.append((value, slope))
    }
    var result = LocalEvaluation(
      value: Array(repeating: 0, count: f.outputs),
      jacobian: Array(repeating: 0, count: f.outputs * f.dimensions), isOutside: outside)
    for corner in 0..<(1 << (2 * f.dimensions)) {
      let k = (0..<f.dimensions).map { (corner >> (2 * $0)) & 3 }
      var index = 0
      for axis in 0..<f.dimensions { index = index * counts[axis] + first[axis] + k[axis] }
      func product(slopeAxis: Int?) -> Double {
        (0..<f.dimensions).reduce(1) {
          $0 * ($1 == slopeAxis ? weights[$1].slope[k[$1]] : weights[$1].value[k[$1]])
        }
      }
      for output in 0..<f.outputs {
        let entry = table[output / 4 * groupStride + 4 * index + output % 4]
        result.value[output] += entry * product(slopeAxis: nil)
        for axis in 0..<f.dimensions {
          result.jacobian[output * f.dimensions + axis] += entry * product(slopeAxis: axis)
        }
      }
    }
    return result
  }

  /// y = C^T g, and ||S^T g||^2 with gradient 2 (dg/dx)^T S (S^T g).
  private func evaluate(_ f: WeightedSum, at x: [Double]) -> LocalEvaluation {
    let rows = matrix(f.rows)
    var g: [Double] = []
    var gradients: [[Double]] = []
    for i in 0..<f.rows.rows {
      let row = Array(rows[i * f.rows.columns..<(i + 1) * f.rows.columns])
      g.append(run(f.summand, inputs: ["x": x, "row": row]).outputs["g"]?[0] ?? .nan)
      gradients.append(
        run(f.summandGradient, inputs: ["x": x, "row": row, "adj_g": [1]]).outputs["adj_x"] ?? [])
    }
    let weights = matrix(f.weights)
    var value = transposedMatrixVector(weights, g, columns: f.weights.columns)
    // Per output, the factor of dg_i/dx.
    var factors = (0..<f.weights.columns).map { j in
      (0..<g.count).map { weights[$0 * f.weights.columns + j] }
    }
    if let s = f.squared {
      let root = matrix(s)
      let projected = transposedMatrixVector(root, g, columns: s.columns)
      value.append(projected.reduce(0) { $0 + $1 * $1 })
      factors.append(matrixVector(root, projected, rows: s.rows).map { 2 * $0 })
    }
    let jacobian = factors.flatMap { factor in
      (0..<f.dimensions).map { d in
        factor.indices.reduce(0) { $0 + factor[$1] * gradients[$1][d] }
      }
    }
    return LocalEvaluation(value: value, jacobian: jacobian)
  }
}
