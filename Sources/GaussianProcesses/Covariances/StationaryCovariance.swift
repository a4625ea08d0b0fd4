// SPDX-License-Identifier: Apache-2.0
// Stationary covariance functions with a lengthscale per input (ARD): the inputs are divided by the
// lengthscales, then one radial profile serves all.
//
//   k = s2 f(r2);  dk/dlog s2 = k;  dk/dlog l_d = -2 s2 f'(r2) (x_d - z_d)^2 / l_d^2;  dk/dlog shape = s2 df/dlog shape

import CVectorMath
import Draws
import Foundation
import LinearAlgebra

/// signal variance * profile(scaled squared distance).
package struct StationaryCovariance: Hashable, Sendable, Codable {
  package var profile: RadialProfileName
  package var logLengthscales: [Double]
  package var logSignalVariance: Double
  /// Of profiles that have a shape.
  package var logShape: Double

  /// - Parameters:
  ///   - profile: f.
  ///   - lengthscales: l_d [D].
  ///   - signalVariance: s2.
  ///   - shape: of a profile that has one.
  package init(
    _ profile: RadialProfileName, lengthscales: [Double], signalVariance: Double, shape: Double = 1
  ) {
    self.profile = profile
    logLengthscales = lengthscales.map { log($0) }
    logSignalVariance = log(signalVariance)
    logShape = log(shape)
  }

  package var lengthscales: [Double] { logLengthscales.map { exp($0) } }
  package var signalVariance: Double { exp(logSignalVariance) }
  package var shape: Double { exp(logShape) }

  /// Its shape if the profile has one, and the logarithm.
  var shapes: [Double] { logShapes.map { exp($0) } }
  private var logShapes: [Double] { profile.profile.hasShape ? [logShape] : [] }

  var parameters: [Double] {
    logLengthscales + [logSignalVariance] + logShapes
  }

  var parameterKinds: [HyperparameterKind] {
    logLengthscales.indices.map { .lengthscale(input: $0) } + [.signalVariance]
      + shapes.map { _ in .shape }
  }

  func with(parameters: [Double]) -> StationaryCovariance {
    let d = logLengthscales.count
    var copy = self
    copy.logLengthscales = Array(parameters[..<d])
    copy.logSignalVariance = parameters[d]
    if profile.profile.hasShape { copy.logShape = parameters[d + 1] }
    return copy
  }

  /// k(X_i, Z_j); with `lowerTriangleOnly`, the entries j > i stay 0.
  func matrix(_ x: Matrix, _ z: Matrix, lowerTriangleOnly: Bool) -> Matrix {
    profile.run(
      Fill(
        a: scaled(x), b: scaled(z).transposed, variance: signalVariance, shape: shape,
        lowerTriangleOnly: lowerTriangleOnly))
  }

  private struct Fill: ProfileWork {
    let (a, b): (Matrix, Matrix)
    let (variance, shape): (Double, Double)
    let lowerTriangleOnly: Bool

    func callAsFunction<P: RadialProfile>(_ profile: P.Type) -> Matrix {
      let columns = b.columns
      var result = Matrix(rows: a.rows, columns: columns)
      result.values.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let out = buffer
        let (variance, shape) = (variance, shape)
        forEachRowBlock(count: a.rows) { rows in
          var row = ProfileRow(length: columns)
          for i in rows {
            let count = lowerTriangleOnly ? i + 1 : columns
            row.evaluate(profile, shape: shape, from: a, row: i, to: b, count: count)
            let own = UnsafeMutableBufferPointer(rebasing: out[i * columns..<(i + 1) * columns])
            for j in 0..<count {
              own[j] =
                variance
                * P.valueAndSlope(row[j]).value
            }
          }
        }
      }
      return result
    }
  }

  /// sum_j W_bj dk(X_b, Z_j)/dX_b [m, D] for W [m, r].
  func inputSlopes(_ w: Matrix, _ x: Matrix, _ z: Matrix) -> Matrix {
    let (a, b) = (scaled(x), scaled(z))
    // W_bj dk/dr2, and r2's slope is 2 (a - b) / l.
    let slopes = profile.run(
      WeighedSlopes(a: a, b: b.transposed, w: w, variance: signalVariance, shape: shape))
    let (sums, centres) = (slopes.times(Array(repeating: 1, count: z.rows)), slopes.times(b))
    let inverse = lengthscales.map { 1 / $0 }
    return (a.scalingRows(by: sums) - centres).scalingColumns(by: inverse.map { 2 * $0 })
  }

  private struct WeighedSlopes: ProfileWork {
    let (a, b, w): (Matrix, Matrix, Matrix)
    let (variance, shape): (Double, Double)

    func callAsFunction<P: RadialProfile>(_ profile: P.Type) -> Matrix {
      var result = w
      let count = b.columns
      var row = ProfileRow(length: count)
      result.values.withUnsafeMutableBufferPointer { out in
        for i in 0..<a.rows {
          row.evaluate(profile, shape: shape, from: a, row: i, to: b, count: count)
          let own = UnsafeMutableBufferPointer(rebasing: out[i * count..<(i + 1) * count])
          for j in 0..<count {
            own[j] *=
              variance
              * P.valueAndSlope(row[j]).slope
          }
        }
      }
      return result
    }
  }

  /// k(X_i, X_j) for X [n, 1], and its derivatives with respect to the logarithms of lengthscale and, where the profile has one,
  /// shape.
  func matrixAndSlopes(_ x: Matrix) -> (value: Matrix, slopes: [Matrix]) {
    profile.run(Slopes(a: scaled(x), variance: signalVariance, shape: shape))
  }

  private struct Slopes: ProfileWork {
    let a: Matrix
    let (variance, shape): (Double, Double)

    func callAsFunction<P: RadialProfile>(
      _ profile: P.Type
    ) -> (value: Matrix, slopes: [Matrix]) {
      let (b, n) = (a.transposed, a.rows)
      var value = Matrix(rows: n, columns: n)
      var (slope, shapeSlope) = (value, value)
      var row = ProfileRow(length: n)
      for i in 0..<n {
        row.evaluate(profile, shape: shape, from: a, row: i, to: b, count: n)
        for j in 0..<n {
          let point = P.valueAndSlope(row[j])
          let difference = a.values[i] - a.values[j]
          value[i, j] = variance * point.value
          slope[i, j] = -2 * variance * point.slope * difference * difference
          shapeSlope[i, j] = variance * P.shapeSlope(row[j], shape: shape)
        }
      }
      return (value, [slope] + (P.hasShape ? [shapeSlope] : []))
    }
  }

  /// sum_ij W_ij dK_ij/dtheta, from the lower triangle of W.
  func contraction(_ w: Matrix, _ x: Matrix) -> [Double] {
    profile.run(Contraction(a: scaled(x), w: w, variance: signalVariance, shape: shape))
  }

  private struct Contraction: ProfileWork {
    let (a, w): (Matrix, Matrix)
    let (variance, shape): (Double, Double)

    func callAsFunction<P: RadialProfile>(_ profile: P.Type) -> [Double] {
      let (b, n, d, block) = (a.transposed, a.rows, a.columns, 32)
      let sums = d + (P.hasShape ? 2 : 1)
      // One row of sums a block, added in order: the same bits for any number of threads.
      var partial = [Double](repeating: 0, count: (n + block - 1) / block * sums)
      partial.withUnsafeMutableBufferPointer { buffer in
        nonisolated(unsafe) let all = buffer
        forEachRowBlock(count: n, block: block) { rows in
          let part = UnsafeMutableBufferPointer(
            rebasing: all[rows.lowerBound / block * sums..<(rows.lowerBound / block + 1) * sums])
          var row = ProfileRow(length: n)
          for i in rows {
            row.evaluate(profile, shape: shape, from: a, row: i, to: b, count: i + 1)
            w.values.withUnsafeBufferPointer { w in
              weigh(profile, &row, w, i, n, part)
            }
            b.values.withUnsafeBufferPointer { b in
              for c in 0..<d {
                let own = b[c * n + i]
                var sum = 0.0
                for j in 0...i {
                  let difference = own - b[c * n + j]
                  sum += row.exponents[j] * difference * difference
                }
                part[c] += sum
              }
            }
          }
        }
      }
      return (0..<sums).map { p in
        variance * stride(from: p, to: partial.count, by: sums).reduce(0) { $0 + partial[$1] }
      }
    }

    /// Adds W_ij k_ij and W_ij dk_ij/dlog shape of row i, and leaves the factors of the squared differences in place of
    /// the exponents.
    private func weigh<P: RadialProfile>(
      _ profile: P.Type, _ row: inout ProfileRow, _ w: UnsafeBufferPointer<Double>, _ i: Int,
      _ n: Int, _ part: UnsafeMutableBufferPointer<Double>
    ) {
      let d = a.columns
      var (values, shapes) = (0.0, 0.0)
      for j in 0...i {
        let point = P.valueAndSlope(row[j])
        let weight = (i == j ? 1 : 2) * w[i * n + j]
        values += weight * point.value
        if P.hasShape {
          shapes += weight * P.shapeSlope(row[j], shape: shape)
        }
        row.exponents[j] = -2 * weight * point.slope
      }
      part[d] += values
      if P.hasShape { part[d + 1] += shapes }
    }
  }

  private func scaled(_ x: Matrix) -> Matrix {
    precondition(
      x.columns == logLengthscales.count,
      "\(x.columns) inputs for \(logLengthscales.count) lengthscales")
    let inverse = lengthscales.map { 1 / $0 }
    return x.scalingColumns(by: inverse)
  }
}

extension StationaryCovariance {
  /// Frequencies from the spectral density and uniform phases [F, D + 1] (Rahimi & Recht 2008).
  package func spectralDraws(_ count: Int, key: DrawKey) -> Matrix {
    let d = logLengthscales.count
    let (lengthscales, shape, profile) = (lengthscales, shape, profile.profile)
    return Matrix(
      (0..<count).map { j in
        let normals = key.normals(particle: j, step: 0, count: d)
        let scale = profile.frequencyScale(shape: shape, key: key, particle: j)
        let phase = 2 * Double.pi * key.uniforms(particle: j, step: 2, count: 1)[0]
        return zip(normals, lengthscales).map { scale * $0 / $1 } + [phase]
      })
  }
}

/// What a profile is made of between one point and many.
private struct ProfileRow: ~Copyable {
  let exponents: UnsafeMutableBufferPointer<Double>
  private let decays: UnsafeMutableBufferPointer<Double>
  private let roots: UnsafeMutableBufferPointer<Double>

  init(length: Int) {
    exponents = .allocate(capacity: length)
    decays = .allocate(capacity: length)
    roots = .allocate(capacity: length)
    roots.initialize(repeating: 0)
  }

  deinit {
    exponents.deallocate()
    decays.deallocate()
    roots.deallocate()
  }

  subscript(j: Int) -> ProfilePoint {
    ProfilePoint(exponent: exponents[j], decay: decays[j], root: roots[j])
  }

  /// - Parameters:
  ///   - x: scaled points [n, D], of which `row` is the one.
  ///   - z: scaled points [D, m], of which the first `count` are the many.
  mutating func evaluate<P: RadialProfile>(
    _ profile: P.Type, shape: Double, from x: Matrix, row: Int, to z: Matrix, count: Int
  ) {
    let (d, m) = (x.columns, z.columns)
    x.values.withUnsafeBufferPointer { x in
      vector_squared_distances(
        UnsafeBufferPointer(rebasing: x[row * d..<(row + 1) * d]).baseAddress, z.values, d, m,
        exponents.baseAddress, count)
    }
    P.fill(
      inPlaceOfDistances: UnsafeMutableBufferPointer(rebasing: exponents[..<count]),
      roots: UnsafeMutableBufferPointer(rebasing: roots[..<count]), shape: shape)
    vector_exponential(exponents.baseAddress, decays.baseAddress, count)
  }
}
