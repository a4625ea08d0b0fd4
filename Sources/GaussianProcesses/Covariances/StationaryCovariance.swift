// SPDX-License-Identifier: Apache-2.0
// Stationary covariance functions with a lengthscale per input (ARD): the inputs are divided by the
// lengthscales, then one radial profile serves all.
//
//   k = s2 f(r2);  dk/dlog s2 = k;  dk/dlog l_d = -2 s2 f'(r2) (x_d - z_d)^2 / l_d^2

import CVectorMath
import Foundation
import LinearAlgebra

/// signal variance * profile(scaled squared distance).
public struct StationaryCovariance: Hashable, Sendable, Codable {
  public var profile: RadialProfileName
  public var logLengthscales: [Double]
  public var logSignalVariance: Double

  public init(_ profile: RadialProfileName, lengthscales: [Double], signalVariance: Double) {
    self.profile = profile
    logLengthscales = lengthscales.map { log($0) }
    logSignalVariance = log(signalVariance)
  }

  public var lengthscales: [Double] { logLengthscales.map { exp($0) } }
  public var signalVariance: Double { exp(logSignalVariance) }
  var parameters: [Double] { logLengthscales + [logSignalVariance] }

  var parameterNames: [String] {
    logLengthscales.indices.map { "log lengthscale \($0)" } + ["log signal variance"]
  }

  func with(parameters: [Double]) -> StationaryCovariance {
    var copy = self
    copy.logLengthscales = Array(parameters.dropLast())
    copy.logSignalVariance = parameters[parameters.count - 1]
    return copy
  }

  /// k(X_i, Z_j); with `lowerTriangleOnly`, the entries j > i stay 0.
  func matrix(_ x: Matrix, _ z: Matrix, lowerTriangleOnly: Bool) -> Matrix {
    let variance = signalVariance
    func fill<P: RadialProfile>(_ profile: P.Type) -> Matrix {
      let (a, b, columns) = (scaled(x), scaled(z).transposed, z.rows)
      var result = Matrix(rows: x.rows, columns: columns)
      result.values.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let out = buffer
        forEachRowBlock(count: x.rows) { rows in
          var row = ProfileRow(length: columns)
          for i in rows {
            let count = lowerTriangleOnly ? i + 1 : columns
            row.evaluate(profile, from: a, row: i, to: b, count: count)
            for j in 0..<count {
              out[i * columns + j] =
                variance * P.valueAndSlope(exponent: row.exponents[j], decay: row.decays[j]).value
            }
          }
        }
      }
      return result
    }
    // Spelt out: the inner loops are compiled for each profile.
    return switch profile {
    case .squaredExponential: fill(SquaredExponential.self)
    case .matern32: fill(Matern32.self)
    case .matern52: fill(Matern52.self)
    }
  }

  /// k(X_i, X_j) and its derivative with respect to the one lengthscale's logarithm, for X [n, 1].
  func matrixAndSlope(_ x: Matrix) -> (value: Matrix, slope: Matrix) {
    let variance = signalVariance
    func fill<P: RadialProfile>(_ profile: P.Type) -> (value: Matrix, slope: Matrix) {
      let a = scaled(x)
      let (b, n) = (a.transposed, x.rows)
      var value = Matrix(rows: n, columns: n)
      var slope = value
      var row = ProfileRow(length: n)
      for i in 0..<n {
        row.evaluate(profile, from: a, row: i, to: b, count: n)
        for j in 0..<n {
          let point = P.valueAndSlope(exponent: row.exponents[j], decay: row.decays[j])
          let difference = a.values[i] - a.values[j]
          value[i, j] = variance * point.value
          slope[i, j] = -2 * variance * point.slope * difference * difference
        }
      }
      return (value, slope)
    }
    return switch profile {
    case .squaredExponential: fill(SquaredExponential.self)
    case .matern32: fill(Matern32.self)
    case .matern52: fill(Matern52.self)
    }
  }

  /// sum_ij W_ij dK_ij/dtheta, from the lower triangle of W.
  func contraction(_ w: Matrix, _ x: Matrix) -> [Double] {
    func contract<P: RadialProfile>(_ profile: P.Type) -> [Double] {
      let a = scaled(x)
      let (b, n, d, block) = (a.transposed, x.rows, x.columns, 32)
      // One row of sums a block, added in order: the same bits for any number of threads.
      var partial = [Double](repeating: 0, count: (n + block - 1) / block * (d + 1))
      partial.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let sums = buffer
        forEachRowBlock(count: n, block: block) { rows in
          let start = rows.lowerBound / block * (d + 1)
          var row = ProfileRow(length: n)
          for i in rows {
            row.evaluate(profile, from: a, row: i, to: b, count: i + 1)
            w.values.withUnsafeBufferPointer { w in
              // W_ij k_ij, and the factors of the squared differences in place of the exponents.
              var values = 0.0
              for j in 0...i {
                let point = P.valueAndSlope(exponent: row.exponents[j], decay: row.decays[j])
                let weight = (i == j ? 1 : 2) * w[i * n + j]
                values += weight * point.value
                row.exponents[j] = -2 * weight * point.slope
              }
              sums[start + d] += values
            }
            b.values.withUnsafeBufferPointer { b in
              for c in 0..<d {
                let own = b[c * n + i]
                var sum = 0.0
                for j in 0...i {
                  let difference = own - b[c * n + j]
                  sum += row.exponents[j] * difference * difference
                }
                sums[start + c] += sum
              }
            }
          }
        }
      }
      return (0...d).map { p in
        signalVariance
          * stride(from: p, to: partial.count, by: d + 1).reduce(0) { $0 + partial[$1] }
      }
    }
    return switch profile {
    case .squaredExponential: contract(SquaredExponential.self)
    case .matern32: contract(Matern32.self)
    case .matern52: contract(Matern52.self)
    }
  }

  private func scaled(_ x: Matrix) -> Matrix {
    precondition(
      x.columns == logLengthscales.count,
      "\(x.columns) inputs for \(logLengthscales.count) lengthscales")
    let inverse = lengthscales.map { 1 / $0 }
    var result = x
    for index in result.values.indices { result.values[index] *= inverse[index % x.columns] }
    return result
  }
}

/// Exponents and exponentials of a profile between one point and many.
private struct ProfileRow: ~Copyable {
  /// a(r2), and e^a.
  let exponents: UnsafeMutableBufferPointer<Double>
  let decays: UnsafeMutableBufferPointer<Double>

  init(length: Int) {
    exponents = .allocate(capacity: length)
    decays = .allocate(capacity: length)
  }

  deinit {
    exponents.deallocate()
    decays.deallocate()
  }

  /// - Parameters:
  ///   - x: scaled points [n, D], of which `row` is the one.
  ///   - z: scaled points [D, m], of which the first `count` are the many.
  mutating func evaluate<P: RadialProfile>(
    _ profile: P.Type, from x: Matrix, row: Int, to z: Matrix, count: Int
  ) {
    let (d, m) = (x.columns, z.columns)
    z.values.withUnsafeBufferPointer { z in
      for j in 0..<count { exponents[j] = 0 }
      for c in 0..<d {
        let own = x.values[row * d + c]
        for j in 0..<count {
          let difference = own - z[c * m + j]
          exponents[j] += difference * difference
        }
      }
    }
    for j in 0..<count { exponents[j] = P.exponent(exponents[j]) }
    vector_exponential(exponents.baseAddress, decays.baseAddress, count)
  }
}
