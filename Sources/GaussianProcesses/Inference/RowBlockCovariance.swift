// SPDX-License-Identifier: Apache-2.0
// The exact covariance K + sn2 I of many points, never formed: K v is the weighted sum y(x) = sum_i k(x, X_i) v_i
// at every training input, which a compiled kernel evaluates tile by tile (KeOps' reduction, Charlier 2021).
// O(n^2) work, O(n) memory, single precision; a product at n = 100,000 in 3 inputs with 13
// columns takes about 3 s on two cores.

import Execution
import LinearAlgebra
import Programs

/// What the marginal likelihood by iteration needs of a covariance.
protocol LikelihoodOperator: SymmetricOperator {
  /// sum_c u_c^T S (dK / dtheta) S v_c for every covariance parameter, U and V [n, t].
  func contraction(_ u: Matrix, _ v: Matrix) throws -> [Double]
}

/// S K S + sn2 I in row blocks, S = diag(scales): rows divided by sqrt(c_i) have the same noise.
///
/// @unchecked: its kernels are used by one thread at a time, which uses all cores itself.
package final class RowBlockCovariance: LikelihoodOperator, @unchecked Sendable {
  private let x: Matrix
  private let hyperparameters: Hyperparameters
  private let columns: Int
  /// 1 / sqrt(c_i) [n]
  private let scales: [Double]
  private let product: PointwiseEvaluator
  private let derivative: PointwiseEvaluator

  private static let rowsArray = "rows"
  private static let weightsArray = "weights"
  private static let covarianceArray = "covariance"

  /// - Parameters:
  ///   - hyperparameters: covariance, mean and noise.
  ///   - x: [n, D]
  ///   - scales: S's diagonal [n].
  ///   - columns: t, how many vectors are multiplied at once.
  ///   - device: where products run.
  /// - Throws: `ExecutionError`, `CUDAFailure`.
  package init(
    _ hyperparameters: Hyperparameters, x: Matrix, scales: [Double], columns: Int,
    device: ExecutionDevice? = nil
  ) throws {
    (self.x, self.scales) = (x, scales)
    self.hyperparameters = hyperparameters
    self.columns = columns
    let covariance = hyperparameters.covariance
    let numbers = covariance.expressionData
    var data = [
      Self.rowsArray: x.values, Self.weightsArray: [Double](repeating: 0, count: x.rows * columns),
      Self.covarianceArray: numbers,
    ]
    func kernel(_ summand: @escaping (Value, Value) -> Value) throws -> PointwiseEvaluator {
      try PointwiseEvaluator(inputs: x.columns, data: data, device: device, points: x.rows) {
        point in
        let sum = WeightedSum(
          dimensions: x.columns,
          rows: SharedMatrix(array: Self.rowsArray, rows: x.rows, columns: x.columns),
          weights: SharedMatrix(array: Self.weightsArray, rows: x.rows, columns: columns),
          summand: summand)
        return point.builder.apply(.weightedSum(sum), point)
      }
    }
    product = try kernel { covariance.expression($0, $1, array: Self.covarianceArray) }
    // dk(x, z)/dtheta is the tangent of the same expression along one of its numbers.
    let builder = ProgramBuilder()
    builder.output(
      "k",
      covariance.expression(
        builder.input("x", length: x.columns), builder.input("z", length: x.columns),
        array: Self.covarianceArray))
    let tangent = builder.finish().tangent(
      withRespectTo: [], sharedArrays: [Self.covarianceArray])
    data["tangent_" + Self.covarianceArray] = numbers.map { _ in 0 }
    derivative = try kernel { x, z in
      guard let slope = x.builder.call(tangent, inputs: ["x": x, "z": z])["tangent_k"] else {
        preconditionFailure("the covariance's tangent has no output tangent_k")
      }
      return slope
    }
  }

  package var size: Int { x.rows }

  package func times(_ v: Matrix) -> Matrix {
    var result = evaluate(product, v.scalingRows(by: scales)).scalingRows(by: scales)
    let noise = hyperparameters.noiseVariance
    for i in result.values.indices { result.values[i] += noise * v.values[i] }
    return result
  }

  func contraction(_ u: Matrix, _ v: Matrix) throws -> [Double] {
    let slopes = hyperparameters.covariance.expressionSlopes
    let (u, v) = (u.scalingRows(by: scales), v.scalingRows(by: scales))
    return try slopes.indices.map { p in
      try derivative.rebind(
        "tangent_" + Self.covarianceArray, slopes.indices.map { $0 == p ? slopes[p] : 0 })
      return columnDots(u, evaluate(derivative, v)).reduce(0, +)
    }
  }

  /// Products with up to `columns` vectors at a time; NaN where memory is exhausted: solves then end with a residual of
  /// NaN, and their callers throw.
  private func evaluate(_ kernel: PointwiseEvaluator, _ v: Matrix) -> Matrix {
    var result = Matrix(rows: v.rows, columns: v.columns, repeating: .nan)
    for start in stride(from: 0, to: v.columns, by: columns) {
      let count = min(columns, v.columns - start)
      var weights = [Double](repeating: 0, count: v.rows * columns)
      for i in 0..<v.rows {
        for c in 0..<count { weights[i * columns + c] = v.values[i * v.columns + start + c] }
      }
      guard (try? kernel.rebind(Self.weightsArray, weights)) != nil,
        let values = try? kernel.values(at: x.values)
      else { return result }
      for i in 0..<v.rows {
        for c in 0..<count { result.values[i * v.columns + start + c] = values[i * columns + c] }
      }
    }
    return result
  }
}

extension GridCovariance: LikelihoodOperator {
  /// u^T W (dK_UU / dtheta) W^T v, by a Kronecker product with one factor's derivative for each lengthscale.
  func contraction(_ u: Matrix, _ v: Matrix) throws -> [Double] {
    let (a, b) = (
      weights.transposedTimes(u.scalingRows(by: scales)),
      weights.transposedTimes(v.scalingRows(by: scales))
    )
    func form(_ k: KroneckerProduct) -> Double { columnDots(a, k.times(b)).reduce(0, +) }
    let slopes = lengthscaleDerivatives.enumerated().map { axis, derivative in
      var factors = gridCovariance.factors
      factors[axis] = derivative
      return form(KroneckerProduct(factors))
    }
    let shape = shapeDerivative.map { form(KroneckerProduct([$0])) }
    return slopes + [form(gridCovariance)] + (shape.map { [$0] } ?? [])
  }
}
