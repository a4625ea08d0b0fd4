// SPDX-License-Identifier: Apache-2.0
// Counter-based random numbers: Philox 4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random
// numbers: as easy as 1, 2, 3", SC 2011). A draw is a pure function of (seed, iteration, particle,
// step, dimension), so results do not depend on threads, batch split or device.

import Foundation

/// Philox 4x32-10.
package enum Philox {
  /// Four 32-bit words from a 128-bit counter and a 64-bit key.
  package static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var c = counter
    var k = key
    for _ in 0..<10 {
      let p0 = UInt64(c[0]) * 0xD251_1F53
      let p1 = UInt64(c[2]) * 0xCD9E_8D57
      c = SIMD4(
        UInt32(p1 >> 32) ^ c[1] ^ k[0], UInt32(truncatingIfNeeded: p1),
        UInt32(p0 >> 32) ^ c[3] ^ k[1], UInt32(truncatingIfNeeded: p0))
      k = SIMD2(k[0] &+ 0x9E37_79B9, k[1] &+ 0xBB67_AE85)
    }
    return c
  }

  /// A uniform number in (0, 1) from the upper 23 bits, exact in single precision.
  package static func uniform(_ word: UInt32) -> Double { (Double(word >> 9) + 0.5) * 0x1p-23 }
}

/// Identifies all the draws of one optimiser iteration, or of one stream.
package struct DrawKey: Hashable, Sendable {
  package var seed: UInt64
  package var iteration: UInt32
  package init(seed: UInt64, iteration: UInt32 = 0) {
    self.seed = seed
    self.iteration = iteration
  }

  var key: SIMD2<UInt32> { SIMD2(UInt32(truncatingIfNeeded: seed), UInt32(seed >> 32)) }

  /// Standard normal draws of dimensions first ..< first + count. Box-Muller: dimensions 4 j ... 4 j + 3
  /// come from one block, in pairs (radius cos, radius sin).
  package func normals(particle: Int, step: Int, first: Int = 0, count: Int) -> [Double] {
    (first..<first + count).map { dimension in
      normalGroup(particle: particle, step: step, group: dimension / 4)[dimension % 4]
    }
  }

  /// The draws of dimensions 0, 1, ... of one particle, as many as `draws` holds.
  package func fillNormals(
    particle: Int, step: Int, _ draws: UnsafeMutableBufferPointer<Double>
  ) {
    for group in 0..<(draws.count + 3) / 4 {
      let four = normalGroup(particle: particle, step: step, group: group)
      for k in 0..<min(4, draws.count - 4 * group) { draws[4 * group + k] = four[k] }
    }
  }

  /// Dimensions 4 group ... 4 group + 3.
  private func normalGroup(particle: Int, step: Int, group: Int) -> SIMD4<Double> {
    let w = words(particle: particle, step: step, group: group)
    var four = SIMD4<Double>()
    for pair in 0..<2 {
      let radius = (-2 * log(Philox.uniform(w[2 * pair]))).squareRoot()
      let angle = 2 * Double.pi * Philox.uniform(w[2 * pair + 1])
      four[2 * pair] = radius * cos(angle)
      four[2 * pair + 1] = radius * sin(angle)
    }
    return four
  }

  /// Uniform draws in (0, 1), independent of the normals (groups from 2^31 on).
  package func uniforms(particle: Int, step: Int, count: Int) -> [Double] {
    (0..<count).map { dimension in
      let w = words(particle: particle, step: step, group: 1 << 31 + dimension / 4)
      return Philox.uniform(w[dimension % 4])
    }
  }

  private func words(particle: Int, step: Int, group: Int) -> SIMD4<UInt32> {
    Philox.block(
      counter: SIMD4(
        UInt32(truncatingIfNeeded: particle), UInt32(truncatingIfNeeded: step),
        UInt32(truncatingIfNeeded: group), iteration),
      key: key)
  }
}
