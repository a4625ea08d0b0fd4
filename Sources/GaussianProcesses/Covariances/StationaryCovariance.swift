// SPDX-License-Identifier: Apache-2.0
// Stationary covariance functions with a lengthscale per input (ARD): the inputs are divided by the
// lengthscales, then one radial profile serves all.
//
//   k = s2 f(r2);  dk/dlog s2 = k;  dk/dlog l_d = -2 s2 f'(r2) (x_d - z_d)^2 / l_d^2

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
    func fill<P: RadialProfile>(_ profile: P.Type) -> Matrix {
      let (a, b) = (scaled(x), scaled(z))
      let (d, variance) = (x.columns, signalVariance)
      var result = Matrix(rows: x.rows, columns: z.rows)
      let columns = z.rows
      result.values.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let out = buffer
        forEachRowBlock(count: x.rows) { rows in
          a.values.withUnsafeBufferPointer { a in
            b.values.withUnsafeBufferPointer { b in
              for i in rows {
                for j in 0..<(lowerTriangleOnly ? i + 1 : columns) {
                  var r2 = 0.0
                  for c in 0..<d {
                    let difference = a[i * d + c] - b[j * d + c]
                    r2 += difference * difference
                  }
                  out[i * columns + j] = variance * P.valueAndSlope(r2).value
                }
              }
            }
          }
        }
      }
      return result
    }
    return fill(profile.profile)
  }

  /// k(X_i, X_j) and its derivative with respect to the one lengthscale's logarithm, for X [n, 1].
  func matrixAndSlope(_ x: Matrix) -> (value: Matrix, slope: Matrix) {
    let a = scaled(x).values
    var value = Matrix(rows: x.rows, columns: x.rows)
    var slope = value
    for i in a.indices {
      for j in a.indices {
        let r2 = (a[i] - a[j]) * (a[i] - a[j])
        let point = profile.profile.valueAndSlope(r2)
        value[i, j] = signalVariance * point.value
        slope[i, j] = -2 * signalVariance * point.slope * r2
      }
    }
    return (value, slope)
  }

  /// sum_ij W_ij dK_ij/dtheta, from the lower triangle of W.
  func contraction(_ w: Matrix, _ x: Matrix) -> [Double] {
    func contract<P: RadialProfile>(_ profile: P.Type) -> [Double] {
      let a = scaled(x)
      let (n, d, block) = (x.rows, x.columns, 32)
      // One row of sums a block, added in order: the same bits for any number of threads.
      var partial = [Double](repeating: 0, count: (n + block - 1) / block * (d + 1))
      partial.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let sums = buffer
        forEachRowBlock(count: n, block: block) { rows in
          let start = rows.lowerBound / block * (d + 1)
          a.values.withUnsafeBufferPointer { a in
            w.values.withUnsafeBufferPointer { w in
              for i in rows {
                for j in 0...i {
                  var r2 = 0.0
                  for c in 0..<d {
                    let difference = a[i * d + c] - a[j * d + c]
                    r2 += difference * difference
                  }
                  let (value, slope) = P.valueAndSlope(r2)
                  let weight = (i == j ? 1 : 2) * w[i * n + j]
                  sums[start + d] += weight * value
                  let factor = -2 * weight * slope
                  for c in 0..<d {
                    let difference = a[i * d + c] - a[j * d + c]
                    sums[start + c] += factor * difference * difference
                  }
                }
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
    return contract(profile.profile)
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
