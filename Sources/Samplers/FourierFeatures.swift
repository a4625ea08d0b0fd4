// SPDX-License-Identifier: Apache-2.0
// Draws from the prior of a stationary Gaussian process by random Fourier features (Rahimi & Recht 2008), for the samplers that keep
// one function per particle:
//
//   sum_j w_j phi_j(x),   phi_j(x) = sqrt(2 s2 / F) cos(omega_j^T x + b_j),   w ~ N(0, I)

import Draws
import Faults
import Foundation
import GaussianProcesses
import LinearAlgebra
import Programs

/// Random features of one output's prior.
struct FourierFeatures: Sendable {
  /// omega_j and b_j [F, D + 1]
  let frequencies: Matrix
  /// sqrt(2 s2 / F)
  let amplitude: Double

  var count: Int { frequencies.rows }

  /// - Throws: `UnsuitableSampler` for covariance functions that are not stationary.
  init(_ process: GaussianProcess, count: Int, output: Int) throws {
    guard case .stationary(let covariance) = process.hyperparameters.covariance else {
      throw UnsuitableSampler(
        "pathwise draws need a stationary covariance function", remedy: .samplers(["exact"]))
    }
    frequencies = covariance.spectralDraws(
      count, key: DrawKey(seed: UInt64(output), stream: .fourierFeatures))
    amplitude = (2 * covariance.signalVariance / Double(count)).squareRoot()
  }

  /// phi_j(x_i) [n, F]
  func values(_ x: Matrix) -> Matrix {
    let d = x.columns
    var result = x.times(frequencies.selecting(columns: 0..<d), transposingSecond: true)
    for i in 0..<result.rows {
      for j in 0..<result.columns {
        result[i, j] = amplitude * cos(result[i, j] + frequencies[j, d])
      }
    }
    return result
  }

  /// sum_j (amplitude w_j) cos(omega_j^T x + b_j) of a program.
  ///
  /// - Parameters:
  ///   - x: [D]
  ///   - array: the shared array that holds the frequencies.
  ///   - weights: amplitude w [F].
  func sum(at x: Value, array: String, weights: SharedMatrix) -> Value {
    let d = frequencies.columns - 1
    let sum = WeightedSum(
      dimensions: d, rows: SharedMatrix(array: array, rows: count, columns: d + 1),
      weights: weights
    ) { x, row in cos(dot(x, row[0..<d]) + row[d]) }
    return x.builder.apply(.weightedSum(sum), x)
  }

  /// Standard normal draws [B, count] of one output's functions.
  static func normals(_ particles: Int, count: Int, output m: Int, key: DrawKey) -> Matrix {
    var draws = Matrix(rows: particles, columns: count)
    draws.values.withUnsafeMutableBufferPointer { buffer in
      nonisolated(unsafe) let all = buffer
      forEachRowBlock(count: particles, block: 4) { block in
        for particle in block {
          key.fillNormals(
            particle: particle, step: ReservedStep.functionDraws.rawValue + m,
            UnsafeMutableBufferPointer(rebasing: all[particle * count..<(particle + 1) * count]))
        }
      }
    }
    return draws
  }
}
