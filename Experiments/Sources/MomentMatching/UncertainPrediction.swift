// SPDX-License-Identifier: Apache-2.0
// The moments of Gaussian processes at an uncertain input, and their adjoint: from dL/d(mean, gain, covariance) to
// dL/d(m, S). Derivatives in the notation of MomentMatcher.swift:
//
//   d sum w  = k^T dm + <(B M2 B - B sum w) / 2, dS>,    k = B g, g = sum w nu, M2 = sum w nu nu^T
//   dg       = (M2 B - I sum w) dm + (B M3_k B - g_k B) / 2 : dS,    dB = -B dS B
//   dE_ab    = scale R^-T first^T dm + <scale R^-T second R^-1 / 2 - E_ab P R^-1 / 2, dS>

import LinearAlgebra

/// Mean [M], gain [D, M] and covariance [M, M] of the outputs.
package struct UncertainPrediction: Sendable {
  package let mean: [Double]
  /// S^-1 Cov[z, f]; defined where S is singular, too.
  package let gain: Matrix
  package let covariance: Matrix
  private let outputs: [MomentMatcher.Output]
  private let input: Gaussian
  private let sums: [SingleSums]
  /// (0, 0), (1, 0), (1, 1), ...
  private let pairs: [PairSums]

  init(
    outputs: [MomentMatcher.Output], input: Gaussian, sums: [SingleSums], pairs: [PairSums]
  ) {
    (self.outputs, self.input, self.sums, self.pairs) = (outputs, input, sums, pairs)
    mean = zip(outputs, sums).map { output, sum in
      output.constant + dot(output.slopes, input.mean) + sum.total
    }
    let gains = sums.map(\.gain)
    let dimensions = input.mean.count
    var gain = Matrix(rows: dimensions, columns: outputs.count)
    var covariance = Matrix(rows: outputs.count, columns: outputs.count)
    for a in outputs.indices {
      for d in 0..<dimensions { gain[d, a] = outputs[a].slopes[d] + gains[a][d] }
      for b in 0...a {
        let (slopesA, slopesB) = (outputs[a].slopes, outputs[b].slopes)
        let (spreadA, spreadB) = (
          input.covariance.times(slopesA), input.covariance.times(slopesB)
        )
        var value = pairs[a * (a + 1) / 2 + b].value - sums[a].total * sums[b].total
        value += dot(slopesA, spreadB) + dot(spreadA, gains[b]) + dot(spreadB, gains[a])
        if a == b { value += outputs[a].signalVariance }
        (covariance[a, b], covariance[b, a]) = (value, value)
      }
    }
    (self.gain, self.covariance) = (gain, covariance)
  }

  /// The adjoint of the input's mean [D] and covariance [D, D] (symmetric) from those of the outputs' moments.
  package func pullback(
    mean meanAdjoint: [Double], gain gainAdjoint: Matrix, covariance covarianceAdjoint: Matrix
  ) -> (mean: [Double], covariance: Matrix) {
    let dimensions = input.mean.count
    var m = [Double](repeating: 0, count: dimensions)
    var s = Matrix(rows: dimensions, columns: dimensions)
    var totals = meanAdjoint
    var gains = outputs.indices.map { gainAdjoint.column($0) }
    for a in outputs.indices {
      for (d, slope) in outputs[a].slopes.enumerated() { m[d] += meanAdjoint[a] * slope }
      for b in outputs.indices {
        let v = covarianceAdjoint[a, b]
        totals[a] -= v * sums[b].total
        totals[b] -= v * sums[a].total
        let (slopesA, slopesB) = (outputs[a].slopes, outputs[b].slopes)
        s += v * Matrix.outer(slopesA, slopesB)
        s += v * Matrix.outer(slopesA, sums[b].gain)
        s += v * Matrix.outer(sums[a].gain, slopesB)
        gains[b].add(v, input.covariance.times(slopesA))
        gains[a].add(v, input.covariance.times(slopesB))
        let pair = pairs[max(a, b) * (max(a, b) + 1) / 2 + min(a, b)]
        let transposed = pair.inverse.transposed
        m.add(v * pair.scale, transposed.times(pair.first))
        s += (0.5 * v * pair.scale) * (transposed * pair.second * pair.inverse)
        s += (-0.5 * v * pair.value) * pair.inverse.scalingRows(by: pair.precisions)
      }
    }
    for a in outputs.indices { pull(sums[a], totals[a], gains[a], &m, &s) }
    return (m, s.symmetrised)
  }

  /// Adds what comes through sum w (adjoint `total`) and k = B g (adjoint `gain`).
  private func pull(
    _ sums: SingleSums, _ total: Double, _ gain: [Double], _ m: inout [Double], _ s: inout Matrix
  ) {
    let b = sums.precision
    let k = sums.gain
    m.add(total, k)
    s += (0.5 * total) * (b * sums.second * b)
    s += (-0.5 * total * sums.total) * b
    let g = b.times(gain)  // adjoint of g
    m.add(1, b.times(sums.second.times(g)))
    m.add(-sums.total, g)
    var third = Matrix(rows: b.rows, columns: b.rows)
    for (weight, matrix) in zip(g, sums.third) { third += weight * matrix }
    s += 0.5 * (b * third * b)
    s += (-0.5 * dot(g, sums.first)) * b
    s += -1 * Matrix.outer(g, k)
  }
}

extension [Double] {
  /// self += factor * other
  fileprivate mutating func add(_ factor: Double, _ other: [Double]) {
    for i in indices { self[i] += factor * other[i] }
  }
}
