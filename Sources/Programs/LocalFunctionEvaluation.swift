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
    case .gridVariance(let f): evaluate(f, at: x)
    case .weightedSum(let f): evaluate(f, at: x)
    }
  }

  /// Where x lies in a grid: the first point of its stencil and the weights along each axis.
  private struct GridCell {
    var first: [Int] = []
    var weights: [(value: [Double], slope: [Double])] = []
    var isOutside = false
    let counts: [Int]

    /// One of the 4^d corners: its point's index and the product of its weights, with the slope along
    /// `slopeAxis` in place of the weight.
    func corner(_ corner: Int, slopeAxis: Int? = nil) -> (index: Int, weight: Double) {
      var (index, product) = (0, 1.0)
      for axis in counts.indices {
        let k = (corner >> (2 * axis)) & 3
        index = index * counts[axis] + first[axis] + k
        product *= axis == slopeAxis ? weights[axis].slope[k] : weights[axis].value[k]
      }
      return (index, product)
    }
  }

  private func gridCell(
    _ geometryName: String, dimensions: Int, basis: GridBasis, at x: [Double]
  ) -> GridCell {
    let geometry = array(geometryName)
    var result = GridCell(counts: (0..<dimensions).map { Int(geometry[3 * $0 + 2]) })
    for axis in 0..<dimensions {
      let (lower, inverse) = (geometry[3 * axis], geometry[3 * axis + 1])
      let position = (x[axis] - lower) * inverse
      let upper = Double(result.counts[axis] - 2)
      let isInside = position >= 1 && position <= upper
      if !isInside { result.isOutside = true }
      // In this form NaN lands on the upper face, as it does in kernels.
      let below = position < upper ? position : upper
      let clamped = below > 1 ? below : 1
      let cell = min(clamped.rounded(.down), upper - 1)
      result.first.append(Int(cell) - 1)
      var (value, slope) = basis.weights(clamped - cell)
      slope = slope.map { isInside ? $0 * inverse : 0 }
      result.weights.append((value, slope))
    }
    return result
  }

  /// sum over the 4^d grid points around x of the product of the axes' weights and the value there.
  private func evaluate(_ f: Interpolation, at x: [Double]) -> LocalEvaluation {
    let cell = gridCell(f.geometry, dimensions: f.dimensions, basis: f.basis, at: x)
    let table = array(f.table)
    let groupStride = 4 * cell.counts.reduce(1, *)
    var result = LocalEvaluation(
      value: Array(repeating: 0, count: f.outputs),
      jacobian: Array(repeating: 0, count: f.outputs * f.dimensions), isOutside: cell.isOutside)
    for corner in 0..<(1 << (2 * f.dimensions)) {
      let (index, weight) = cell.corner(corner)
      for output in 0..<f.outputs {
        let entry = table[output / 4 * groupStride + 4 * index + output % 4]
        result.value[output] += entry * weight
        for axis in 0..<f.dimensions {
          result.jacobian[output * f.dimensions + axis] +=
            entry * cell.corner(corner, slopeAxis: axis).weight
        }
      }
    }
    return result
  }

  /// v = prod_a w_a^T T_a w_a - ||z||^2, z = R^T w; dv/dx_a by the product rule, and -2 z^T R^T dw/dx_a.
  private func evaluate(_ f: GridVariance, at x: [Double]) -> LocalEvaluation {
    let cell = gridCell(f.geometry, dimensions: f.dimensions, basis: .cubicConvolution, at: x)
    let (root, toeplitz) = (array(f.root), array(f.toeplitz))
    func form(_ axis: Int, _ a: [Double], _ b: [Double]) -> Double {
      var sum = 0.0
      for i in 0..<4 { for j in 0..<4 { sum += a[i] * b[j] * toeplitz[4 * axis + abs(i - j)] } }
      return sum
    }
    func projected(slopeAxis: Int?) -> [Double] {
      var z = [Double](repeating: 0, count: f.rank)
      for corner in 0..<(1 << (2 * f.dimensions)) {
        let (index, weight) = cell.corner(corner, slopeAxis: slopeAxis)
        for j in 0..<f.rank { z[j] += weight * root[index * f.rank + j] }
      }
      return z
    }
    let priors = cell.weights.enumerated().map { form($0, $1.value, $1.value) }
    let z = projected(slopeAxis: nil)
    let jacobian = (0..<f.dimensions).map { axis -> Double in
      let w = cell.weights[axis]
      let others = priors.indices.reduce(1) { $1 == axis ? $0 : $0 * priors[$1] }
      let slope = projected(slopeAxis: axis)
      return 2 * form(axis, w.value, w.slope) * others
        - 2 * zip(z, slope).reduce(0) { $0 + $1.0 * $1.1 }
    }
    return LocalEvaluation(
      value: [priors.reduce(1, *) - z.reduce(0) { $0 + $1 * $1 }], jacobian: jacobian,
      isOutside: cell.isOutside)
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
