// SPDX-License-Identifier: Apache-2.0
// Philox 4x32-10 against the known answers published with Random123 (Salmon 2011), and the moments of draws.

import Draws
import Testing

@Suite("random numbers")
struct PhiloxTests {
  @Test("known answers")
  func knownAnswers() {
    let zero = Philox.block(counter: SIMD4(0, 0, 0, 0), key: SIMD2(0, 0))
    #expect(zero == SIMD4(0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8))
    let ones = Philox.block(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
    #expect(ones == SIMD4(0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd))
    let pi = Philox.block(
      counter: SIMD4(0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344),
      key: SIMD2(0xa409_3822, 0x299f_31d0))
    #expect(pi == SIMD4(0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1))
  }

  @Test("draws are standard normal and uncorrelated")
  func moments() {
    let key = DrawKey(seed: 42, iteration: 3)
    let n = 20_000
    let draws = (0..<n).map { key.normals(particle: $0, step: 7, count: 6) }
    for a in 0..<6 {
      let mean = draws.reduce(0) { $0 + $1[a] } / Double(n)
      #expect(abs(mean) < 4 / Double(n).squareRoot())
      for b in 0..<6 {
        let product = draws.reduce(0) { $0 + $1[a] * $1[b] } / Double(n)
        // Standard deviation of z^2 is sqrt 2, of z z' 1.
        let tolerance = 4 * (a == b ? 2.0.squareRoot() : 1) / Double(n).squareRoot()
        #expect(abs(product - (a == b ? 1 : 0)) < tolerance, "dimensions \(a), \(b)")
      }
    }
  }

  @Test("a draw depends on each of its coordinates and on nothing else")
  func coordinates() {
    let base = DrawKey(seed: 1, iteration: 2).normals(particle: 3, step: 4, count: 2)
    #expect(
      base
        == DrawKey(seed: 1, iteration: 2).normals(particle: 3, step: 4, count: 5)[..<2].map { $0 })
    let others = [
      DrawKey(seed: 9, iteration: 2).normals(particle: 3, step: 4, count: 2),
      DrawKey(seed: 1 << 40, iteration: 2).normals(particle: 3, step: 4, count: 2),
      DrawKey(seed: 1, iteration: 9).normals(particle: 3, step: 4, count: 2),
      DrawKey(seed: 1, iteration: 2).normals(particle: 9, step: 4, count: 2),
      DrawKey(seed: 1, iteration: 2).normals(particle: 3, step: 9, count: 2),
      DrawKey(seed: 1, iteration: 2).normals(particle: 3, step: 4, first: 4, count: 2),
    ]
    for other in others { #expect(other != base) }
  }
}
