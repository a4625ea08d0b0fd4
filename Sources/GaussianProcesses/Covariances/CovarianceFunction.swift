// SPDX-License-Identifier: Apache-2.0
// GaussianProcesses: transitions -> a probabilistic model of the machine's next state.
// In: standardised inputs X [n, D] and targets y [n] in double precision. Out: posterior mean and
// variance (equations 2-3 of the paper), fitted hyperparameters (5-6), samplers for rollouts.
// This file: covariance functions k(x, z) as values that can be added, multiplied and stored.
// Hyperparameters are logarithms, so that every real vector is valid.

import Foundation
import LinearAlgebra

/// What a hyperparameter of a covariance function is; all are searched as logarithms.
package enum HyperparameterKind: Hashable, Sendable {
  case lengthscale(input: Int)
  case signalVariance
  /// Of a radial profile.
  case shape
  case linearVariance(input: Int)
}

/// A positive definite function of two inputs. Closed, so that every place that must know a new one
/// fails to compile until it does.
package indirect enum CovarianceFunction: Hashable, Sendable, Codable {
  case stationary(StationaryCovariance)
  case linear(LinearCovariance)
  case sum(CovarianceFunction, CovarianceFunction)
  case product(CovarianceFunction, CovarianceFunction)
}

package func + (a: CovarianceFunction, b: CovarianceFunction) -> CovarianceFunction { .sum(a, b) }
package func * (a: CovarianceFunction, b: CovarianceFunction) -> CovarianceFunction {
  .product(a, b)
}

extension CovarianceFunction {
  /// Hyperparameters as logarithms, in the order of `parameterKinds`.
  package var parameters: [Double] {
    switch self {
    case .stationary(let k): k.parameters
    case .linear(let k): k.parameters
    case .sum(let a, let b), .product(let a, let b): a.parameters + b.parameters
    }
  }

  /// What each hyperparameter is.
  package var parameterKinds: [HyperparameterKind] {
    switch self {
    case .stationary(let k): k.parameterKinds
    case .linear(let k): k.parameterKinds
    case .sum(let a, let b), .product(let a, let b): a.parameterKinds + b.parameterKinds
    }
  }

  /// The same function with other hyperparameters.
  package func with(parameters: [Double]) -> CovarianceFunction {
    precondition(
      parameters.count == self.parameters.count,
      "\(parameters.count) hyperparameters for \(self.parameters.count)")
    switch self {
    case .stationary(let k): return .stationary(k.with(parameters: parameters))
    case .linear(let k): return .linear(k.with(parameters: parameters))
    case .sum(let a, let b), .product(let a, let b):
      let split = a.parameters.count
      let left = a.with(parameters: Array(parameters[..<split]))
      let right = b.with(parameters: Array(parameters[split...]))
      if case .sum = self { return .sum(left, right) }
      return .product(left, right)
    }
  }

  /// factor k(x, z)
  func scaled(by factor: Double) -> CovarianceFunction {
    switch self {
    case .stationary(var k):
      k.logSignalVariance += log(factor)
      return .stationary(k)
    case .linear(let k):
      return .linear(LinearCovariance(variances: k.variances.map { $0 * factor }))
    case .sum(let a, let b): return .sum(a.scaled(by: factor), b.scaled(by: factor))
    case .product(let a, let b): return .product(a.scaled(by: factor), b)
    }
  }

  /// k(X_i, Z_j) [n, m]. O(n m D).
  package func matrix(_ x: Matrix, _ z: Matrix) -> Matrix {
    switch self {
    case .stationary(let k): k.matrix(x, z, lowerTriangleOnly: false)
    case .linear(let k): k.matrix(x, z)
    case .sum(let a, let b): combine(a.matrix(x, z), b.matrix(x, z), +)
    case .product(let a, let b): combine(a.matrix(x, z), b.matrix(x, z), *)
    }
  }

  /// The lower triangle of k(X_i, X_j) [n, n]; what is above the diagonal is unspecified.
  package func lowerTriangle(_ x: Matrix) -> Matrix {
    switch self {
    case .stationary(let k): k.matrix(x, x, lowerTriangleOnly: true)
    case .linear(let k): k.matrix(x, x)
    case .sum(let a, let b): combine(a.lowerTriangle(x), b.lowerTriangle(x), +)
    case .product(let a, let b): combine(a.lowerTriangle(x), b.lowerTriangle(x), *)
    }
  }

  /// k(x_i, x_i) [n].
  package func diagonal(_ x: Matrix) -> [Double] {
    switch self {
    case .stationary(let k): Array(repeating: k.signalVariance, count: x.rows)
    case .linear(let k): k.diagonal(x)
    case .sum(let a, let b): zip(a.diagonal(x), b.diagonal(x)).map { $0 + $1 }
    case .product(let a, let b): zip(a.diagonal(x), b.diagonal(x)).map { $0 * $1 }
    }
  }

  /// sum_ij W_ij dk(X_i, X_j)/dtheta for every hyperparameter; W symmetric, its lower triangle is read.
  /// All that the gradient of the marginal likelihood needs of a covariance function (equation 6).
  func contraction(_ w: Matrix, _ x: Matrix) -> [Double] {
    switch self {
    case .stationary(let k): k.contraction(w, x)
    case .linear(let k): k.contraction(w, x)
    case .sum(let a, let b): a.contraction(w, x) + b.contraction(w, x)
    case .product(let a, let b):
      a.contraction(combine(w, b.lowerTriangle(x), *), x)
        + b.contraction(combine(w, a.lowerTriangle(x), *), x)
    }
  }

  /// sum_j W_bj dk(X_b, Z_j)/dX_b [m, D] for X [m, D], Z [r, D], W [m, r]: what carries adjoints to the inputs.
  package func inputSlopes(_ w: Matrix, _ x: Matrix, _ z: Matrix) -> Matrix {
    switch self {
    case .stationary(let k): k.inputSlopes(w, x, z)
    case .linear(let k): k.inputSlopes(w, z)
    case .sum(let a, let b): combine(a.inputSlopes(w, x, z), b.inputSlopes(w, x, z), +)
    case .product(let a, let b):
      combine(
        a.inputSlopes(combine(w, b.matrix(x, z), *), x, z),
        b.inputSlopes(combine(w, a.matrix(x, z), *), x, z), +)
    }
  }

  private func combine(
    _ a: Matrix, _ b: Matrix, _ operation: (Double, Double) -> Double
  ) -> Matrix {
    Matrix(rows: a.rows, columns: a.columns, values: zip(a.values, b.values).map(operation))
  }
}
